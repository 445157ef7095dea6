"""Segmenter: open-vocabulary prediction on single images, without data sets or training."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, overload

import torch
from PIL import Image

from frozenseg.config import OPTIONS, load_config
from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.device import pick_device
from frozenseg.errors import CheckpointError, ConfigError, DataError
from frozenseg.inference.auto_vocabulary import (
    AutoSettings,
    AutoVocabulary,
    auto_settings,
    classify_auto,
    requested_vocabulary,
)
from frozenseg.inference.class_rules import ClassRules
from frozenseg.inference.config_options import OptionsLike, option_pairs, training_vocabulary
from frozenseg.inference.embedded_image import EmbeddedImage, model_input, same_size_groups
from frozenseg.inference.image_inputs import ImageLike, load_image
from frozenseg.inference.model_source import config_of_weights, require_source
from frozenseg.inference.prediction_stream import check_numbers, predict_images
from frozenseg.inference.publication import ModelOrigin, PublishedModel
from frozenseg.inference.requested_outputs import OutputsLike, output_kinds_of, result_of, with_outputs
from frozenseg.inference.result import KINDS, Result
from frozenseg.inference.sources.image_list import pending_images
from frozenseg.inference.sources.source_image import SourceImage
from frozenseg.inference.vocabulary_inputs import StuffLike, VocabularyLike, stuff_names
from frozenseg.log import get_logger
from frozenseg.modeling.acceleration import on_device
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.load_weights import load_checkpoint
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.postprocess.instance import DISTINCT_OBJECTS, InstanceRule
from frozenseg.modeling.weights_layout import adopt_layout
from frozenseg.structures.output_kinds import OUTPUT_KINDS, switch_of
from frozenseg.vocabulary import Vocabulary

logger = get_logger(__name__)
DeviceLike = str | int | torch.device
SomeImage = TypeVar("SomeImage", bound=ImageLike)
OUTPUT_SWITCHES = {  # a result has all three outputs; test-time augmentation has no masks
    **{switch_of(kind): kind in KINDS for kind in OUTPUT_KINDS},
    "TEST.AUG.ENABLED": False,
}


class Segmenter(PublishedModel):
    """A trained model that segments images by class names.

    Calls do not change the model, so that several threads can share a segmenter, each with its own vocabulary.

    Example::

        segmenter = Segmenter.from_pretrained("toyworld")
        segmenter("image.jpg", "red circle; blue square; grass").draw("panoptic").save("masks.png")

    Args:
        model: a trained model; it is switched to eval mode, and to labels instead of scores as semantic output.
        resize: brings images to the model's test size.
        instance_rule: choice among the instances.
        class_rules: negatives, background and absent classes.
    """

    model: MaskClassifier

    def __init__(
        self,
        model: MaskClassifier,
        resize: ShortestEdge,
        instance_rule: InstanceRule = DISTINCT_OBJECTS,
        class_rules: ClassRules | None = None,
    ) -> None:
        self.model = model.eval()
        self.instance_rule = instance_rule
        self.class_rules = class_rules or ClassRules()
        self._classes: Vocabulary | None = None  # of calls that pass no vocabulary
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
        pairs = option_pairs(options)
        target = None if device is None else pick_device(device, "device")
        checkpoint = read_checkpoint(weights) if weights else {}
        if config is None:
            cfg = config_of_weights(checkpoint, weights, pairs).clone()
        else:
            cfg = load_config(config, pairs, OPTIONS).clone()
        if not weights and cfg.MODEL.WEIGHTS:
            weights = cfg.MODEL.WEIGHTS
            checkpoint = read_checkpoint(cfg.MODEL.WEIGHTS)
        cfg = adopt_layout(cfg, checkpoint.get("model", {}), weights)
        origin = ModelOrigin(cfg.clone(), str(weights or ""))
        cfg.defrost()
        if overridden := [key for key in pairs[::2] if key in OUTPUT_SWITCHES]:
            logger.warning("%s: without effect, as the segmenter returns all outputs.", ", ".join(overridden))
        cfg.merge_from_list([item for pair in OUTPUT_SWITCHES.items() for item in pair])
        target = target or pick_device(cfg.MODEL.DEVICE)
        model = build_model(cfg, training_vocabulary(cfg, checkpoint, str(weights or "")))
        if weights:
            load_checkpoint(model, checkpoint, weights, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS)
        else:
            logger.warning("No weights: the model is untrained and its masks are meaningless.")
        resize = ShortestEdge(cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST)
        model = on_device(model, cfg, target)
        segmenter = cls(model, resize, InstanceRule.from_config(cfg), ClassRules.from_config(cfg))
        segmenter.origin = origin
        return segmenter

    @overload
    def __call__(
        self,
        image: ImageLike,
        vocabulary: VocabularyLike | None = None,
        stuff: StuffLike = (),
        sam_masks: bool = True,
        *,
        outputs: OutputsLike = KINDS,
    ) -> Result: ...

    @overload
    def __call__(
        self,
        image: list[SomeImage] | tuple[SomeImage, ...],
        vocabulary: VocabularyLike | None = None,
        stuff: StuffLike = (),
        sam_masks: bool = True,
        *,
        outputs: OutputsLike = KINDS,
    ) -> list[Result]: ...

    def __call__(
        self,
        image: ImageLike | list[SomeImage] | tuple[SomeImage, ...],
        vocabulary: VocabularyLike | None = None,
        stuff: StuffLike = (),
        sam_masks: bool = True,
        *,
        outputs: OutputsLike = KINDS,
    ) -> Result | list[Result]:
        """Segment an image, or the images of a list one after the other. The model is not changed.

        Args:
            image: path, encoded file (bytes or a binary file), PIL image, (H, W, 3) array or (3, H, W) tensor, see
                :func:`~frozenseg.inference.image_inputs.load_image`; or a list of them.
            vocabulary: ``"cat,kitten; dog"``, ``["cat,kitten", "dog"]``, ``{"cat": ["kitten"], "dog": []}``, ``"coco"``
                or another benchmark, ``"auto"``, or a :class:`Vocabulary`, see
                :func:`~frozenseg.inference.vocabulary_inputs.make_vocabulary`; None for that of :meth:`set_classes`.
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
        kinds = output_kinds_of(outputs)
        settings = self.settings(self.vocabulary_of(vocabulary, stuff), sam_masks)
        if not isinstance(image, (list, tuple)):
            return self.segment_batch([load_image(image)], settings, kinds)[0]
        images = (_element(index, each) for index, each in enumerate(image))
        return [self.segment_batch([rgb], settings, kinds)[0] for rgb in images]

    def set_classes(self, vocabulary: VocabularyLike, stuff: StuffLike = ()) -> None:
        """Encode the vocabulary of all calls that pass none; for threads with different ones, pass it to the calls.

        Args:
            vocabulary: as for a call.
            stuff: as for a call.
        """
        classes = self.vocabulary_of(vocabulary, stuff)
        with torch.no_grad():
            self.model.text_embeddings(self.settings(classes))
        self._classes = classes

    def vocabulary_of(self, vocabulary: VocabularyLike | None, stuff: StuffLike = ()) -> Vocabulary:
        """Return the vocabulary of a call.

        Args:
            vocabulary: as for a call.
            stuff: as for a call.

        Raises:
            DataError: no class names, or as for :func:`~frozenseg.inference.vocabulary_inputs.make_vocabulary`.
        """
        if vocabulary is None:
            if self._classes is None or stuff_names(stuff):
                raise DataError("No vocabulary: pass one with its stuff, such as 'cat; dog', or call set_classes.")
            return self._classes
        return requested_vocabulary(vocabulary, stuff, self.class_rules.auto_names)

    def embed(self, image: ImageLike) -> EmbeddedImage:
        """Compute everything that class names do not affect, for :meth:`classify` with any vocabulary.

        Example::

            embedded = segmenter.embed("image.jpg")
            first, second = segmenter.classify(embedded, "cat; dog"), segmenter.classify(embedded, "animal")

        Args:
            image: as for a call.

        Raises:
            DataError: the image cannot be read.
        """
        rgb = load_image(image)
        has_proposals = self.model.ensemble_settings.proposals is not None
        with torch.no_grad():
            return EmbeddedImage(rgb, self.model.embed([model_input(rgb, self.resize, has_proposals)]))

    def classify(
        self,
        embedded: EmbeddedImage,
        vocabulary: VocabularyLike | None = None,
        stuff: StuffLike = (),
        sam_masks: bool = True,
        *,
        outputs: OutputsLike = KINDS,
    ) -> Result:
        """Segment an embedded image: the result of a call with the image, to the bit, in a fraction of the time.

        Args:
            embedded: from :meth:`embed` of this segmenter.
            vocabulary: as for a call.
            stuff: as for a call.
            sam_masks: as for a call.
            outputs: as for a call.
        """
        kinds = output_kinds_of(outputs)
        settings = self.settings(self.vocabulary_of(vocabulary, stuff), sam_masks)
        return self._classify(embedded, with_outputs(settings, kinds))

    def _classify(self, embedded: EmbeddedImage, settings: InferenceSettings) -> Result:
        with torch.no_grad():
            if isinstance(settings, AutoSettings):
                output = classify_auto(self.model, embedded.features, settings)
            else:
                [output] = self.model.classify(embedded.features, settings)
        return result_of(embedded.image, output, settings)

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
        settings = with_outputs(settings, output_kinds_of(outputs))
        if isinstance(settings, AutoSettings):
            return [self._classify(self.embed(rgb), settings) for rgb in images]
        with_original = settings.ensemble.proposals is not None
        elements = [model_input(rgb, self.resize, with_original) for rgb in images]
        results: dict[int, Result] = {}
        with torch.no_grad():
            for indices in same_size_groups(elements, self.model.size_divisibility):
                predicted = self.model([elements[index] for index in indices], settings=settings)
                for index, output in zip(indices, predicted, strict=True):
                    results[index] = result_of(images[index], output, settings)
        return [results[index] for index in range(len(images))]

    def predict(
        self,
        sources: Any,
        vocabulary: VocabularyLike | None = None,
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
        kinds = output_kinds_of(outputs)
        settings = self.settings(self.vocabulary_of(vocabulary, stuff), sam_masks)
        segment = partial(self.segment_batch, settings=settings, outputs=kinds)
        return predict_images(pending_images(sources), segment, batch, workers, skip_bad)

    def settings(self, vocabulary: Vocabulary, sam_masks: bool = True) -> InferenceSettings:
        """Return the inference settings of a call; see :meth:`__call__`."""
        if isinstance(vocabulary, AutoVocabulary):
            settings: InferenceSettings = auto_settings(self.class_rules, self.model, vocabulary)
        else:
            settings = self.class_rules.settings(self.model, vocabulary)
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
