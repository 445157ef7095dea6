"""What flows between the boxes of a model while it runs."""

from types import TracebackType
from typing import Any

from torch import Tensor, nn

from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.types import ClipFeatures, MaskPredictions, PixelFeatures


class Recorder:
    """Keeps what the boxes of a model gave, of its last run inside the ``with``.

    Args:
        model: FrozenSeg or FC-CLIP.

    Attributes:
        stem: (B, c, H/4, W/4) CLIP's first map ((B, c, H/2, W/2) of a ResNet).
        clip: CLIP's maps.
        sam_embedding: SAM's embedding; None without SAM.
        pixels: the pixel decoder's output.
        predictions: the transformer decoder's.
    """

    def __init__(self, model: MaskClassifier) -> None:
        self.model = model
        self.stem: Tensor
        self.clip: ClipFeatures
        self.sam_embedding: Tensor | None = None
        self.pixels: PixelFeatures
        self.predictions: MaskPredictions
        self._hooks: list[Any] = []

    def __enter__(self) -> "Recorder":
        """Begin to record."""
        head = self.model.sem_seg_head
        boxes = {
            "stem": _stem(self.model),
            "clip": self.model.backbone,
            "sam_embedding": getattr(self.model, "sam", None),
            "pixels": head.pixel_decoder,
            "predictions": head.predictor,
        }
        self._hooks = [self._keep(name, box) for name, box in boxes.items() if box is not None]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop recording."""
        for hook in self._hooks:
            hook.remove()

    def stages(self) -> dict[str, Tensor]:
        """Return the maps before the transformer decoder by the goldens' names, in the order of the computation."""
        maps = {"clip/stem": self.stem}
        maps |= {f"clip/{name}": self.clip._asdict()[name] for name in ("res2", "res3", "res4", "res5")}
        maps["clip/clip_vis_dense"] = self.clip.dense
        if self.sam_embedding is not None:
            maps |= {"sam/embedding": self.sam_embedding}
        if self.pixels.sam_map is not None:
            maps |= {"pixel/sam_out": self.pixels.sam_map}
        maps["pixel/mask_features"] = self.pixels.mask_features
        return maps | {f"pixel/multi_scale{level}": scale for level, scale in enumerate(self.pixels.scales)}

    def _keep(self, name: str, box: nn.Module) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            del module, inputs
            setattr(self, name, output)

        return box.register_forward_hook(hook)


def _stem(model: MaskClassifier) -> nn.Module:
    visual = model.backbone.clip_model.visual
    return visual.trunk.stem if hasattr(visual, "trunk") else visual.act3  # the last of a ResNet's three convolutions
