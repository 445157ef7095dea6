"""The stages up to the predictions, which a segmentation and a training step have in common.

Letters: B images, Q queries, C classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.types import Prediction, TextEmbeddings
from lab.parity.compare import FLOORS, SUSPICIOUS, Array, Comparer, Row, tolerance
from lab.parity.goldens import Golden
from lab.parity.recorder import Recorder
from lab.parity.tied_decoder import TiedDecoder


def compare_maps(compare: Comparer, golden: Golden, maps: dict[str, Tensor], floor: float = 0.0) -> Iterator[Row]:
    """Yield rows for the maps that a golden traces: the kept elements, then the statistics of the whole.

    Args:
        compare: of the case.
        golden: the case.
        maps: ours by name, in the order of the computation.
        floor: how far two runs of the reference were apart, where the golden does not say it for a map.
    """
    for name, values in maps.items():
        key = f"trace/{name}"
        if key not in golden.arrays:
            continue
        noise = max(floor, golden.floor(name.split("/")[-1], "max"))
        step = golden.about["trace"][name]["stride"]
        yield compare.close(name, values, golden.arrays[key], floor=noise, step=step)
        spread = float(golden.arrays[f"{key}/stats"][1])
        yield compare.whole(f"{name} (whole)", values, golden.arrays[f"{key}/stats"], spread=spread, floor=noise)


@dataclass(frozen=True)
class Decoded:
    """What the transformer decoder said.

    Attributes:
        predictions: from the initial queries, and after every layer.
        ties: pixels that were taken the reference's way for each.
    """

    predictions: list[Prediction]
    ties: list[int]


def decode(model: MaskClassifier, golden: Golden, record: Recorder, words: TextEmbeddings) -> Decoded:
    """Return the model's own predictions, or decode once more where ties went the other way.

    Args:
        model: ours.
        golden: the case.
        record: of the model's own run.
        words: the text classifier.
    """
    own = [*record.predictions.intermediate, record.predictions.final]
    if "aux_pred_logits" not in golden.arrays:  # without them a tie cannot be told from a mistake
        return Decoded(own, [0] * len(own))
    goldens = [torch.from_numpy(logits) for logits in (*golden.arrays["aux_pred_logits"], golden.arrays["pred_logits"])]
    decoder = TiedDecoder(
        model.sem_seg_head.predictor,
        pixels=record.pixels,
        sam_embedding=record.sam_embedding,
        words=words,
        goldens=goldens,
        tolerance=SUSPICIOUS * float(goldens[-1].std()),
        margin=mask_margin(record.predictions.final.masks),
    )
    ties = decoder.settle()
    if not any(ties):
        return Decoded(own, ties)
    del own, record.predictions  # and what its gradient would need: there is memory for one only
    return Decoded(decoder.decode(), ties)


def compare_predictions(compare: Comparer, golden: Golden, decoded: Decoded) -> Iterator[Row]:
    """Yield rows for the class logits, and for the masks' moments, of every prediction.

    Args:
        compare: of the case.
        golden: the case.
        decoded: ours.
    """
    last = len(decoded.predictions) - 1
    moments = golden.arrays.get("aux_pred_masks_moments")
    for index, (prediction, ties) in enumerate(zip(decoded.predictions, decoded.ties, strict=True)):
        name = f"aux{index}" if index < last else "pred"
        logits = golden.arrays.get("aux_pred_logits") if index < last else golden.arrays["pred_logits"][None]
        if logits is None:
            continue
        logits = logits[index if index < last else 0]
        floor = golden.floor(name, "logits_max") if index < last else golden.floor("pred_logits", "max")
        # a training step says one noise for all predictions
        floor = max(floor, golden.floor("pred_logits_max"))
        yield compare.close(f"{name}_logits", prediction.logits, logits, floor=floor, ties=ties)
        if index < last and moments is not None:
            yield from compare_moments(
                compare, f"{name}_masks", prediction.masks, moments[index], golden.floor(f"aux{index}", "masks_max")
            )
    final = decoded.predictions[-1].masks
    if "pred_masks_moments" in golden.arrays:
        yield from compare_moments(
            compare, "pred_masks", final, golden.arrays["pred_masks_moments"], mask_floor(golden)
        )


def compare_moments(compare: Comparer, name: str, masks: Tensor, golden: Array, floor: float) -> Iterator[Row]:
    """Yield rows for mean and deviation of every query's mask logits, and for how many pixels are inside.

    Args:
        compare: of the case.
        name: of the masks.
        masks: (B, Q, h, w) logits.
        golden: (B, Q, 3) mean, standard deviation, share of positive pixels.
        floor: how far two runs of the reference were apart.
    """
    flat = masks.flatten(2)
    deviation = flat.std(dim=-1, correction=0)
    margin = max(FLOORS * floor, mask_margin(masks))
    for part, values, wanted in (("mean", flat.mean(dim=-1), golden[..., 0]), ("std", deviation, golden[..., 1])):
        yield compare.within(f"{name} ({part})", values, wanted, margin)
    pixels = flat.shape[-1]
    moved = np.rint(np.abs((flat > 0).double().mean(dim=-1).numpy() - golden[..., 2].astype(np.float64)) * pixels)
    tied = (flat.abs() <= margin).sum(dim=-1).numpy()
    yield compare.equal(f"{name} (inside)", int(np.maximum(moved - tied, 0).sum()), int(np.minimum(moved, tied).sum()))


def mask_floor(golden: Golden) -> float:
    """Return how far the final masks of two runs of the reference were apart."""
    return max(golden.floor("pred_masks", "max"), golden.floor("pred_masks_trace_max"))


def mask_margin(masks: Tensor) -> float:
    """Return how near to 0 a mask logit ties."""
    return tolerance(masks.detach().numpy(), 0.0)
