"""PQ of a segmenter and of its export on scenes of ToyWorld."""

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tabulate import tabulate

from frozenseg.errors import DataError
from frozenseg.evaluation.prediction_file_metrics.panoptic import score_panoptic_files
from frozenseg.export.exporter import export_segmenter
from frozenseg.export.options import ExportOptions
from frozenseg.inference.named_vocabularies import toyworld_vocabulary
from frozenseg.inference.predictor import Segmenter
from frozenseg.toyworld.categories import all_categories
from frozenseg.toyworld.export import Recipe, export_split
from lab.export_quality import segment_images

SEED = 2
METRICS = ("PQ", "SQ", "RQ")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # as PyTorch has here
OPTIONS = ("PREDICT.MIN_EVIDENCE", 0.0)  # benchmarks have no absent classes


class Measured(NamedTuple):
    """Scores and the median time of an image."""

    scores: Mapping[str, float]
    seconds: float


def measure(arguments: argparse.Namespace) -> int:
    """Print the scores of the segmenter and of its export; returns 0 if they agree, else 1."""
    torch.set_num_threads(1)
    work = Path(arguments.work)
    scenes = work / "scenes"
    export_split(scenes, Recipe("val_unseen", SEED, int(arguments.scenes)), quiet=True)
    segmenter = Segmenter.from_pretrained(arguments.weights, device="cpu", options=OPTIONS)
    exported = Path(arguments.exported) if arguments.exported else work / "exported"
    reference = _of_segmenter(segmenter, scenes, work / "torch")
    if not arguments.exported:
        export_segmenter(
            segmenter, exported, ExportOptions(vocabulary=toyworld_vocabulary(), int8=arguments.int8), overwrite=True
        )
    measured = _of_runtime(exported, scenes, work / "runtime", arguments.python)
    rows = [
        [name, *(each.scores[metric] for metric in METRICS), each.seconds]
        for name, each in (("PyTorch", reference), ("onnxruntime", measured))
    ]
    print(tabulate(rows, headers=["", *METRICS, "seconds"], floatfmt=("", ".3f", ".3f", ".3f", ".3f")))
    difference = measured.scores["PQ"] - reference.scores["PQ"]
    print(f"PQ difference {difference:+.3f} on {int(arguments.scenes)} scenes")
    return 0 if abs(difference) <= arguments.tolerance else 1


def _images(scenes: Path) -> list[tuple[int, str]]:
    content = json.loads((scenes / "panoptic.json").read_text(encoding="utf-8"))
    return [(each["id"], str(scenes / "images" / each["file_name"])) for each in content["images"]]


def _of_segmenter(segmenter: Segmenter, scenes: Path, output: Path) -> Measured:
    output.mkdir(parents=True, exist_ok=True)
    vocabulary, ids = toyworld_vocabulary(), [category.id for category in all_categories()]
    entries, seconds = [], []
    for number, path in _images(scenes):
        started = time.perf_counter()
        result = segmenter(path, vocabulary, sam_masks=False)
        seconds.append(time.perf_counter() - started)
        panoptic, segments = result.require("panoptic")
        name = f"{Path(path).stem}.png"
        segment_images.write_panoptic(panoptic.numpy(), output / name)
        entries.append(segment_images.panoptic_entry(number, name, segments, ids))
    (output / "panoptic.json").write_text(json.dumps({"annotations": entries}), encoding="utf-8")
    return Measured(_scores(scenes, output), statistics.median(seconds))


def _of_runtime(exported: Path, scenes: Path, output: Path, python: str) -> Measured:
    output.mkdir(parents=True, exist_ok=True)
    job = {"images": _images(scenes), "category_ids": [category.id for category in all_categories()]}
    job_file = output / "job.json"
    job_file.write_text(json.dumps(job), encoding="utf-8")
    command = [python, "-B", str(segment_images.__file__), str(exported.resolve()), str(job_file), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ONE_THREAD)
    if done.returncode:
        raise DataError(f"{python} cannot run the export: {done.stderr.strip()[-500:]}")
    report: dict[str, Any] = json.loads(done.stdout)
    if report["heavy"]:
        raise DataError(f"The runtime has imported {', '.join(report['heavy'])}.")
    return Measured(_scores(scenes, output), report["seconds"])


def _scores(scenes: Path, predictions: Path) -> Mapping[str, float]:
    files = scenes / "panoptic.json", scenes / "panoptic", predictions / "panoptic.json", predictions
    return score_panoptic_files(*files, quiet=True).results["panoptic_seg"]
