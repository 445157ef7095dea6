"""Time this project's metrics beside the usual way of computing them, in one run; ``--help`` has examples."""

import argparse
import functools
import gc
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tabulate import tabulate

from frozenseg.atomic import write_json
from frozenseg.errors import FrozenSegError
from frozenseg.evaluation.coco_ap import ap_package_version
from frozenseg.evaluation.coco_ap_evaluator import InstanceAP
from frozenseg.evaluation.ground_truth import read_ground_truths
from frozenseg.evaluation.panoptic_quality import PanopticQuality
from frozenseg.evaluation.prediction_file_metrics.pairs import PanopticFile, match_panoptic_files
from frozenseg.evaluation.semantic_iou import SemanticIoU
from frozenseg.log import progress
from frozenseg.modeling.postprocess.semantic import semantic_labels
from frozenseg.structures.label_files import write_labels
from frozenseg.structures.label_runs import Runs
from frozenseg.structures.masks import encode_rle
from lab.metric_timing.pictures import (
    SEGMENTS,
    THINGS,
    class_table,
    coco_annotations,
    instance_picture,
    panoptic_picture,
    semantic_picture,
)
from lab.metric_timing.usual import UsualIoU, UsualPQ, decode, score_maps, usual_ap, usual_rle

DESCRIPTION = """\
Time this project's metrics beside the usual way of computing them: both see the same made-up pictures, turn by turn, in
one process, and a check compares their results. The usual way is what the field's evaluators do: PNG files written and
read again for PQ, an argmax over all score maps and run lengths of every class for mIoU, pycocotools for AP.
"""
EXAMPLES = """\
examples:
  all of it, two minutes or so:
    python tools/benchmark_evaluation.py

  PQ alone, on larger pictures, with the numbers in a file:
    python tools/benchmark_evaluation.py --only pq --size 1024 2048 --output speed.json
"""
KIB_IN_MIB = 1024
label_map = functools.partial(semantic_labels, masks_are_probabilities=True)
TOLERANCE = 1e-9


class Row(NamedTuple):
    """One comparison: milliseconds an image, medians."""

    what: str
    usual: float
    ours: float
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.usual / self.ours


class Paired:
    """Times two ways turn by turn, so that whatever slows the machine down slows both."""

    def __init__(self) -> None:
        self.usual: list[float] = []
        self.ours: list[float] = []

    def time(self, usual: Callable[[], Any], ours: Callable[[], Any]) -> tuple[Any, Any]:
        """Run both; return what they return."""
        results = []
        for work, kept in ((usual, self.usual), (ours, self.ours)):
            gc.collect()  # neither pays for what the other leaves behind
            gc.disable()
            before = time.perf_counter()
            results.append(work())
            kept.append(1000 * (time.perf_counter() - before))
            gc.enable()
        return results[0], results[1]

    def row(self, what: str, note: str = "") -> Row:
        """Return the comparison; the first image, on which everything is new, is left out."""
        skipped = slice(1 if len(self.ours) > 1 else 0, None)
        return Row(what, statistics.median(self.usual[skipped]), statistics.median(self.ours[skipped]), note)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    arguments = parse_arguments(argv)
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    size = tuple(arguments.size)
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = [row for name in arguments.only for row in BENCHMARKS[name](size, arguments.images, Path(folder))]
        if arguments.output:
            content = [{**row._asdict(), "ratio": row.ratio} for row in rows]
            write_json(arguments.output, {"size": size, "images": arguments.images, "rows": content}, indent=2)
    except FrozenSegError as error:
        print(error, file=sys.stderr)
        return 2
    lines = [[row.what, f"{row.usual:.2f}", f"{row.ours:.2f}", f"{row.ratio:.1f} ×", row.note] for row in rows]
    print(f"\n{size[0]}×{size[1]}, medians in ms an image, {torch.get_num_threads()} threads\n")
    print(
        tabulate(lines, ["", "usual", "ours", "faster", ""], disable_numparse=True, colalign=("left", *["right"] * 3))
    )
    return 0


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(BENCHMARKS), default=list(BENCHMARKS), help="what to time (default: all)"
    )
    parser.add_argument("--images", type=int, default=15, metavar="N", help="pictures of each kind (default: 15)")
    parser.add_argument(
        "--size", type=int, nargs=2, default=[480, 640], metavar=("H", "W"), help="of the pictures (default: 480 640)"
    )
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="of torch (default: as torch chooses)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the numbers as JSON, too")
    arguments = parser.parse_args(argv)
    if arguments.images < 2 or min(arguments.size) < 32:
        parser.error("--images must be 2 at least, --size 32 × 32")
    return arguments


def benchmark_pq(size: tuple[int, int], images: int, folder: Path) -> list[Row]:
    """PQ from the model's output, and from PNG files."""
    rng = np.random.default_rng(0)
    usual, ours, of_files = UsualPQ(folder, SEGMENTS), *(PanopticQuality(class_table(SEGMENTS)) for _ in range(2))
    loaded, whole, files = Paired(), Paired(), Paired()
    for index in progress(range(images), "PQ", images):
        record, output, guess_path = panoptic_picture(rng, size, folder / str(index))
        ahead = {
            **record,
            "ground_truth": read_ground_truths(["segments"], record),
        }  # as a worker of the loader brings it
        loaded.time(functools.partial(usual.score, record, output), functools.partial(ours.process, [ahead], [output]))
        whole.time(functools.partial(usual.score, record, output), functools.partial(ours.describe, record, output))
        files.time(
            functools.partial(decode_both, record["pan_seg_file_name"], guess_path),
            functools.partial(score_file, of_files, record, guess_path, output["panoptic_seg"][1]),
        )
    for evaluator in (ours, of_files):
        agree(usual.quality(), evaluator.evaluate()["panoptic_seg"]["PQ"])
    return [
        loaded.row("PQ, output → table", "usual: PNG written and read again; ours: truth comes with the picture"),
        whole.row("PQ, output → table", "ours: truth is read here"),
        files.row("PQ, two PNG files → table", "beside decoding the two and nothing else"),
    ]


def benchmark_semantic(classes: int, size: tuple[int, int], images: int, folder: Path) -> list[Row]:
    """MIoU from score maps, and from the queries."""
    rng = np.random.default_rng(classes)
    ignore = 255 if classes < 255 else 65535
    usual, ours = UsualIoU(classes, ignore), SemanticIoU(class_table(classes), ignore)
    scored, queried = Paired(), Paired()
    for index in progress(range(images), f"mIoU, {classes} classes", images):
        logits, inside, truth = semantic_picture(rng, classes, size)
        path = folder / f"labels_{classes}_{index}.tif"
        write_labels(path, truth)
        record = {"image_id": index, "sem_seg_file_name": str(path)}
        ahead = {**record, "ground_truth": read_ground_truths(["labels"], record)}
        scores = score_maps(logits, inside)
        scored.time(
            functools.partial(usual.process, scores, path),
            functools.partial(ours.process, [ahead], [{"sem_seg": scores}]),
        )
        del scores
        queried.time(
            lambda inputs=(logits, inside), path=path: usual.process(score_maps(*inputs), path),
            lambda inputs=(logits, inside), ahead=ahead: ours.process([ahead], [{"sem_seg": label_map(*inputs)}]),
        )
    agree(usual.miou(), ours.evaluate()["sem_seg"]["mIoU"])
    return [
        scored.row(f"mIoU, {classes} classes, scores → table", "usual: argmax, all pixels, run lengths"),
        queried.row(f"mIoU, {classes} classes, queries → table", "ours: no map of scores"),
    ]


def benchmark_ap(size: tuple[int, int], images: int, folder: Path) -> list[Row]:
    """AP of masks, and their run lengths."""
    rng = np.random.default_rng(0)
    encoding, scoring = Paired(), Paired()
    truth, outputs = [], []
    for _ in progress(range(images), "AP", images):
        objects, output = instance_picture(rng, size)
        masks = output["instances"].pred_masks.numpy()
        encoding.time(lambda masks=masks: [usual_rle(mask) for mask in masks], functools.partial(encode_rle, masks))
        truth.append(objects)
        outputs.append(output)
    json_file = folder / "instances.json"
    write_json(json_file, coco_annotations(truth, size))
    ours = InstanceAP(class_table(THINGS), str(json_file), {index: index + 1 for index in range(THINGS)})
    for index, output in enumerate(outputs):
        ours.process([{"image_id": index + 1}], [output])
    lines = [line for image in ours.images for line in image["lines"]]
    for _ in range(5):
        usual, found = scoring.time(functools.partial(usual_ap, json_file, lines), ours.evaluate)
        agree(usual, found["segm"]["AP"])
    row = scoring.row("AP, run lengths → table", f"usual: pycocotools; ours: {ap_package_version()}")
    return [
        encoding.row("run lengths of 100 masks", "usual: pycocotools, mask by mask"),
        row._replace(usual=row.usual / images, ours=row.ours / images),
    ]


def benchmark_memory(size: tuple[int, int], images: int, folder: Path) -> list[Row]:
    """Peak memory of 847 classes at 1024×1024, in a process of its own; one image, MiB instead of ms."""
    del size, images, folder
    context = multiprocessing.get_context("spawn")
    peaks = []
    for maps in (True, False):
        with context.Pool(1) as pool:
            peaks.append(pool.apply(peak_memory, (847, (1024, 1024), maps)))
    return [Row("MiB at most, 847 classes, 1024×1024, queries → table", *peaks, "the whole process, PyTorch included")]


BENCHMARKS: dict[str, Callable[[tuple[int, int], int, Path], list[Row]]] = {
    "pq": benchmark_pq,
    "miou150": functools.partial(benchmark_semantic, 150),
    "miou847": functools.partial(benchmark_semantic, 847),
    "memory": benchmark_memory,
    "ap": benchmark_ap,
}


def peak_memory(classes: int, size: tuple[int, int], maps: bool) -> float:
    """Score one image in this process; returns the most memory that it ever had, MiB."""
    logits, inside, truth = semantic_picture(np.random.default_rng(0), classes, size)
    evaluator = SemanticIoU(class_table(classes), 65535)
    sem_seg = score_maps(logits, inside) if maps else label_map(logits, inside)
    labels = sem_seg.argmax(dim=0) if maps else sem_seg
    evaluator.process([{"image_id": 0, "ground_truth": {"labels": Runs.of(truth)}}], [{"sem_seg": labels}])
    evaluator.evaluate()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_IN_MIB


def score_file(evaluator: PanopticQuality, record: dict[str, Any], guess: Path, segments: list[dict[str, Any]]) -> None:
    """Compare two PNG files, as ``tools/evaluate_predictions.py`` does."""
    files = PanopticFile(Path(record["pan_seg_file_name"]), record["segments_info"]), PanopticFile(guess, segments)
    evaluator.add(match_panoptic_files(record["image_id"], *files, len(evaluator.table)))


def decode_both(*paths: str | Path) -> None:
    """Read PNG files."""
    for path in paths:
        decode(path)


def agree(usual: float, ours: float) -> None:
    """Refuse to compare the times of different results."""
    if abs(usual - ours) > TOLERANCE:
        raise FrozenSegError(f"The usual way gives {usual} %, ours {ours} %: they should be the same.")


if __name__ == "__main__":
    raise SystemExit(main())
