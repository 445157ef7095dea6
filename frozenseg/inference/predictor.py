"""Pictures and words in, masks out: the model without data sets, configs to write, or training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from frozenseg.modeling.load_weights import load_checkpoint
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.structures.instances import Instances
from frozenseg.visualization.segmentation import draw_instances, draw_panoptic, draw_semantic
from frozenseg.vocabulary import Vocabulary

logger = get_logger(__name__)
Picture = str | Path | Image.Image | np.ndarray
KINDS = ("panoptic", "instance", "semantic")
OUTPUT_SWITCHES = {  # a result has all three; views of several sizes have no masks
    "MODEL.MASK_FORMER.TEST.SEMANTIC_ON": True,
    "MODEL.MASK_FORMER.TEST.INSTANCE_ON": True,
    "MODEL.MASK_FORMER.TEST.PANOPTIC_ON": True,
    "MODEL.MASK_FORMER.TEST.RECALL_ON": False,
    "TEST.AUG.ENABLED": False,
}


@dataclass(frozen=True)
class Result:
    """What a model saw in one picture.

    Attributes:
        image: the picture, RGB.
        vocabulary: what it was asked for.
        panoptic: (H, W) int32 map of segment ids, 0 where nothing is, and ``{"id", "isthing", "category_id"}`` of each.
        instances: ``pred_masks`` (n, H, W) bool, ``pred_boxes`` (n, 4), ``scores`` (n,), ``pred_classes`` (n,) int64.
        semantic: (H, W) int64, the class of every pixel.
    """

    image: Image.Image
    vocabulary: Vocabulary
    panoptic: tuple[Tensor, list[dict[str, Any]]]
    instances: Instances
    semantic: Tensor

    def draw(self, kind: str = "panoptic") -> Image.Image:
        """Return the picture under its masks, with a legend.

        Args:
            kind: ``panoptic``, ``instance`` or ``semantic``.
        """
        if kind == "panoptic":
            return draw_panoptic(self.image, self.panoptic, self.vocabulary)
        if kind == "instance":
            return draw_instances(self.image, self.instances, self.vocabulary)
        if kind == "semantic":
            return draw_semantic(self.image, self.semantic, self.vocabulary)
        raise ConfigError(f"Cannot draw {kind!r}.{did_you_mean(kind, KINDS)} Kinds: {', '.join(KINDS)}.")

    def save(self, folder: str | Path, name: str = "picture") -> list[Path]:
        """Write ``NAME_panoptic.png``, ``NAME_instance.png`` and ``NAME_semantic.png``; returns the files."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}_{kind}.png" for kind in KINDS]
        for path, kind in zip(paths, KINDS, strict=True):
            self.draw(kind).save(path)
        return paths


class Segmenter:
    """A model ready for pictures and words.

    Example::

        segmenter = Segmenter.from_config("configs/frozenseg/convnext_large.yaml", weights="frozenseg.pth")
        segmenter("picture.jpg", "cat,kitten; dog").draw("panoptic").save("masks.png")

    Args:
        model: a trained model.
        resize: how pictures are brought to the model's test size.
    """

    def __init__(self, model: MaskClassifier, resize: ShortestEdge) -> None:
        self.model = model.eval()
        self.model.return_labels()
        self.resize = resize

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
            config: YAML file of the model; None for the one that the weights hold, where they are our own.
            weights: file of weights, ours or released; ``toyworld`` for those that come with the package; None for the
                config's ``MODEL.WEIGHTS``.
            device: ``cpu``, ``cuda``, or ``auto``: cuda where there is one; None for the config's ``MODEL.DEVICE``.
            options: ``KEY VALUE`` pairs on top of the config.

        Raises:
            ConfigError: something is wrong with the config, or there is no such device here.
            CheckpointError: the weights are missing, damaged or of another model.
        """
        checkpoint = read_checkpoint(weights) if weights else {}
        cfg = (_config_of(checkpoint, weights, options) if config is None else load_config(config, options)).clone()
        cfg.defrost()
        if set_in_vain := [key for key in options[::2] if key in OUTPUT_SWITCHES]:
            logger.warning("%s: set by the segmenter itself, which gives all outputs.", ", ".join(set_in_vain))
        cfg.merge_from_list([item for pair in OUTPUT_SWITCHES.items() for item in pair])
        place = pick_device(device or cfg.MODEL.DEVICE)
        if not weights and cfg.MODEL.WEIGHTS:
            weights = cfg.MODEL.WEIGHTS
            checkpoint = read_checkpoint(weights)
        model = build_model(cfg, trained_vocabulary(checkpoint) or _training_words(cfg))
        if weights:
            load_checkpoint(model, checkpoint, weights, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS)
        else:
            logger.warning("No weights are given: the model is untrained and its masks mean nothing.")
        return cls(model.to(place), ShortestEdge(cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST))

    def __call__(
        self, image: Picture, vocabulary: str | Vocabulary, stuff: Sequence[str] = (), sam_masks: bool = True
    ) -> Result:
        """Segment one picture.

        Args:
            image: file, PIL image, or (H, W, 3) uint8 RGB array.
            vocabulary: ``"cat,kitten; dog"``: classes separated by ``;``, synonyms by ``,``.
            stuff: first names of the classes that are not countable; read only with a vocabulary in text.
            sam_masks: False leaves SAM's own masks out, where the config's TEST.USE_SAM_MASKS lets them vote.

        Raises:
            DataError: the picture cannot be read, or a class has no name.
        """
        words = Vocabulary.parse(vocabulary, stuff) if isinstance(vocabulary, str) else vocabulary
        picture = read_picture(image)
        element: dict[str, Any] = {"height": picture.height, "width": picture.width}
        element |= {"image": tvf.pil_to_tensor(self.resize.transform_image(picture))}  # (3, h, w) uint8
        ensemble = self.model.ensemble_settings
        if sam_masks and ensemble.proposals is not None:
            element["original_image"] = tvf.pil_to_tensor(picture)
        self.model.set_vocabulary(words)
        try:
            self.model.ensemble_settings = ensemble if sam_masks else ensemble._replace(proposals=None)
            with torch.no_grad():
                [output] = self.model([element])
        finally:
            self.model.ensemble_settings = ensemble
        ids, segments = output["panoptic_seg"]
        return Result(
            image=picture,
            vocabulary=words,
            panoptic=(ids.cpu(), segments),
            instances=output["instances"].to("cpu"),
            semantic=output["sem_seg"].cpu(),
        )


def _config_of(checkpoint: Mapping[str, Any], weights: str | Path | None, options: Sequence[Any]) -> CfgNode:
    """Return the config that a checkpoint of ours was trained by."""
    if not weights:
        raise ConfigError("There is neither a config nor weights: give the model's config file, or weights of our own.")
    if "config" not in checkpoint:
        raise ConfigError(f"{weights} do not say by which config they were trained: give the model's config file.")
    return config_from_text(checkpoint["config"], f"the config in {weights}", options)


def _training_words(cfg: CfgNode) -> Vocabulary:
    """Return the words of the config's training set; they decide which of the asked ones count as seen."""
    return build_vocabulary(cfg, cfg.DATASETS.TRAIN[0]) if cfg.DATASETS.TRAIN else Vocabulary.parse("object")


def read_picture(image: Picture) -> Image.Image:
    """Return a picture as an RGB image, upright.

    Raises:
        DataError: it cannot be decoded, or the array is no picture.
    """
    if isinstance(image, (str, Path)):
        return read_image(str(image))
    if isinstance(image, Image.Image):
        try:
            return as_rgb(image)
        except (OSError, SyntaxError, ValueError) as error:  # Pillow decodes when the pixels are first needed
            name = getattr(image, "filename", "") or "that was given"
            raise DataError(f"The image {name} cannot be decoded ({error}): replace it.") from error
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise DataError(f"An image array must be (H, W, 3) uint8 RGB; received {image.shape} {image.dtype}.")
    return Image.fromarray(image)
