"""Stages up to the predictions, shared by goldens of segmentation and of training.

Letters: B images, Q queries, C classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.transformer_decoder.masked_decoder import MultiScaleMaskedTransformerDecoder
from frozenseg.modeling.types import Prediction, TextEmbeddings
from lab.parity.compare import FLOORS, SUSPICIOUS, Array, Comparer, Row, tolerance
from lab.parity.goldens import Golden
from lab.parity.recorder import Recorder
from lab.parity.tied_decoder import TiedDecoder


def compare_maps(compare: Comparer, golden: Golden, maps: dict[str, Tensor], floor: float = 0.0) -> Iterator[Row]:
    """Yield rows for the feature maps in a golden: the recorded elements, then the statistics of the whole map.

    Args:
        compare: of the case.
        golden: the case.
        maps: our maps by name, in the order of the computation.
        floor: noise floor of maps without one in the golden.
    """
    for name, values in maps.items():
        key = f"trace/{name}"
        if key not in golden.arrays:
            continue
        spread = float(golden.arrays[f"{key}/stats"][1])
        noise = max(floor, golden.floor(name.split("/")[-1], "max"))
        if name.startswith("pixel/"):
            noise = max(noise, spread * _relative_clip_noise(golden))
        step = golden.metadata["trace"][name]["stride"]
        yield compare.close(name, values, golden.arrays[key], floor=noise, step=step)
        yield compare.whole(f"{name} (whole)", values, golden.arrays[f"{key}/stats"], spread=spread, floor=noise)


def _relative_clip_noise(golden: Golden) -> float:
    """Return the noise of CLIP's dense features as a share of their standard deviation; 0 if it was not recorded.

    The pixel decoder, of which goldens have no noise, normalises these features and so inherits their relative noise:
    1e-4 for RN50x64, a deep ResNet, and 1e-5 to 2e-5 for the other models.
    """
    deviation = golden.floor("clip_vis_dense", "scale_std")
    return golden.floor("clip_vis_dense", "max") / deviation if deviation else 0.0


@dataclass(frozen=True)
class Decoded:
    """Predictions of the transformer decoder.

    Attributes:
        predictions: from the initial queries and after every layer.
        ties: number of flipped pixels of each prediction.
    """

    predictions: list[Prediction]
    ties: list[int]


def decode(model: MaskClassifier, golden: Golden, record: Recorder, text_embeddings: TextEmbeddings) -> Decoded:
    """Return the predictions of a run, or those of a second decoding with resolved ties.

    Args:
        model: our model.
        golden: the case.
        record: of the run.
        text_embeddings: of the vocabulary.
    """
    predictions = layer_predictions(model, record, text_embeddings)
    if "aux_pred_logits" not in golden.arrays:  # needed to distinguish ties from errors
        return Decoded(predictions, [0] * len(predictions))
    goldens = [torch.from_numpy(logits) for logits in (*golden.arrays["aux_pred_logits"], golden.arrays["pred_logits"])]
    decoder = TiedDecoder(
        _decoder(model),
        pixels=record.pixels,
        sam_embedding=record.sam_embedding,
        text_embeddings=text_embeddings,
        goldens=goldens,
        tolerance=SUSPICIOUS * float(goldens[-1].std()),
        margin=mask_margin(record.predictions.final.masks),
    )
    ties = decoder.resolve_ties()
    if not any(ties):
        return Decoded(predictions, ties)
    del predictions, record.predictions  # frees the activations kept for gradients: memory suffices for one set only
    return Decoded(decoder.decode(), ties)


def layer_predictions(model: MaskClassifier, record: Recorder, text_embeddings: TextEmbeddings) -> list[Prediction]:
    """Return the predictions from the initial queries and after every layer of a recorded run.

    In eval mode the model predicts after the last layer only, and the others are decoded again.

    Args:
        model: our model.
        record: of the run.
        text_embeddings: of the vocabulary.
    """
    intermediate, final = record.predictions.intermediate, record.predictions.final
    if not intermediate:
        every = _decoder(model).predict_layers(record.pixels, record.sam_embedding, text_embeddings)
        intermediate = every.intermediate
    return [*intermediate, final]


def compare_predictions(compare: Comparer, golden: Golden, decoded: Decoded) -> Iterator[Row]:
    """Yield rows for the class logits and for the moments of the masks of every prediction.

    Args:
        compare: of the case.
        golden: the case.
        decoded: our predictions.
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
        # a golden of training has one noise floor for all predictions
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
    """Yield rows for mean and standard deviation of the mask logits of each query, and for the number of mask pixels.

    Args:
        compare: of the case.
        name: of the masks.
        masks: (B, Q, h, w) logits.
        golden: (B, Q, 3) mean, standard deviation, share of positive pixels.
        floor: noise floor.
    """
    flat = masks.flatten(2)
    deviation = flat.std(dim=-1, correction=0)
    margin = max(FLOORS * floor, mask_margin(masks))
    for part, values, expected in (("mean", flat.mean(dim=-1), golden[..., 0]), ("std", deviation, golden[..., 1])):
        yield compare.within(f"{name} ({part})", values, expected, margin)
    pixels = flat.shape[-1]
    moved = np.rint(np.abs((flat > 0).double().mean(dim=-1).numpy() - golden[..., 2].astype(np.float64)) * pixels)
    tied = (flat.abs() <= margin).sum(dim=-1).numpy()
    yield compare.equal(f"{name} (inside)", int(np.maximum(moved - tied, 0).sum()), int(np.minimum(moved, tied).sum()))


def mask_floor(golden: Golden) -> float:
    """Return the noise floor of the final masks."""
    return max(golden.floor("pred_masks", "max"), golden.floor("pred_masks_trace_max"))


def mask_margin(masks: Tensor) -> float:
    """Return the largest magnitude of a mask logit that is a tie."""
    return tolerance(masks.detach().numpy(), 0.0)


def _decoder(model: MaskClassifier) -> MultiScaleMaskedTransformerDecoder:
    return cast(MultiScaleMaskedTransformerDecoder, model.sem_seg_head.predictor)
