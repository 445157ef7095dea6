"""Model of the verbs that segment images: chosen by the command line, built at the first image."""

import argparse
import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from PIL import Image

from frozenseg.config import OPTIONS, load_config
from frozenseg.device import pick_device
from frozenseg.errors import ConfigError
from frozenseg.file_hash import sha256_of
from frozenseg.inference.class_rules import ClassRules
from frozenseg.inference.formats.output_format import OutputClasses
from frozenseg.inference.model_source import config_of_weights
from frozenseg.inference.predictor import Segmenter
from frozenseg.inference.requested_outputs import check_memory
from frozenseg.inference.result import Result
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.modeling.pretrained import TOYWORLD, TOYWORLD_CONFIG, trained_model, weights_file
from frozenseg.structures.output_kinds import OutputKind


@dataclass(frozen=True)
class ModelChoice:
    """Model of a command line.

    Attributes:
        config: name or file; None for the config that belongs to the weights.
        weights: name or file; None for those of the config.
        device: see :func:`frozenseg.device.pick_device`.
        options: ``[KEY, VALUE, …]`` that override the config.
    """

    config: str | None
    weights: str | None
    device: str
    options: tuple[str, ...]

    @classmethod
    def of_arguments(cls, arguments: argparse.Namespace) -> "ModelChoice":
        """Return the model of a command line; ToyWorld's without weights and config.

        Raises:
            ConfigError: the device is unknown or not available.
        """
        pick_device(arguments.device, "--device")
        options = [item for pair in arguments.set for item in pair]
        options += ["TEST.USE_SAM_MASKS", "True"] if arguments.sam_masks else []
        options += ["MODEL.PRECISION", arguments.precision] if arguments.precision != "full" else []
        weights = TOYWORLD if arguments.weights is None and arguments.config is None else arguments.weights
        config = TOYWORLD_CONFIG if weights == TOYWORLD and arguments.config is None else arguments.config
        return cls(config, weights, arguments.device, tuple(options))

    @property
    def usual_classes(self) -> str:
        """Named vocabulary of a model that knows a small world only, such as ``toyworld``; empty for all others."""
        entry = trained_model(self.weights or "")
        return "" if entry is None else entry.usual_classes

    def auto_names(self) -> tuple[str, ...]:
        """Return the named vocabularies of which ``auto`` is the union for this model.

        Raises:
            ConfigError: the model has no config, or a key or value is wrong.
            CheckpointError: the weights are missing or damaged.
        """
        if self.config:
            return ClassRules.from_config(load_config(self.config, self.options, OPTIONS)).auto_names
        checkpoint = read_checkpoint(self.weights or "")
        return ClassRules.from_config(config_of_weights(checkpoint, self.weights, self.options)).auto_names

    def build(self) -> Segmenter:
        """Build the model and load its weights."""
        return Segmenter.from_config(self.config, self.weights, self.device, self.options)

    def config_name(self) -> str:
        """Return the name or file of the config for a training from the weights; empty if it is part of them."""
        entry = trained_model(self.weights or "")
        return self.config or (entry.config if entry is not None else "")

    def config_text(self) -> str:
        """Return the config that is part of the weights."""
        return config_of_weights(read_checkpoint(self.weights or ""), self.weights, self.options).dump()

    def identity(self) -> dict[str, Any]:
        """Return the settings that make two models the same, with the hash of the weights."""
        identity: dict[str, Any] = {"options": list(self.options)}
        weights = self.weights
        if self.config:
            cfg = load_config(self.config, self.options, OPTIONS)
            weights = weights or cfg.MODEL.WEIGHTS
            keys = hashlib.sha256(cfg.dump().encode()).hexdigest()
            identity["config"] = f"{self.config} (sha256 of its keys {keys[:16]})"
        if weights:
            file = weights_file(weights)
            if not file.is_file():
                raise ConfigError(f"--weights {weights}: there is no such file, and no model of that name.")
            identity["weights"] = f"{weights} (sha256 {sha256_of(file)[:16]})"
        return identity


class LateModel:
    """Segmentation of images by a model that is built at the first image.

    Args:
        model: the model.
        classes: of the run.
        kinds: outputs that are computed.
    """

    def __init__(self, model: ModelChoice, classes: OutputClasses, kinds: tuple[OutputKind, ...]) -> None:
        self.model, self.classes, self.kinds = model, classes, kinds
        self._built = cache(self._build)

    def __call__(self, images: list[Image.Image]) -> list[Result]:
        """Segment images together."""
        segmenter, settings = self._built()
        return segmenter.segment_batch(images, settings, self.kinds)

    def check_memory(self, image: Image.Image) -> None:
        """Check that the outputs of an image fit into memory.

        Raises:
            DataError: they do not fit.
        """
        segmenter, settings = self._built()
        check_memory(segmenter.model, image, settings, self.kinds)

    def _build(self) -> tuple[Segmenter, Any]:
        segmenter = self.model.build()
        return segmenter, segmenter.settings(self.classes.vocabulary)
