"""Comparison of goldens of training: predictions, matchings, losses and gradients of one step."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.types import MaskPredictions, Target
from frozenseg.structures.instances import Instances
from lab.parity.compare import DEVIATIONS, FLOORS, Array, Comparer, Row
from lab.parity.goldens import Golden
from lab.parity.inputs import check_crc, evaluate_recipe, stateless_rand
from lab.parity.matching import RecordingMatcher, compare_matchings, recorded
from lab.parity.predictions import compare_maps, compare_predictions, decode, mask_floor
from lab.parity.recorder import Recorder

NO_GRADIENT = -1.0  # recorded norm of parameters without gradient


class Training:
    """Comparison of one golden.

    Args:
        golden: the case.
        model: its model, filled.
    """

    def __init__(self, golden: Golden, model: MaskClassifier) -> None:
        self.golden, self.model = golden, model
        self.compare = Comparer(golden.name)
        self.with_gradients = "grad_l2" in golden.arrays
        self.batch = [_element(golden.name, metadata) for metadata in golden.metadata["images"]]

    def run(self) -> Iterator[Row]:
        """Yield a row for every stage, in the order of the computation; the gradients are removed afterwards."""
        golden, compare, model = self.golden, self.compare, self.model.train()
        with torch.set_grad_enabled(self.with_gradients):
            targets, record = self.predict()
            text_embeddings = model.text_embeddings()
            decoded = decode(model, golden, record, text_embeddings)
        yield from compare.kept(golden, "text_classifier", text_embeddings.embeddings)
        yield from compare_maps(compare, golden, record.stages())
        yield from compare_predictions(compare, golden, decoded)
        yield from compare_maps(compare, golden, {"pred_masks": decoded.predictions[-1].masks}, mask_floor(golden))
        predictions = MaskPredictions(decoded.predictions[-1], tuple(decoded.predictions[:-1]))
        seed = golden.metadata["rng"]["seed"]
        with recorded(model.criterion) as matcher, torch.no_grad():
            torch.manual_seed(seed)
            losses = model.criterion(predictions, targets)
        yield from self._losses("seeded", losses, matcher)
        with recorded(model.criterion) as matcher, torch.set_grad_enabled(self.with_gradients), stateless_rand(seed):
            losses = model.criterion(predictions, targets)
        yield from self._losses("stateless", losses, matcher)
        if self.with_gradients:
            sum(losses.values()).backward()
            yield from self._gradients()
            model.zero_grad(set_to_none=True)

    def predict(self) -> tuple[list[Target], Recorder]:
        """Run the model without its criterion; returns the targets and the recorded outputs."""
        criterion = self.model.criterion
        recording = _RecordTargets()
        self.model.criterion = recording  # type: ignore[assignment]  # replaced for this call
        try:
            with Recorder(self.model) as record:
                self.model(self.batch)
        finally:
            self.model.criterion = criterion
        return recording.targets, record

    def _losses(self, name: str, losses: Mapping[str, Tensor], matcher: RecordingMatcher) -> Iterator[Row]:
        """Compare the matchings and the unweighted losses."""
        expected, weights = self.golden.metadata["losses"][name], self.golden.metadata["weight_dict"]
        yield from compare_matchings(self.compare, f"matching {name}", self.golden.metadata["indices"][name], matcher)
        actual = torch.stack([losses[key].detach() / weights[key] for key in expected])
        floor = self.golden.floor(f"losses_{name}_max_abs")
        yield self.compare.close(f"losses {name}", actual, np.array(list(expected.values())), floor=floor)

    def _gradients(self) -> Iterator[Row]:
        """Compare the norm and the sum of every gradient, relative to the norm."""
        parameters = dict(self.model.named_parameters())
        names = self.golden.metadata["grad_names"]
        trained = {name for name, parameter in parameters.items() if parameter.requires_grad}
        yield self.compare.equal("trained parameters", len(trained.symmetric_difference(names)))
        gradients = [parameters[name].grad if name in parameters else None for name in names]
        norms = np.array([NO_GRADIENT if grad is None else float(grad.double().norm()) for grad in gradients])
        golden = self.golden.arrays["grad_l2"]
        floor = max(FLOORS * self.golden.floor("grad_l2_rel_max"), DEVIATIONS)
        size = np.maximum(np.abs(golden), np.finfo(np.float64).tiny)
        relative = np.abs(norms - golden) / size
        yield self._relative("gradient norms (relative)", relative, floor)
        sums = np.array([0.0 if grad is None else float(grad.double().sum()) for grad in gradients])
        sizes = np.array([parameters[name].numel() if name in parameters else 1 for name in names])
        difference = np.abs(sums - self.golden.arrays["grad_sum"]) / (size * np.sqrt(sizes))
        yield self._relative("gradient sums (relative)", difference, floor)

    def _relative(self, stage: str, difference: Array, tolerance: float) -> Row:
        largest = float(difference.max())
        return Row(self.golden.name, stage, largest, float(difference.mean()), tolerance, 0, largest <= tolerance)


class _RecordTargets(nn.Module):
    """Replacement of the criterion that records its targets."""

    def forward(self, predictions: MaskPredictions, targets: list[Target], masks_of_step: None) -> dict[str, Tensor]:
        del predictions, masks_of_step
        self.targets = targets
        return {}


def _element(case: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    image = evaluate_recipe(metadata["image"])
    check_crc(case, image, metadata["crc32"])
    size = (image.shape[-2], image.shape[-1])
    labels = evaluate_recipe(metadata["labels"])
    masks = evaluate_recipe(metadata["masks"]) if len(labels) else torch.zeros(0, *size, dtype=torch.bool)
    instances = Instances(size, gt_classes=labels, gt_masks=masks)
    return {"image": image, "height": size[0], "width": size[1], "instances": instances}
