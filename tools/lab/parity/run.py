"""Runs goldens of every kind."""

from collections.abc import Callable, Iterator

import torch

from frozenseg.modeling.meta_arch.base import MaskClassifier
from lab.parity.compare import Comparer, Row
from lab.parity.components import decoders, encoders, layers, outputs
from lab.parity.components.part import Part
from lab.parity.fill import checksum
from lab.parity.goldens import COMPONENTS, TRAINING, Golden
from lab.parity.models import Models
from lab.parity.segmentation import Segmentation
from lab.parity.training import Training

PARTS: dict[str, Callable[[Part], Iterator[Row]]] = {
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
ORIENTATION = "variant_"  # arrays that no release computes
WEIGHTS_AGREE = 1e-9  # relative difference of the sums of all weights


def run_golden(golden: Golden, models: Models) -> Iterator[Row]:
    """Yield a row for every stage of a case, in the order of the computation.

    Args:
        golden: the case.
        models: keeps the model of the case before, where this one has the same.
    """
    if golden.kind == COMPONENTS:
        yield from _components(golden)
        return
    model = models.model_of(golden.about)
    yield from _weights(golden, model, models.filled)
    yield from _words(golden, model)
    yield from (Training if golden.kind == TRAINING else Segmentation)(golden, model).run()
    for name in golden.arrays.unread():
        if not name.startswith(ORIENTATION):
            yield Comparer(golden.name).equal(f"{name} (nothing to compare with)", 1)


def _weights(golden: Golden, model: MaskClassifier, filled: int) -> Iterator[Row]:
    """Yield rows for the number of tensors, which are the reference's by name, and for all their values."""
    compare = Comparer(golden.name)
    if "tensors_filled" in golden.about:
        yield compare.equal("weights (tensors)", abs(filled - golden.about["tensors_filled"]))
    if "weight_checksum" not in golden.about:
        return
    wanted, own = golden.about["weight_checksum"], checksum(model)
    relative = max(abs(own[name] - wanted[name]) / abs(wanted[name]) for name in wanted)
    yield Row(golden.name, "weights (sums, relative)", relative, relative, WEIGHTS_AGREE, 0, relative <= WEIGHTS_AGREE)


def _words(golden: Golden, model: MaskClassifier) -> Iterator[Row]:
    """Yield rows for how many names each test class has, and which classes training has shown."""
    own = {
        "num_templates": [len(synonyms) for synonyms in model.vocabulary.classes],
        "category_overlapping_mask": [int(flag) for flag in model.seen],
    }
    for name, values in own.items():
        if name in golden.about:
            differences = sum(a != b for a, b in zip(values, golden.about[name], strict=True))
            yield Comparer(golden.name).equal(name, differences)


@torch.no_grad()
def _components(golden: Golden) -> Iterator[Row]:
    """Yield rows for every part, and one that fails for each output that nothing was compared with."""
    for name in golden.about["components"]:
        part = Part(golden, name)
        if name in PARTS:
            yield from PARTS[name](part)
        for output in part.left():
            yield part.compare.equal(f"{name}/{output} (nothing to compare with)", 1)
