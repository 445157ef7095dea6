"""How many regions the proposed masks cover, whatever they are called: recall of masks alone, without their classes.

Letters: C classes, Q proposals, T thresholds, K classes in one image (unlabelled counts as one), H×W the image.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT, mean_of_known
from frozenseg.evaluation.evaluator import Results
from frozenseg.evaluation.ground_truth import ground_truth_of
from frozenseg.evaluation.label_counts import IGNORED
from frozenseg.evaluation.label_evaluator import LabelEvaluator
from frozenseg.registry import EVALUATOR
from frozenseg.structures.label_files import image_name
from frozenseg.structures.label_runs import Runs

THRESHOLDS = (0.5, 0.75, 0.9)
METRICS = tuple(f"Recall@IoU={threshold:.2f}" for threshold in THRESHOLDS)
TASKS = ("recall_seg", "recall_seg_with_sam_masks")
PIXELS_AT_ONCE = 2**20  # less than 2**24, up to which float32 counts exactly


@EVALUATOR.register()
class MaskRecall(LabelEvaluator):
    """Share of the regions that a proposal meets with an IoU above 0.5, 0.75, 0.9; all also over subsets.

    A region is all that is of one class in one image, so that two objects of a class are one region. Every region
    counts alike. Unlabelled pixels are no region, but those of a proposal are part of the union.

    Where SAM's own masks are proposed as well, the recall is told without and with them.

    Args:
        table: the classes.
        ignore_label: value of unlabelled pixels in the label pictures.
        first_label: value of the first class in them.
    """

    output_kind = "recall"
    rule = "Share of the regions, one a class and image, that a proposed mask meets with an IoU above 0.5, 0.75, 0.9."

    def reset(self) -> None:
        """Forget all images."""
        self._regions = np.zeros(len(self.table), dtype=np.int64)
        self._found = np.zeros((len(TASKS), len(self.table), len(THRESHOLDS)), dtype=np.int64)
        self._more_were_proposed = False

    def describe(self, record: dict[str, Any], output: dict[str, Any]) -> dict[str, list[Any]]:
        """Compare ``recall_seg``, (Q, H, W) bool or logits, with the record's ``sem_seg_file_name``.

        Returns:
            ``classes`` that occur, and for each ``iou``, the best of all proposals; 0 without any. Where the output has
            ``sam_masks``, in the same form, also ``iou_with_sam_masks``, the best of both.

        Raises:
            DataError: truth or prediction is missing or wrong.
        """
        name = f"image {image_name(record)}"
        if "recall_seg" not in output:
            raise DataError(f"The output for {name} has no recall_seg: set MODEL.MASK_FORMER.TEST.RECALL_ON to True.")
        truth = ground_truth_of(record, self.truth)
        classes, places = np.unique(self._classes(truth.values, record), return_inverse=True)  # (K,)
        regions = truth._replace(values=places)
        labelled = classes != IGNORED
        best = _best_ious(output["recall_seg"], regions, len(classes), f"recall_seg for {name}")
        found = {"classes": classes[labelled].tolist(), "iou": best[labelled].tolist()}
        if "sam_masks" in output:
            more = _best_ious(output["sam_masks"], regions, len(classes), f"sam_masks for {name}")
            found["iou_with_sam_masks"] = np.maximum(best, more)[labelled].tolist()
        return found

    def add(self, contribution: dict[str, list[Any]]) -> None:
        """Count the regions of an image; each class stands once in a contribution."""
        self._regions[contribution["classes"]] += 1
        plain = contribution["iou"]
        self._more_were_proposed |= "iou_with_sam_masks" in contribution
        ious = np.array([plain, contribution.get("iou_with_sam_masks", plain)])  # (2, K)
        self._found[:, contribution["classes"]] += ious[..., None] > THRESHOLDS

    def image_score(self, contribution: dict[str, list[Any]]) -> float:
        """Return the mean over the regions of the best IoU; NaN where nothing is annotated."""
        return mean_of_known(np.array(contribution["iou"]))

    def evaluate(self) -> Results:
        """Return ``{"recall_seg": {"Recall@IoU=0.50": …, …, "S_Recall@IoU=0.50": …, …}}``.

        With SAM's masks also ``recall_seg_with_sam_masks``.
        """
        regions = distributed.sum_over_ranks(torch.from_numpy(self._regions)).numpy()
        plain, more = distributed.sum_over_ranks(torch.from_numpy(self._found)).numpy()
        of_classes = np.divide(plain[:, 0], regions, out=np.full(len(regions), np.nan), where=regions > 0)
        self.per_class = {METRICS[0]: self.table.by_name(of_classes)}
        results = {TASKS[0]: self._shares(regions, plain)}
        if any(distributed.gather(self._more_were_proposed)):
            results[TASKS[1]] = self._shares(regions, more)
        return results

    def _shares(self, regions: np.ndarray, found: np.ndarray) -> dict[str, float]:
        """Return percentages over all classes and each subset, from the counts (C,) and (C, T)."""
        subsets = {"": np.ones(len(regions), dtype=bool)}
        subsets |= {f"{subset}_": members for subset, members in self.table.subsets.items()}
        results: dict[str, float] = {}
        for prefix, members in subsets.items():
            total = int(regions[members].sum())
            shares = found[members].sum(axis=0) / total if total else np.full(len(THRESHOLDS), np.nan)
            results |= {
                f"{prefix}{metric}": PERCENT * float(share) for metric, share in zip(METRICS, shares, strict=True)
            }
        return results


def _best_ious(masks: Tensor, regions: Runs, count: int, what: str) -> np.ndarray:
    """Return the best IoU of (Q, H, W) masks with each of the regions 0 … count - 1, (count,).

    Raises:
        DataError: the masks, which ``what`` names, have another size.
    """
    if masks.ndim != 3 or tuple(masks.shape[1:]) != regions.size:
        raise DataError(
            f"{what} has shape {tuple(masks.shape)}, expected (proposals, {regions.size[0]}, {regions.size[1]}): the "
            "size of the original image."
        )
    masks = masks if masks.dtype == torch.bool else masks > 0
    common = (_by_runs if masks.device.type == "cpu" else _by_product)(masks, regions, count)  # (Q, count)
    areas = np.bincount(regions.values, weights=regions.lengths(), minlength=count)
    unions = common.sum(axis=1, keepdims=True) + areas - common
    return (common / unions).max(axis=0, initial=0)


def _by_runs(masks: Tensor, regions: Runs, count: int) -> np.ndarray:
    """Count the pixels that each of (Q, H, W) bool masks shares with each of the regions 0 … count - 1: (Q, count)."""
    common = np.zeros((len(masks), count))
    for row, mask in zip(common, masks, strict=True):
        inside = mask.flatten().numpy().view(np.uint8)
        row += np.bincount(regions.values, np.add.reduceat(inside, regions.starts, dtype=np.int32), count)
    return common


def _by_product(masks: Tensor, regions: Runs, count: int) -> np.ndarray:
    """Do the same as :func:`_by_runs` where the masks are: they are too large to be brought here."""
    common = torch.zeros(len(masks), count, dtype=torch.float64, device=masks.device)
    numbers = torch.from_numpy(regions.pixels()).flatten().to(masks.device)
    strips = torch.split(masks.flatten(1), PIXELS_AT_ONCE, dim=1), torch.split(numbers, PIXELS_AT_ONCE)
    for inside, number in zip(*strips, strict=True):
        common += inside.float() @ F.one_hot(number, count).float()
    return common.cpu().numpy()
