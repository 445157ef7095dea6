"""Segmenter: open-vocabulary prediction on single images, without data sets or training."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, overload

import torch
from PIL import Image
from torchvision.transforms.v2 import functional as tvf

from frozenseg.config import OPTIONS, CfgNode, load_config
from frozenseg.data.training_classes import training_classes
from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.device import pick_device
from frozenseg.errors import CheckpointError, ConfigError, DataError
from frozenseg.inference.image_inputs import ImageLike, load_image
from frozenseg.inference.model_source import config_of_weights, require_source
from frozenseg.inference.prediction_stream import check_numbers, predict_images
from frozenseg.inference.requested_outputs import OutputsLike, requested_outputs, result_of, with_outputs
from frozenseg.inference.result import KINDS, Result
from frozenseg.inference.sources.image_list import pending_images
from frozenseg.inference.sources.source_image import SourceImage
from frozenseg.inference.vocabulary_inputs import StuffLike, VocabularyLike, make_vocabulary
from frozenseg.log import get_logger
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import read_checkpoint, trained_vocabulary
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.load_weights import load_checkpoint
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.postprocess.instance import DISTINCT_OBJECTS, InstanceRule
from frozenseg.modeling.weights_layout import adopt_layout
from frozenseg.structures.image_list import ImageSize, padded_size
from frozenseg.structures.output_kinds import OUTPUT_KINDS, switch_of
from frozenseg.vocabulary import Vocabulary

logger = get_logger(__name__)
DeviceLike = str | int | torch.device
OptionsLike = Sequence[Any] | Mapping[str, Any]
SomeImage = TypeVar("SomeImage", bound=ImageLike)
OUTPUT_SWITCHES = {  # a result has all three outputs; test-time augmentation has no masks
    **{switch_of(kind): kind in KINDS for kind in OUTPUT_KINDS},
    "TEST.AUG.ENABLED": False,
}


class Segmenter:
    """A trained model that segments images by class names.

    Calls do not change the model, so that several threads can share a segmenter, each with its own vocabulary.

    Example::

        segmenter = Segmenter.from_pretrained("toyworld")
        segmenter("image.jpg", "red circle; blue square; grass").draw("panoptic").save("masks.png")

    Args:
        model: a trained model; it is switched to eval mode, and to labels instead of scores as semantic output.
        resize: brings images to the model's test size.
        instance_rule: choice among the instances.
    """

    def __init__(
        self,
        model: MaskClassifier,
        resize: ShortestEdge,
        instance_rule: InstanceRule = DISTINCT_OBJECTS,
    ) -> None:
        self.model = model.eval()
        self.instance_rule = instance_rule
        self.model.return_labels()
        self.resize = resize

    @classmethod
    def from_pretrained(
        cls, source: str | Path, device: DeviceLike | None = None, options: OptionsLike = ()
    ) -> "Segmenter":
        """Build a trained model with the config that belongs to its weights.

        Args:
            source: a name that ``frozenseg models`` lists, such as ``toyworld``, the FrozenSeg-tiny that comes with the
                package; ``hf-hub:ORG/REPO``; ``local-dir:FOLDER``; or the path of a checkpoint of this library.
            device: as for :meth:`from_config`.
            options: as for :meth:`from_config`.

        Raises:
            ConfigError: unknown name, weights that need your consent, or as for :meth:`from_config`.
            DownloadError: the weights are not on this machine and cannot be downloaded.
        """
        return cls.from_config(weights=require_source(source), device=device, options=options)

    @classmethod
    def from_config(
        cls,
        config: str | Path | None = None,
        weights: str | Path | None = None,
        device: DeviceLike | None = None,
        options: OptionsLike = (),
    ) -> "Segmenter":
        """Build a model and load its weights.

        Args:
            config: YAML file of the model, or the name of a shipped config; None for the config that belongs to the
                weights, if they have a name or are a checkpoint of this library.
            weights: checkpoint of this library or released file, or a source of :meth:`from_pretrained`; None for the
                config's ``MODEL.WEIGHTS``.
            device: ``cpu``, ``cuda``, ``cuda:N`` or N, or ``auto`` for CUDA if available; a ``torch.device``; None for
                the config's ``MODEL.DEVICE``.
            options: ``[KEY, VALUE, KEY, VALUE, …]`` or ``{KEY: VALUE}``, which override the config.

        Raises:
            ConfigError: a key or value is wrong, or the device is not available.
            CheckpointError: the weights are missing, damaged or of another model.
        """
        if not isinstance(weights, (str, Path, type(None))):
            raise CheckpointError(f"weights is of type {type(weights).__name__}, expected a path or a name.")
        if not isinstance(config, (str, Path, type(None))):
            raise ConfigError(f"config is of type {type(config).__name__}, expected a path or a name.")
        pairs = _pairs(options)
        target = None if device is None else pick_device(device, "device")
        checkpoint = read_checkpoint(weights) if weights else {}
        if config is None:
            cfg = config_of_weights(checkpoint, weights, pairs).clone()
        else:
            cfg = load_config(config, pairs, OPTIONS).clone()
        cfg.defrost()
        if overridden := [key for key in pairs[::2] if key in OUTPUT_SWITCHES]:
            logger.warning("%s: without effect, as the segmenter returns all outputs.", ", ".join(overridden))
        cfg.merge_from_list([item for pair in OUTPUT_SWITCHES.items() for item in pair])
        target = target or pick_device(cfg.MODEL.DEVICE)
        if not weights and cfg.MODEL.WEIGHTS:
            weights = cfg.MODEL.WEIGHTS
            checkpoint = read_checkpoint(cfg.MODEL.WEIGHTS)
        cfg = adopt_layout(cfg, checkpoint.get("model", {}), weights)
        model = build_model(cfg, _training_vocabulary(cfg, checkpoint, str(weights or "")))
        if weights:
            load_checkpoint(model, checkpoint, weights, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS)
        else:
            logger.warning("No weights: the model is untrained and its masks are meaningless.")
        resize = ShortestEdge(cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST)
        return cls(model.to(target), resize, InstanceRule.from_config(cfg))

    @overload
    def __call__(
        self,
        image: ImageLike,
        vocabulary: VocabularyLike,
        stuff: StuffLike = (),
        sam_masks: bool = True,
        *,
        outputs: OutputsLike = KINDS,
    ) -> Result: ...

    @overload
    def __call__(
        self,
        image: list[SomeImage] | tuple[SomeImage, ...],
        vocabulary: VocabularyLike,
        stuff: StuffLike = (),
        sam_masks: bool = True,
        *,
        outputs: OutputsLike = KINDS,
    ) -> list[Result]: ...

    def __call__(
        self,
        image: ImageLike | list[SomeImage] | tuple[SomeImage, ...],
        vocabulary: VocabularyLike,
        stuff: StuffLike = (),
        sam_masks: bool = True,
        *,
        outputs: OutputsLike = KINDS,
    ) -> Result | list[Result]:
        """Segment an image, or the images of a list one after the other. The model is not changed.

        Args:
            image: path, encoded file (bytes or a binary file), PIL image, (H, W, 3) array or (3, H, W) tensor, see
                :func:`~frozenseg.inference.image_inputs.load_image`; or a list of them.
            vocabulary: ``"cat,kitten; dog"``, ``["cat,kitten", "dog"]``, ``{"cat": ["kitten"], "dog": []}``, or a
                :class:`Vocabulary`, see :func:`~frozenseg.inference.vocabulary_inputs.make_vocabulary`.
            stuff: first names of the classes that are not countable, ``"sky; grass"`` or ``["sky", "grass"]``; not with
                a :class:`Vocabulary`, which has flags.
            sam_masks: False switches the SAM proposals off if the config's TEST.USE_SAM_MASKS has switched them on.
            outputs: the outputs to compute, some of ``panoptic``, ``instance`` and ``semantic``; the others are None
                in the result.

        Returns:
            The result, or a list with a result for each image.

        Raises:
            DataError: the image cannot be read, or a class has no name.
            ConfigError: an output is unknown.
        """
        if not isinstance(sam_masks, bool):
            raise DataError(f"sam_masks is {sam_masks!r:.60}, expected True or False.")
        kinds = requested_outputs(outputs)
        settings = self.settings(make_vocabulary(vocabulary, stuff), sam_masks)
        if not isinstance(image, (list, tuple)):
            return self.segment_batch([load_image(image)], settings, kinds)[0]
        images = (_element(index, each) for index, each in enumerate(image))
        return [self.segment_batch([rgb], settings, kinds)[0] for rgb in images]

    def segment_batch(
        self, images: Sequence[Image.Image], settings: InferenceSettings, outputs: OutputsLike = KINDS
    ) -> list[Result]:
        """Segment several images together; the results are those of single images, up to rounding.

        Images that the model pads to the same size pass it as one batch, as padding to a larger size would change
        their results: images of one shape are the fastest.

        Args:
            images: upright RGB images of any sizes, see :func:`~frozenseg.inference.image_inputs.load_image`.
            settings: of the call, from :meth:`settings`.
            outputs: the outputs to compute; the others are None in the results.

        Raises:
            ConfigError: an output is unknown.
        """
        settings = with_outputs(settings, requested_outputs(outputs))
        elements = [self._input(rgb, settings) for rgb in images]
        results: dict[int, Result] = {}
        with torch.no_grad():
            for indices in self._same_size(elements):
                predicted = self.model([elements[index] for index in indices], settings=settings)
                for index, output in zip(indices, predicted, strict=True):
                    results[index] = result_of(images[index], output, settings)
        return [results[index] for index in range(len(images))]

    def predict(
        self,
        sources: Any,
        vocabulary: VocabularyLike,
        stuff: StuffLike = (),
        sam_masks: bool = True,
        *,
        outputs: OutputsLike = KINDS,
        batch: int = 1,
        workers: int = 2,
        skip_bad: bool = False,
    ) -> Iterator[tuple[SourceImage, Result]]:
        """Segment any number of images: they are decoded in the background, and their results come one by one.

        Example::

            for image, result in segmenter.predict("photos", "cat; dog; grass", stuff="grass", batch=8):
                print(image.name, result)

        Args:
            sources: a file, a folder with its subfolders, a pattern, a ``.txt`` file with one path a line, a video, a
                URL or ``-``, an image in memory, an array (N, H, W, 3); a list of them; or an iterator over them, which
                is read while the results are used. See :mod:`frozenseg.inference.sources.image_list`.
            vocabulary: as for a call.
            stuff: as for a call.
            sam_masks: as for a call.
            outputs: as for a call.
            batch: number of images that are segmented together.
            workers: number of threads that decode the next batches; 0 decodes in this thread.
            skip_bad: leave out images that cannot be decoded, with a warning, instead of raising an error.

        Returns:
            An iterator over each image with its result.

        Raises:
            DataError: an input does not exist, or an image cannot be decoded.
            ConfigError: an output is unknown, or a number is out of range.
        """
        check_numbers(batch, workers)
        kinds = requested_outputs(outputs)
        settings = self.settings(make_vocabulary(vocabulary, stuff), sam_masks)
        segment = partial(self.segment_batch, settings=settings, outputs=kinds)
        return predict_images(pending_images(sources), segment, batch, workers, skip_bad)

    def _input(self, rgb: Image.Image, settings: InferenceSettings) -> dict[str, Any]:
        """Return the model's input for an image."""
        element: dict[str, Any] = {"height": rgb.height, "width": rgb.width}
        element |= {"image": tvf.pil_to_tensor(self.resize.transform_image(rgb))}  # (3, h, w) uint8
        if settings.ensemble.proposals is not None:
            element["original_image"] = tvf.pil_to_tensor(rgb)
        return element

    def _same_size(self, elements: Sequence[dict[str, Any]]) -> list[list[int]]:
        """Return the indices of the inputs in groups that the model pads to the same size."""
        groups: dict[ImageSize, list[int]] = {}
        for index, element in enumerate(elements):
            size = padded_size([ImageSize(*element["image"].shape[-2:])], self.model.size_divisibility)
            groups.setdefault(size, []).append(index)
        return list(groups.values())

    def settings(self, vocabulary: Vocabulary, sam_masks: bool = True) -> InferenceSettings:
        """Return the inference settings of a call; see :meth:`__call__`."""
        settings = self.model.settings_for(vocabulary)
        postprocessor = replace(settings.postprocessor, instance_rule=self.instance_rule)
        settings = replace(settings, postprocessor=postprocessor)
        if sam_masks:
            return settings
        return replace(settings, ensemble=settings.ensemble._replace(proposals=None))


def _element(index: int, image: ImageLike) -> Image.Image:
    """Return an image of a list."""
    try:
        return load_image(image)
    except DataError as error:
        raise DataError(f"Image {index + 1} of the list: {error}") from error


def _pairs(options: OptionsLike) -> list[Any]:
    """Return the options of a call as ``[KEY, VALUE, …]``."""
    if isinstance(options, Mapping):
        return [item for pair in options.items() for item in pair]
    if not isinstance(options, (list, tuple)):
        raise ConfigError(f"options is {options!r}, expected [KEY, VALUE, KEY, VALUE] or {{KEY: VALUE}}.")
    for key in options[::2]:
        if not isinstance(key, str):
            raise ConfigError(f"options has {key!r} where a key is expected: pass [KEY, VALUE, KEY, VALUE].")
    if len(options) % 2:
        raise ConfigError(f"options has no value for its last key {options[-1]!r}: pass [KEY, VALUE, KEY, VALUE].")
    return list(options)


def _training_vocabulary(cfg: CfgNode, checkpoint: Mapping[str, Any], weights: str) -> Vocabulary:
    """Return the vocabulary of the weights or of the config, which decides the classes that count as seen."""
    trained = trained_vocabulary(checkpoint)
    if trained is None and not cfg.DATASETS.TRAIN:
        return Vocabulary.parse("object")
    return training_classes(cfg, trained, checkpoint.get("config", ""), weights).vocabulary
