"""Comparison of one golden of any kind."""

from collections.abc import Callable, Iterator

import torch

from frozenseg.modeling.meta_arch.base import MaskClassifier
from lab.parity.compare import Comparer, Row
from lab.parity.components import decoders, encoders, layers, outputs
from lab.parity.components.component import Component
from lab.parity.fill import checksum
from lab.parity.goldens import COMPONENTS, TRAINING, Golden
from lab.parity.models import Models
from lab.parity.segmentation import Segmentation
from lab.parity.training import Training

COMPONENT_CHECKS: dict[str, Callable[[Component], Iterator[Row]]] = {
    "sine_pos": layers.sine_pos,
    "msdeformattn": layers.msdeformattn,
    "pixel_decoder": layers.pixel_decoder,
    "mask_pooling": layers.pooling,
    "classification_logits": layers.classification_logits,
    "feature_injector": decoders.feature_injector,
    "prediction_heads": decoders.prediction_heads,
    "transformer_decoder": decoders.transformer_decoder,
    "text_classifier": encoders.text_classifier,
    "inference": outputs.inference,
    "criterion": outputs.criterion,
    "sam_prompt": encoders.sam_prompt,
    "resnet_mask_attnpool": encoders.resnet_mask_attnpool,
    "resnet_features": encoders.resnet_features,
}
VARIANT = "variant_"  # prefix of arrays that no released model computes
WEIGHT_TOLERANCE = 1e-9  # relative difference of the sums of all weights


def run_golden(golden: Golden, models: Models) -> Iterator[Row]:
    """Yield a row for every stage of a case, in the order of the computation.

    Args:
        golden: the case.
        models: builds the model, or reuses that of the previous case.
    """
    if golden.kind == COMPONENTS:
        yield from _components(golden)
        return
    model = models.model_of(golden.metadata)
    yield from _weights(golden, model, models.filled)
    yield from _vocabulary(golden, model)
    yield from (Training if golden.kind == TRAINING else Segmentation)(golden, model).run()
    for name in golden.arrays.unused():
        if not name.startswith(VARIANT):
            yield Comparer(golden.name).equal(f"{name} (not compared)", 1)


def _weights(golden: Golden, model: MaskClassifier, filled: int) -> Iterator[Row]:
    """Yield rows for the number of tensors and for the sums of their values."""
    compare = Comparer(golden.name)
    if "tensors_filled" in golden.metadata:
        yield compare.equal("weights (tensors)", abs(filled - golden.metadata["tensors_filled"]))
    if "weight_checksum" not in golden.metadata:
        return
    expected, actual = golden.metadata["weight_checksum"], checksum(model)
    relative = max(abs(actual[name] - expected[name]) / abs(expected[name]) for name in expected)
    yield Row(
        golden.name, "weights (sums, relative)", relative, relative, WEIGHT_TOLERANCE, 0, relative <= WEIGHT_TOLERANCE
    )


def _vocabulary(golden: Golden, model: MaskClassifier) -> Iterator[Row]:
    """Yield rows for the number of names of each class, and for the seen classes."""
    actual = {
        "num_templates": [len(synonyms) for synonyms in model.vocabulary.classes],
        "category_overlapping_mask": [int(flag) for flag in model.seen],
    }
    for name, values in actual.items():
        if name in golden.metadata:
            differences = sum(a != b for a, b in zip(values, golden.metadata[name], strict=True))
            yield Comparer(golden.name).equal(name, differences)


@torch.no_grad()
def _components(golden: Golden) -> Iterator[Row]:
    """Yield rows for every component, and a failing one for each output that was not compared."""
    for name in golden.metadata["components"]:
        component = Component(golden, name)
        if name in COMPONENT_CHECKS:
            yield from COMPONENT_CHECKS[name](component)
        for output in component.not_compared():
            yield component.compare.equal(f"{name}/{output} (not compared)", 1)
