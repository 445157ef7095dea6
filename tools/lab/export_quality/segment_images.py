"""Panoptic predictions of the runtime of an exported folder, by a Python that needs neither PyTorch nor frozenseg.

Arguments: folder of the export, JSON file with the ids of the classes and the images, output folder.
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HEAVY = ("torch", "frozenseg")


def write_panoptic(ids: np.ndarray, path: Path) -> None:
    """Write a map of segment ids as a PNG in COCO's coding."""
    Image.fromarray(np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)).save(path)


def panoptic_entry(number: int, name: str, segments: list[dict[str, Any]], category_ids: list[int]) -> dict[str, Any]:
    """Return the annotation of an image in COCO's panoptic format."""
    infos = [{"id": each["id"], "category_id": category_ids[each["category_id"]]} for each in segments]
    return {"image_id": number, "file_name": name, "segments_info": infos}


def segment_all(export: Path, job: dict[str, Any], output: Path) -> dict[str, Any]:
    """Segment the images of a job with the stored vocabulary; returns seconds for each, and heavy modules."""
    sys.path.insert(0, str(export))
    runtime = importlib.import_module("runtime").OnnxSegmenter(export, threads=1)
    entries, seconds = [], []
    for number, path in job["images"]:
        started = time.perf_counter()
        segmented = runtime(path)
        seconds.append(time.perf_counter() - started)
        name = f"{Path(path).stem}.png"
        write_panoptic(segmented.panoptic, output / name)
        entries.append(panoptic_entry(number, name, segmented.segments, job["category_ids"]))
    (output / "panoptic.json").write_text(json.dumps({"annotations": entries}), encoding="utf-8")
    return {"seconds": sorted(seconds)[len(seconds) // 2], "heavy": [name for name in HEAVY if name in sys.modules]}


if __name__ == "__main__":
    folder, job_file, target = map(Path, sys.argv[1:])
    print(json.dumps(segment_all(folder, json.loads(job_file.read_text(encoding="utf-8")), target)))
