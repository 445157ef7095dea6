"""Recording of goldens: the stages of a case computed by this model, written in the format of the reference's goldens.

Recorded goldens detect changes between versions, devices and precisions. Whether the model is right is shown by the
goldens of the reference.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from frozenseg.atomic import replacing
from frozenseg.export.int8_weights import quantize_trunks
from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.types import Prediction
from lab.parity.compare import Comparer, Row
from lab.parity.discrete import recorded_segments
from lab.parity.fill import checksum
from lab.parity.goldens import TRAINING, Array, Arrays, Golden, statistics
from lab.parity.inputs import stateless_rand
from lab.parity.matching import RecordingMatcher, recorded
from lab.parity.models import Models
from lab.parity.predictions import layer_predictions
from lab.parity.recorder import Recorder
from lab.parity.segmentation import MASK_STEP, Segmentation
from lab.parity.training import NO_GRADIENT, Training

KEPT = 2000  # elements of a traced map
DECIMALS = {"float32": 7, "float64": 10}
LOSS_SEED = 5
# not about the outputs of a run, or those of the reference's run only
INPUTS = ("image", "sam_out_vocab_logits")
NOT_OURS = ("noise_floor", "noise_floor_meaning", "peak_rss_gib", "forward_seconds_first_call")


class Setup(NamedTuple):
    """Way to run a model."""

    device: str = "cpu"
    dtype: torch.dtype = torch.float32  # of the frozen encoders, and of autocast
    compiled: bool = False
    int8: bool = False  # 8-bit weights of the frozen image trunks

    @contextlib.contextmanager
    def applied_to(self, model: MaskClassifier) -> Iterator[None]:
        """Run a block with a model on the device, in the precision, compiled."""
        model.to(self.device)
        if self.int8:
            quantize_trunks(model)
        model.set_frozen_precision(self.dtype)
        if self.compiled:
            model.backbone.compile()
            model.sem_seg_head.compile()
        lowered = self.dtype if self.dtype in (torch.bfloat16, torch.float16) else None
        with torch.autocast(torch.device(self.device).type, lowered, enabled=lowered is not None):
            yield


def record(golden: Golden, models: Models, setup: Setup = Setup()) -> Golden:  # noqa: B008 (immutable)
    """Run a case and return its stages as a golden.

    Args:
        golden: the case; of its arrays only the inputs are read.
        models: builds the model.
        setup: way to run it.
    """
    metadata = {key: value for key, value in golden.metadata.items() if key not in NOT_OURS}
    model = models.model_of(metadata)
    metadata |= {"tensors_filled": models.filled, "weight_checksum": checksum(model), "trace": {}}
    inputs = {name: values for name, values in golden.arrays.items() if name.startswith(INPUTS)}
    arrays: dict[str, Array] = dict(inputs)
    case = Golden(golden.name, metadata, Arrays(inputs))
    with setup.applied_to(model):
        if golden.kind == TRAINING or "labels" in metadata["images"][0]:
            _train(case, model, metadata, arrays)
        else:
            _segment(case, model, metadata, arrays)
    return Golden(golden.name, metadata, Arrays({key: _rounded(value) for key, value in arrays.items()}))


def errors_by_stage(golden: Golden, run: Golden) -> Iterator[Row]:
    """Yield the error of each stage of a run against a golden, without a verdict on its size.

    The tolerance is the standard deviation of the stage, so that a share of it is the relative error. Maps of segments
    are compared by their pixels, with all pixels as tolerance. Stages of another length, as the traces of goldens of
    another version, are left out, and so are instances, whose number may differ.
    """
    compare = Comparer(golden.name)
    for name, actual in run.arrays.items():
        expected = golden.arrays.get(name)
        left_out = name.startswith((*INPUTS, "inst_")) or name.endswith("/stats")
        if expected is None or left_out or expected.shape != actual.shape:
            continue
        if expected.dtype.kind == "f":
            yield compare.within(name, actual, expected, float(expected.std()))
        else:
            different = float((expected != actual).sum())
            yield Row(golden.name, f"{name} (pixels)", different, different / expected.size, float(expected.size))


@torch.no_grad()
def _segment(golden: Golden, model: MaskClassifier, metadata: dict[str, Any], arrays: dict[str, Array]) -> None:
    case = Segmentation(golden, model)
    with Recorder(model) as kept:
        outputs = model(case.batch, settings=case.settings)
    text_embeddings, final = model.text_embeddings(), kept.predictions.final
    for stage, values in kept.stages().items():
        _trace(stage, values, metadata, arrays)
    _predictions(layer_predictions(model, kept, text_embeddings), arrays)
    backbone = model.backbone
    clip_logits = class_logits(backbone.project(kept.clip.dense, final.masks), text_embeddings, backbone.logit_scale)
    arrays |= {"text_classifier": _array(text_embeddings.embeddings), "out_vocab_logits": _array(clip_logits)}
    arrays["pred_masks_q5"] = _array(final.masks[:, ::MASK_STEP])
    logits = model.ensemble(final, kept.clip, text_embeddings, case.settings)
    for index, output in enumerate(outputs):
        arrays[f"final_cls{index}"] = _array(logits.semantic[index])
        metadata["images"][index] = {**metadata["images"][index], **_outputs(index, output, arrays)}


def _outputs(index: int, output: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Any]:
    """Add the outputs of an image to the arrays; returns what the JSON says of them."""
    description: dict[str, Any] = {}
    if "sem_seg" in output:
        scores = output["sem_seg"]
        arrays[f"sem_seg{index}"] = _array(scores[:, ::2, ::2])
        arrays[f"sem_seg_mean{index}"] = scores.double().mean(dim=(1, 2)).cpu().numpy()
        counts = torch.bincount(scores.argmax(dim=0).flatten(), minlength=len(scores))
        description["sem_seg_argmax_hist"] = counts.tolist()
    if "panoptic_seg" in output:
        ids, segments = output["panoptic_seg"]
        arrays[f"panoptic{index}"] = ids.cpu().numpy().astype(np.uint16)
        description["segments_info"] = recorded_segments(segments)
    if "instances" in output:
        instances = output["instances"].to("cpu")
        arrays[f"inst_scores{index}"] = _array(instances.scores)
        arrays[f"inst_classes{index}"] = instances.pred_classes.numpy().astype(np.int16)
        arrays[f"inst_masks{index}"] = np.packbits(instances.pred_masks.numpy())
        description["inst_masks_shape"] = list(instances.pred_masks.shape)
    return description


def _train(golden: Golden, model: MaskClassifier, metadata: dict[str, Any], arrays: dict[str, Array]) -> None:
    training = Training(golden, model.train())
    targets, kept = training.predict()
    text_embeddings = model.text_embeddings()
    _predictions(layer_predictions(model, kept, text_embeddings), arrays)
    _trace("pred_masks", kept.predictions.final.masks, metadata, arrays)
    arrays["text_classifier"] = _array(text_embeddings.embeddings)
    metadata |= {"rng": {"seed": LOSS_SEED}, "losses": {}, "indices": {}, "weight_dict": {}}
    with recorded(model.criterion) as matcher:
        torch.manual_seed(LOSS_SEED)
        _losses("seeded", model.criterion(kept.predictions, targets), matcher, model, metadata)
    with recorded(model.criterion) as matcher, stateless_rand(LOSS_SEED):
        losses = model.criterion(kept.predictions, targets)
        _losses("stateless", losses, matcher, model, metadata)
    sum(losses.values()).backward()
    gradients = {key: value.grad for key, value in model.named_parameters() if value.requires_grad}
    metadata["grad_names"] = list(gradients)
    norms = [NO_GRADIENT if grad is None else float(grad.double().norm()) for grad in gradients.values()]
    sums = [0.0 if grad is None else float(grad.double().sum()) for grad in gradients.values()]
    arrays["grad_l2"], arrays["grad_sum"] = np.array(norms), np.array(sums)
    model.zero_grad(set_to_none=True)


def _losses(
    kind: str, losses: dict[str, Tensor], matcher: RecordingMatcher, model: MaskClassifier, metadata: dict[str, Any]
) -> None:
    weights = {key: model.criterion.weights["_".join(key.split("_")[:2])] for key in losses}
    metadata["weight_dict"] = weights
    metadata["losses"][kind] = {key: float(loss.detach()) / weights[key] for key, loss in losses.items()}
    metadata["indices"][kind] = [
        [[match.queries.tolist(), match.targets.tolist()] for match in matches] for matches in matcher.matches
    ]


def _predictions(predictions: Sequence[Prediction], arrays: dict[str, Array]) -> None:
    moments = []
    for prediction in predictions:
        flat = prediction.masks.detach().float().flatten(2)  # (B, Q, pixels)
        parts = (flat.mean(dim=-1), flat.std(dim=-1, correction=0), (flat > 0).float().mean(dim=-1))
        moments.append(_array(torch.stack(parts, dim=-1)))
    arrays["pred_logits"] = _array(predictions[-1].logits)
    arrays["aux_pred_logits"] = _array(torch.stack([prediction.logits for prediction in predictions[:-1]]))
    arrays["pred_masks_moments"], arrays["aux_pred_masks_moments"] = moments[-1], np.stack(moments[:-1])


def _trace(stage: str, values: Tensor, metadata: dict[str, Any], arrays: dict[str, Array]) -> None:
    whole = _array(values)
    kept, step = thinned(whole, KEPT)
    metadata["trace"][stage] = {"shape": list(values.shape), "stride": step}
    arrays |= {f"trace/{stage}": kept, f"trace/{stage}/stats": statistics(whole)}


def _array(values: Tensor) -> Array:
    return values.detach().float().cpu().numpy()


def _rounded(values: Array) -> Array:
    decimals = DECIMALS.get(str(values.dtype))
    return values if decimals is None else values.round(decimals)


def thinned(values: Array, limit: int) -> tuple[Array, int]:
    """Return every k-th element of the flattened array and k, the smallest odd step that keeps about ``limit``."""
    flat = values.reshape(-1)
    step = max(1, -(-flat.size // limit))
    step += 1 - step % 2
    return flat[::step], step


def write_golden(path: Path, golden: Golden) -> None:
    """Write a golden; each of its two files is complete or absent.

    Args:
        path: of the JSON file; the NPZ file has the same name.
        golden: the case.
    """
    with replacing(path.with_suffix(".npz")) as arrays:
        np.savez_compressed(arrays, **dict[str, Any](golden.arrays))
    with replacing(path) as metadata:
        metadata.write_text(json.dumps(golden.metadata, indent=1) + "\n", encoding="utf-8")
