"""Segmenter: open-vocabulary prediction on single images, without data sets or training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as tvf

from frozenseg.config import CfgNode, config_from_text, load_config
from frozenseg.data.images import as_rgb, read_image
from frozenseg.data.run_vocabulary import build_vocabulary
from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.device import pick_device
from frozenseg.errors import ConfigError, DataError, did_you_mean
from frozenseg.log import get_logger
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import read_checkpoint, trained_vocabulary
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.load_weights import load_checkpoint
from frozenseg.modeling.pretrained import pretrained_model
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.structures.instances import Instances
from frozenseg.structures.output_kinds import OUTPUT_KINDS, OutputKind, switch_of
from frozenseg.visualization.segmentation import draw_instances, draw_panoptic, draw_semantic
from frozenseg.vocabulary import Vocabulary

logger = get_logger(__name__)
ImageLike = str | Path | Image.Image | np.ndarray
KINDS: tuple[OutputKind, ...] = ("panoptic", "instance", "semantic")
OUTPUT_SWITCHES = {  # a result has all three outputs; test-time augmentation has no masks
    **{switch_of(kind): kind in KINDS for kind in OUTPUT_KINDS},
    "TEST.AUG.ENABLED": False,
}


@dataclass(frozen=True)
class Result:
    """Prediction for one image.

    Attributes:
        image: the input, RGB.
        vocabulary: the C classes of the call.
        panoptic: (H, W) int32 map of segment ids, 0 for no segment, and ``{"id", "isthing", "category_id"}`` of each
            segment.
        instances: ``pred_masks`` (n, H, W) bool, ``pred_boxes`` (n, 4), ``scores`` (n,), ``pred_classes`` (n,) int64.
        semantic: (H, W) int64, the class of every pixel.
    """

    image: Image.Image
    vocabulary: Vocabulary
    panoptic: tuple[Tensor, list[dict[str, Any]]]
    instances: Instances
    semantic: Tensor

    def draw(self, kind: str = "panoptic") -> Image.Image:
        """Return the image with its masks drawn over it, and a legend.

        Args:
            kind: ``panoptic``, ``instance`` or ``semantic``.

        Raises:
            ConfigError: unknown kind.
        """
        if kind == "panoptic":
            return draw_panoptic(self.image, self.panoptic, self.vocabulary)
        if kind == "instance":
            return draw_instances(self.image, self.instances, self.vocabulary)
        if kind == "semantic":
            return draw_semantic(self.image, self.semantic, self.vocabulary)
        raise ConfigError(f"Cannot draw {kind!r}.{did_you_mean(kind, KINDS)} Available: {', '.join(KINDS)}.")

    def save(self, folder: str | Path, name: str = "picture") -> list[Path]:
        """Write ``NAME_panoptic.png``, ``NAME_instance.png`` and ``NAME_semantic.png``; returns their paths."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}_{kind}.png" for kind in KINDS]
        for path, kind in zip(paths, KINDS, strict=True):
            self.draw(kind).save(path)
        return paths


class Segmenter:
    """A trained model that segments images by class names.

    Calls do not change the model, so that several threads can share a segmenter, each with its own vocabulary.

    Example::

        segmenter = Segmenter.from_pretrained("toyworld")
        segmenter("image.jpg", "red circle; blue square; grass").draw("panoptic").save("masks.png")

    Args:
        model: a trained model; it is switched to eval mode, and to labels instead of scores as semantic output.
        resize: brings images to the model's test size.
    """

    def __init__(self, model: SegmentationModel, resize: ShortestEdge) -> None:
        self.model = model.eval()
        self.model.return_labels()
        self.resize = resize

    @classmethod
    def from_pretrained(cls, name: str, device: str | None = None, options: Sequence[Any] = ()) -> "Segmenter":
        """Build a pretrained model by its name.

        Args:
            name: ``toyworld``, the FrozenSeg-tiny that comes with the package.
            device: as for :meth:`from_config`.
            options: as for :meth:`from_config`.

        Raises:
            ConfigError: unknown name, or as for :meth:`from_config`.
        """
        return cls.from_config(weights=pretrained_model(name), device=device, options=options)

    @classmethod
    def from_config(
        cls,
        config: str | Path | None = None,
        weights: str | Path | None = None,
        device: str | None = None,
        options: Sequence[Any] = (),
    ) -> "Segmenter":
        """Build a model and load its weights.

        Args:
            config: YAML file of the model, or the name of a shipped config; None for the config in the weights, if they
                are a checkpoint of this library.
            weights: checkpoint of this library or released file; ``toyworld`` for the weights that come with the
                package; None for the config's ``MODEL.WEIGHTS``.
            device: ``cpu``, ``cuda``, or ``auto`` for CUDA if available; None for the config's ``MODEL.DEVICE``.
            options: ``KEY VALUE`` pairs that override the config.

        Raises:
            ConfigError: a key or value is wrong, or the device is not available.
            CheckpointError: the weights are missing, damaged or of another model.
        """
        checkpoint = read_checkpoint(weights) if weights else {}
        cfg = (_config_of(checkpoint, weights, options) if config is None else load_config(config, options)).clone()
        cfg.defrost()
        if overridden := [key for key in options[::2] if key in OUTPUT_SWITCHES]:
            logger.warning("%s: without effect, as the segmenter returns all outputs.", ", ".join(overridden))
        cfg.merge_from_list([item for pair in OUTPUT_SWITCHES.items() for item in pair])
        target = pick_device(device or cfg.MODEL.DEVICE)
        if not weights and cfg.MODEL.WEIGHTS:
            weights = cfg.MODEL.WEIGHTS
            checkpoint = read_checkpoint(cfg.MODEL.WEIGHTS)
        model = build_model(cfg, trained_vocabulary(checkpoint) or _training_vocabulary(cfg))
        if weights:
            load_checkpoint(model, checkpoint, weights, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS)
        else:
            logger.warning("No weights: the model is untrained and its masks are meaningless.")
        return cls(model.to(target), ShortestEdge(cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST))

    def __call__(
        self, image: ImageLike, vocabulary: str | Vocabulary, stuff: Sequence[str] = (), sam_masks: bool = True
    ) -> Result:
        """Segment one image. The model is not changed.

        Args:
            image: file, PIL image, or (H, W, 3) uint8 RGB array.
            vocabulary: ``"cat,kitten; dog"``: classes separated by ``;``, synonyms by ``,``.
            stuff: first names of the classes that are not countable; only for a vocabulary in text.
            sam_masks: False switches the SAM proposals off if the config's TEST.USE_SAM_MASKS has switched them on.

        Raises:
            DataError: the image cannot be read, or a class has no name.
        """
        if isinstance(vocabulary, str):
            vocabulary = Vocabulary.parse(vocabulary, stuff)
        settings = self.settings(vocabulary, sam_masks)
        rgb = load_image(image)
        element: dict[str, Any] = {"height": rgb.height, "width": rgb.width}
        element |= {"image": tvf.pil_to_tensor(self.resize.transform_image(rgb))}  # (3, h, w) uint8
        if settings.ensemble.proposals is not None:
            element["original_image"] = tvf.pil_to_tensor(rgb)
        with torch.no_grad():
            [output] = self.model([element], settings=settings)
        ids, segments = output["panoptic_seg"]
        return Result(
            image=rgb,
            vocabulary=vocabulary,
            panoptic=(ids.cpu(), segments),
            instances=output["instances"].to("cpu"),
            semantic=output["sem_seg"].cpu(),
        )

    def settings(self, vocabulary: Vocabulary, sam_masks: bool = True) -> InferenceSettings:
        """Return the inference settings of a call; see :meth:`__call__`."""
        settings = self.model.settings_for(vocabulary)
        if sam_masks:
            return settings
        return replace(settings, ensemble=settings.ensemble._replace(proposals=None))


def load_image(image: ImageLike) -> Image.Image:
    """Return an upright RGB image.

    Raises:
        DataError: the image cannot be decoded, or the array is no image.
    """
    if isinstance(image, (str, Path)):
        return read_image(str(image))
    if isinstance(image, Image.Image):
        try:
            return as_rgb(image)
        except (OSError, SyntaxError, ValueError) as error:  # Pillow decodes at the first access to the pixels
            name = getattr(image, "filename", "") or "without a file name"
            raise DataError(f"The image {name} cannot be decoded ({error}): replace it.") from error
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise DataError(f"An image array must be (H, W, 3) uint8 RGB; received {image.shape} {image.dtype}.")
    return Image.fromarray(image)


def _config_of(checkpoint: Mapping[str, Any], weights: str | Path | None, options: Sequence[Any]) -> CfgNode:
    """Return the config in a checkpoint of this library."""
    if not weights:
        raise ConfigError("Neither a config nor weights: pass the model's config file, or a checkpoint with a config.")
    if "config" not in checkpoint:
        raise ConfigError(f"{weights} holds no config: pass the config file that the weights were trained with.")
    return config_from_text(checkpoint["config"], f"the config in {weights}", options)


def _training_vocabulary(cfg: CfgNode) -> Vocabulary:
    """Return the vocabulary of the config's training set, which decides the classes that count as seen."""
    return build_vocabulary(cfg, cfg.DATASETS.TRAIN[0]) if cfg.DATASETS.TRAIN else Vocabulary.parse("object")
