"""Recorder of the tensors between the components of a model."""

from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.types import ClipFeatures, MaskPredictions, PixelFeatures


class Recorder:
    """Context manager that records the outputs of a model's components in its last run.

    Args:
        model: FrozenSeg or FC-CLIP.

    Attributes:
        stem: (B, c, H/4, W/4) first feature map of CLIP ((B, c, H/2, W/2) of a ResNet).
        clip: feature maps of CLIP.
        sam_embedding: SAM embedding; None without SAM.
        pixels: output of the pixel decoder.
        predictions: output of the transformer decoder.
    """

    def __init__(self, model: MaskClassifier) -> None:
        self.model = model
        self.stem: Tensor
        self.clip: ClipFeatures
        self.sam_embedding: Tensor | None = None
        self.pixels: PixelFeatures
        self.predictions: MaskPredictions
        self._hooks: list[RemovableHandle] = []

    def __enter__(self) -> "Recorder":
        """Start recording."""
        head = self.model.sem_seg_head
        components = {
            "stem": _stem(self.model),
            "clip": self.model.backbone,
            "sam_embedding": getattr(self.model, "sam", None),
            "pixels": head.pixel_decoder,
            "predictions": head.predictor,
        }
        self._hooks = [self._record(name, module) for name, module in components.items() if module is not None]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop recording."""
        for hook in self._hooks:
            hook.remove()

    def stages(self) -> dict[str, Tensor]:
        """Return the feature maps before the transformer decoder by golden name, in the order of the computation."""
        maps = {"clip/stem": self.stem}
        maps |= {f"clip/{name}": self.clip._asdict()[name] for name in ("res2", "res3", "res4", "res5")}
        maps["clip/clip_vis_dense"] = self.clip.dense
        if self.sam_embedding is not None:
            maps |= {"sam/embedding": self.sam_embedding}
        if self.pixels.sam_map is not None:
            maps |= {"pixel/sam_out": self.pixels.sam_map}
        maps["pixel/mask_features"] = self.pixels.mask_features
        return maps | {f"pixel/multi_scale{level}": scale for level, scale in enumerate(self.pixels.scales)}

    def _record(self, name: str, module: nn.Module) -> RemovableHandle:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            del module, inputs
            setattr(self, name, output)

        return module.register_forward_hook(hook)


def _stem(model: MaskClassifier) -> nn.Module:
    visual = model.backbone.clip_model.visual
    return (
        visual.trunk.stem if hasattr(visual, "trunk") else visual.act3
    )  # after the last convolution of a ResNet's stem
