"""Recall of mask proposals regardless of their classes: the share of annotated regions that a proposal covers.

Letters: C classes, Q proposals, T thresholds, K classes in one image (unlabelled counts as one), H×W the image.
"""

from typing import TypedDict

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT, mean_of_known
from frozenseg.evaluation.ground_truth import ground_truth_of
from frozenseg.evaluation.label_counts import IGNORED_CLASS
from frozenseg.evaluation.label_image_evaluator import LabelImageEvaluator
from frozenseg.evaluation.required_output import required_output
from frozenseg.evaluation.types import TaskResults
from frozenseg.registry import EVALUATOR
from frozenseg.structures.label_runs import Runs
from frozenseg.structures.output_kinds import ModelOutput
from frozenseg.structures.record import Record, image_name

RECALL_THRESHOLDS = (0.5, 0.75, 0.9)  # of IoU
RECALL_METRICS = tuple(f"Recall@IoU={threshold:.2f}" for threshold in RECALL_THRESHOLDS)
RECALL_TASKS = ("recall_seg", "recall_seg_with_sam_masks")
PIXELS_AT_ONCE = 2**20  # less than 2**24, up to which float32 counts exactly


class RegionIoUs(TypedDict):
    """Contribution of one image: the annotated ``classes``, and for each the best ``iou`` of all proposals."""

    classes: list[int]
    iou: list[float]


class RegionIoUsWithSam(RegionIoUs, total=False):
    """Contribution of one image; with SAM masks also the best IoU of proposals and SAM masks."""

    iou_with_sam_masks: list[float]


@EVALUATOR.register()
class MaskRecall(LabelImageEvaluator[RegionIoUsWithSam]):
    """Share of the regions that a proposal matches with an IoU above 0.5, 0.75, 0.9; all also over subsets.

    A region is the union of all pixels of one class in one image, so that two objects of a class are one region. All
    regions have the same weight. Unlabelled pixels are no region, but those inside a proposal are part of the union.

    If the output has SAM masks, the recall is computed without and with them.

    """

    output_kind = "recall"
    rule = "Share of the regions, one per class and image, that a proposal matches with an IoU above 0.5, 0.75, 0.9."

    def reset(self) -> None:
        """Remove the contributions of all images."""
        self._regions = np.zeros(len(self.table), dtype=np.int64)
        # regions matched, without and with SAM masks
        self._matched = np.zeros((len(RECALL_TASKS), len(self.table), len(RECALL_THRESHOLDS)), dtype=np.int64)
        self._has_sam_masks = False

    def describe(self, record: Record, output: ModelOutput) -> RegionIoUsWithSam:
        """Compare ``recall_seg`` with the record's ``sem_seg_file_name``.

        Args:
            record: of the image.
            output: ``recall_seg``, (Q, H, W) bool or logits, and optionally ``sam_masks`` in the same format.

        Raises:
            DataError: ground truth or prediction is missing or invalid.
        """
        name = f"image {image_name(record)}"
        proposals = required_output(record, output, "recall")
        ground_truth = ground_truth_of(record, "labels")
        labels = self.values.true_classes(ground_truth.values, f"The label image of {name}")
        classes, indices = np.unique(labels, return_inverse=True)  # (K,)
        regions = ground_truth._replace(values=indices)
        labelled = classes != IGNORED_CLASS
        best = _best_ious(proposals, regions, len(classes), f"recall_seg for {name}")
        contribution: RegionIoUsWithSam = {"classes": classes[labelled].tolist(), "iou": best[labelled].tolist()}
        if "sam_masks" in output:
            of_sam = _best_ious(output["sam_masks"], regions, len(classes), f"sam_masks for {name}")
            contribution["iou_with_sam_masks"] = np.maximum(best, of_sam)[labelled].tolist()
        return contribution

    def add(self, contribution: RegionIoUsWithSam) -> None:
        """Count the regions of an image; a contribution has each class once."""
        self._regions[contribution["classes"]] += 1
        without = contribution["iou"]
        self._has_sam_masks |= "iou_with_sam_masks" in contribution
        ious = np.array([without, contribution.get("iou_with_sam_masks", without)])  # (2, K)
        self._matched[:, contribution["classes"]] += ious[..., None] > RECALL_THRESHOLDS

    def image_score(self, contribution: RegionIoUsWithSam) -> float:
        """Return the mean over the regions of the best IoU; NaN if no pixel is annotated."""
        return mean_of_known(np.array(contribution["iou"]))

    def evaluate(self) -> TaskResults:
        """Return ``{"recall_seg": {"Recall@IoU=0.50": …, …, "S_Recall@IoU=0.50": …, …}}``.

        With SAM masks also ``recall_seg_with_sam_masks``.
        """
        regions = distributed.sum_over_ranks(torch.from_numpy(self._regions)).numpy()
        without, with_sam = distributed.sum_over_ranks(torch.from_numpy(self._matched)).numpy()
        of_classes = np.divide(without[:, 0], regions, out=np.full(len(regions), np.nan), where=regions > 0)
        self.per_class = {RECALL_METRICS[0]: self.table.by_name(of_classes)}
        results = {RECALL_TASKS[0]: self._shares(regions, without)}
        if any(distributed.gather(self._has_sam_masks)):
            results[RECALL_TASKS[1]] = self._shares(regions, with_sam)
        return results

    def _shares(self, regions: np.ndarray, matched: np.ndarray) -> dict[str, float]:
        """Return percentages over all classes and each subset, from (C,) regions and (C, T) matched regions."""
        subsets = {"": np.ones(len(regions), dtype=bool)}
        subsets |= {f"{subset}_": members for subset, members in self.table.subsets.items()}
        results: dict[str, float] = {}
        for prefix, members in subsets.items():
            total = int(regions[members].sum())
            shares = matched[members].sum(axis=0) / total if total else np.full(len(RECALL_THRESHOLDS), np.nan)
            results |= {
                f"{prefix}{metric}": PERCENT * float(share)
                for metric, share in zip(RECALL_METRICS, shares, strict=True)
            }
        return results


def _best_ious(masks: Tensor, regions: Runs, count: int, name: str) -> np.ndarray:
    """Return the best IoU of (Q, H, W) masks with each of the regions 0 … count - 1, (count,).

    Raises:
        DataError: the masks, called ``name`` in the message, have another size.
    """
    if masks.ndim != 3 or tuple(masks.shape[1:]) != regions.size:
        raise DataError(
            f"{name} has shape {tuple(masks.shape)}, expected (proposals, {regions.size[0]}, {regions.size[1]}): the "
            "size of the original image."
        )
    masks = masks if masks.dtype == torch.bool else masks > 0
    common = (_by_runs if masks.device.type == "cpu" else _by_product)(masks, regions, count)  # (Q, count)
    areas = np.bincount(regions.values, weights=regions.lengths(), minlength=count)
    unions = common.sum(axis=1, keepdims=True) + areas - common
    best: np.ndarray = (common / unions).max(axis=0, initial=0)
    return best


def _by_runs(masks: Tensor, regions: Runs, count: int) -> np.ndarray:
    """Count the pixels of each of (Q, H, W) bool masks in each of the regions 0 … count - 1: (Q, count), on the CPU."""
    common = np.zeros((len(masks), count))
    for row, mask in zip(common, masks, strict=True):
        inside = mask.flatten().numpy().view(np.uint8)
        row += np.bincount(regions.values, np.add.reduceat(inside, regions.starts, dtype=np.int32), count)
    return common


def _by_product(masks: Tensor, regions: Runs, count: int) -> np.ndarray:
    """Count as :func:`_by_runs`, but on the device of the masks, which are too large to be copied to the CPU."""
    common = torch.zeros(len(masks), count, dtype=torch.float64, device=masks.device)
    numbers = torch.from_numpy(regions.pixels()).flatten().to(masks.device)
    chunks = torch.split(masks.flatten(1), PIXELS_AT_ONCE, dim=1), torch.split(numbers, PIXELS_AT_ONCE)
    for inside, number in zip(*chunks, strict=True):
        common += inside.float() @ F.one_hot(number, count).float()
    return common.cpu().numpy()
