"""Exported model of the verb ``segment``: chosen by ``--runtime onnx``, loaded at the first image."""

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from frozenseg.errors import CheckpointError, ConfigError, DataError
from frozenseg.export.manifest import identity_of
from frozenseg.export.runtime import OnnxSegmenter
from frozenseg.export.runtime_files import CPU, ExportedFileError, read_manifest
from frozenseg.export.runtime_result import result_of_runtime
from frozenseg.inference.auto_vocabulary import AutoVocabulary
from frozenseg.inference.formats.output_format import OutputClasses
from frozenseg.inference.result import Result
from frozenseg.vocabulary import Vocabulary

CUDA = "CUDAExecutionProvider"


@dataclass(frozen=True)
class ExportedModel:
    """Folder of an exported model in place of weights.

    Attributes:
        folder: written by ``frozenseg export``.
        providers: of onnxruntime.
        usual_classes: none, as an export names its classes itself.
    """

    folder: Path
    providers: tuple[str, ...]
    usual_classes: str = ""

    @classmethod
    def of_arguments(cls, arguments: argparse.Namespace) -> "ExportedModel":
        """Return the exported model of a command line.

        Raises:
            ConfigError: onnxruntime is missing, or a flag that has no effect on files.
        """
        if not arguments.weights:
            raise ConfigError("--runtime onnx needs --weights DIR: a folder that `frozenseg export` has written.")
        for flag, is_set in (
            ("--config", arguments.config is not None),
            ("--set", bool(arguments.set)),
            ("--sam-masks", arguments.sam_masks),
            ("--precision", arguments.precision != "full"),
        ):
            if is_set:
                raise ConfigError(f"{flag} has no effect with --runtime onnx: choose it when you export the model.")
        return cls(Path(arguments.weights), _providers(arguments.device))

    def stored_classes(self) -> OutputClasses:
        """Return the classes of the vocabulary in the folder.

        Raises:
            CheckpointError: the folder is incomplete, damaged or of another version.
            DataError: the model was exported without a vocabulary.
        """
        stored = self.read()["vocabulary"]
        if stored is None:
            raise DataError(f"No class names: {self.folder} was exported without --words; give them with --words.")
        return OutputClasses(Vocabulary(tuple(map(tuple, stored["classes"])), tuple(stored["isthing"])))

    def auto_names(self) -> tuple[str, ...]:
        """Refuse the vocabulary ``auto``.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("--words auto needs --runtime torch: the exported graph has no evidence of whole images.")

    def read(self) -> dict[str, Any]:
        """Return the manifest.

        Raises:
            CheckpointError: the folder is incomplete, damaged or of another version.
        """
        try:
            return read_manifest(self.folder)
        except ExportedFileError as error:
            raise CheckpointError(f"--weights {error}") from error

    def identity(self) -> dict[str, Any]:
        """Return the settings that make two models the same."""
        self.read()
        return {"runtime": "onnx", "weights": f"{self.folder} (sha256 of its manifest {identity_of(self.folder)})"}


class LateExportedModel:
    """Segmentation of images by an exported model that is loaded at the first image.

    Args:
        model: the model.
        classes: of the run.

    Raises:
        ConfigError: the vocabulary ``auto``.
    """

    def __init__(self, model: ExportedModel, classes: OutputClasses) -> None:
        self.model, self.vocabulary = model, classes.vocabulary
        if isinstance(self.vocabulary, AutoVocabulary):
            model.auto_names()

    def __call__(self, images: list[Image.Image]) -> list[Result]:
        """Segment images one by one.

        Raises:
            CheckpointError: the files cannot be loaded.
        """
        names, flags = self.vocabulary.classes, self.vocabulary.isthing
        stuff = [synonyms[0] for synonyms, isthing in zip(names, flags, strict=True) if not isthing]
        try:
            segmented = [self._runtime(image, names, stuff) for image in images]
        except ExportedFileError as error:
            raise CheckpointError(str(error)) from error
        return [result_of_runtime(image, self.vocabulary, each) for image, each in zip(images, segmented, strict=True)]

    @cached_property
    def _runtime(self) -> OnnxSegmenter:
        return OnnxSegmenter(self.model.folder, self.model.providers)


def _providers(device: str) -> tuple[str, ...]:
    """Return the providers of a device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        ConfigError: onnxruntime is missing or has no such provider.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError("--runtime onnx needs onnxruntime: pip install 'frozenseg[export]'.") from error
    available = onnxruntime.get_available_providers()
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"--device {device!r} with --runtime onnx: expected cpu, cuda or auto.")
    if device == "cuda" and CUDA not in available:
        raise ConfigError("--device cuda: this onnxruntime has no CUDA provider: pip install onnxruntime-gpu.")
    return (CUDA, *CPU) if device != "cpu" and CUDA in available else CPU
