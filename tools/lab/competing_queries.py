"""Outputs in which few queries compete, as with a trained model: to time models with random weights.

Letters: Q queries, C classes.
"""

from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.structures.output_kinds import ModelOutput

MORE = 100.0  # logit by which void is above all classes


@dataclass(frozen=True)
class FewCompeting(Postprocessor):
    """Postprocessor for which all queries but those with the highest class scores are void.

    Attributes:
        competing: number of queries that keep their class.
    """

    competing: int = 20

    def __call__(
        self, logits: Tensor, *arguments: Any, object_logits: Tensor | None = None, **named: Any
    ) -> ModelOutput:
        """Compute the requested outputs; the arguments and the result are those of :class:`Postprocessor`."""
        objects = (logits if object_logits is None else object_logits).clone()  # (Q, C + 1)
        of_classes = objects[:, :-1].amax(dim=-1)  # (Q,)
        others = of_classes.argsort(descending=True, stable=True)[self.competing :]
        objects[others, -1] = of_classes[others] + MORE
        return super().__call__(logits, *arguments, object_logits=objects, **named)


def let_compete(model: SegmentationModel, queries: int) -> None:
    """Let only some queries of a model compete in the panoptic and the instance output.

    Args:
        model: with any weights.
        queries: their number.
    """
    settings = model.inference_settings.postprocessor
    values = {field.name: getattr(settings, field.name) for field in fields(Postprocessor)}
    model.set_inference_settings(FewCompeting(**values, competing=queries), model.ensemble_settings)
