"""COCO result file: a JSON list of predicted objects, all checked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from frozenseg.errors import DataError, shown
from frozenseg.evaluation.prediction_file_metrics.entries import CheckedEntry, KnownIds, is_finite_number, kind_of
from frozenseg.evaluation.result_lines import ResultLine
from frozenseg.structures.record import ImageId
from frozenseg.structures.rle import read_rle
from frozenseg.structures.rle_batch import irregular_rles

LINE_FIELDS = "image_id, category_id, segmentation, score"
HAS_BOXES = (
    "The lines have boxes: as in pycocotools, the areas of the boxes, not those of the masks, decide which predictions "
    "are small, medium and large (APs, APm, APl)."
)


class ResultFile(NamedTuple):
    """Content of a COCO result file.

    Attributes:
        lines: with the ids of the ground truth, compressed run lengths, and boxes if all lines of the file have one.
        notes: sentences about the lines that were read in a way that the user may not expect.
    """

    lines: list[ResultLine]
    notes: list[str]


def read_result_lines(
    content: Any, path: str | Path, sizes: Mapping[ImageId, tuple[int, int] | None], categories: Sequence[int]
) -> ResultFile:
    """Check the content of a COCO result file.

    Args:
        content: of the JSON file.
        path: of the file, for messages.
        sizes: image id → height, width in the ground truth; None if they are not known.
        categories: ids of the ground truth.

    Raises:
        DataError: a line is invalid, or names an image or a category that the ground truth does not have.
    """
    if not isinstance(content, list):
        raise DataError(
            f"The predictions {path} are not a COCO result file: expected a list of objects with {LINE_FIELDS}, "
            f"received {kind_of(content)}."
        )
    images, labels = KnownIds(list(sizes), "image"), KnownIds(categories, "category")
    lines: list[ResultLine] = []
    for number, value in enumerate(content, start=1):
        entry = CheckedEntry.of(value, f"Prediction {number} of {path}", LINE_FIELDS)
        image = images.match(entry, "image_id")
        line: ResultLine = {"image_id": image, "category_id": labels.match(entry, "category_id")}
        line["score"] = entry.number("score")
        line["segmentation"] = _run_lengths(entry)
        lines.append(line | _box(entry))
    completed = _check_masks(lines, sizes, path)
    notes = [*images.notes(), *labels.notes(), *_completed(completed, len(lines), path), *_repeated(lines, path)]
    return ResultFile(*_boxes_of_all(lines, notes))


def _run_lengths(entry: CheckedEntry) -> dict[str, Any]:
    """Return the field ``segmentation``, an object that :func:`_check_masks` reads."""
    runs = entry.required("segmentation", "run lengths (size and counts)")
    if not isinstance(runs, dict):
        kind = "polygons" if isinstance(runs, list) and runs else shown(runs)
        raise DataError(
            f"{entry.name} has a segmentation that is {kind}, not run lengths (size and counts): encode the mask with "
            "pycocotools.mask.encode."
        )
    return runs


def _check_masks(lines: Sequence[ResultLine], sizes: Mapping[ImageId, tuple[int, int] | None], path: str | Path) -> int:
    """Replace irregular run lengths by compressed ones; return the number of those that had no last run."""
    completed, of_lines = 0, [sizes[line["image_id"]] for line in lines]
    for index in irregular_rles([line["segmentation"] for line in lines], of_lines):
        try:
            runs = read_rle(lines[index]["segmentation"], of_lines[index])
        except ValueError as error:
            raise DataError(
                f"Prediction {index + 1} of {path} has an invalid mask: {error}. Encode the mask of the original image "
                "with pycocotools.mask.encode."
            ) from error
        lines[index]["segmentation"] = runs.compressed()
        completed += runs.completed
    return completed


def _box(entry: CheckedEntry) -> dict[str, list[float]]:
    """Return the field ``bbox``; empty if the line has none."""
    box = entry.fields.get("bbox")
    if box is None or box == []:
        return {}
    if not (isinstance(box, list) and len(box) == 4 and all(map(is_finite_number, box)) and min(box[2:]) >= 0):
        raise entry.refused("bbox", "left, top, width, height: finite numbers, the last two not negative")
    return {"bbox": box}


def _boxes_of_all(lines: list[ResultLine], notes: list[str]) -> tuple[list[ResultLine], list[str]]:
    """Remove the boxes if not all lines have one, since pycocotools decides by the first line; add a note."""
    boxes = sum("bbox" in line for line in lines)
    if boxes and boxes == len(lines):
        return lines, [*notes, HAS_BOXES]
    if boxes:
        notes = [
            *notes,
            f"{boxes} of {len(lines)} lines have a box: the boxes are not used; the areas of the masks decide which "
            "predictions are small, medium and large (APs, APm, APl).",
        ]
    return [{field: value for field, value in line.items() if field != "bbox"} for line in lines], notes


def _completed(count: int, total: int, path: str | Path) -> list[str]:
    if not count:
        return []
    return [f"{count} of {total} masks of {path} end before the last pixel: the missing run was read as background."]


def _repeated(lines: Sequence[ResultLine], path: str | Path) -> list[str]:
    """Return a note about masks that occur several times in one image and category; empty if there are none."""
    keys = [(line["image_id"], line["category_id"], line["segmentation"]["counts"]) for line in lines]
    counts = Counter(keys)
    repeated = len(keys) - len(counts)
    if not repeated:
        return []
    key = next(key for key in keys if counts[key] > 1)
    numbers = [number for number, other in enumerate(keys, start=1) if other == key][:2]
    return [
        f"{repeated} lines of {path} repeat the image, category and mask of another line (such as lines {numbers[0]} "
        f"and {numbers[1]}): at most one of them can match an object; the others count as wrong."
    ]
