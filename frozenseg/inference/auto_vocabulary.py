"""Vocabulary ``auto``: the names of the large benchmarks that an image has evidence of.

All names are ranked by their evidence in the whole image and in every mask (:mod:`~frozenseg.inference.name_evidence`).
The best name of each mask, where its evidence suffices, is used; the image is then segmented with these names alone, as
among thousands of names many mean nearly the same.

Letters: Q queries, C names, K used names.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from frozenseg.errors import DataError
from frozenseg.inference.class_rules import ClassRules
from frozenseg.inference.name_evidence import name_evidence, names_with_evidence
from frozenseg.inference.named_vocabularies import LARGE, union_of_vocabularies
from frozenseg.inference.vocabulary_inputs import StuffLike, VocabularyLike, make_vocabulary, stuff_names
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.meta_arch.embedded_images import EmbeddedImages
from frozenseg.structures.output_kinds import OUTPUT_FIELDS, ModelOutput
from frozenseg.vocabulary import Vocabulary

AUTO = "auto"
MAX_USED_NAMES = 100  # used for an image


class AutoVocabulary(Vocabulary):
    """Names of which each image uses those that it has evidence of. Class indices of results are those of all names."""


@dataclass(frozen=True)
class AutoSettings(InferenceSettings):
    """Settings of a call with an :class:`AutoVocabulary`.

    Attributes:
        auto_evidence: evidence from which the best name of a mask is used, 0-1.
        auto_image_weight: weight of the evidence of the whole image beside that of the mask, 0-1.
    """

    auto_evidence: float = 0.25
    auto_image_weight: float = 0.5


def auto_vocabulary(names: tuple[str, ...] = LARGE) -> AutoVocabulary:
    """Return the union of named vocabularies.

    Args:
        names: COCO, LVIS, ADE20K-847, PC-459 and Mapillary; other ones for a CLIP that knows other names.

    Raises:
        DataError: unknown vocabulary.
    """
    union = union_of_vocabularies(names)
    return AutoVocabulary(union.classes, union.isthing)


def requested_vocabulary(
    vocabulary: VocabularyLike, stuff: StuffLike, auto_names: tuple[str, ...] = LARGE
) -> Vocabulary:
    """Return the vocabulary of a call, ``auto`` included.

    Args:
        vocabulary: ``auto``, or as for :func:`make_vocabulary`.
        stuff: as for :func:`make_vocabulary`.
        auto_names: named vocabularies whose union is ``auto``.

    Raises:
        DataError: as for :func:`make_vocabulary`, or ``stuff`` with ``auto``.
    """
    if not isinstance(vocabulary, str) or vocabulary.strip() != AUTO:
        return make_vocabulary(vocabulary, stuff)
    if stuff_names(stuff):
        raise DataError(f"stuff is {stuff!r:.60}, but the vocabulary 'auto' has its stuff: omit stuff.")
    return auto_vocabulary(auto_names)


def auto_settings(rules: ClassRules, model: MaskClassifier, vocabulary: AutoVocabulary) -> AutoSettings:
    """Return the settings of a call, without negatives: the other names compete already."""
    settings = replace(rules, negatives=None, min_evidence=0.0).settings(model, vocabulary)
    values = {each.name: getattr(settings, each.name) for each in fields(settings)}
    return AutoSettings(**values, auto_evidence=rules.auto_evidence, auto_image_weight=rules.auto_image_weight)


def classify_auto(model: MaskClassifier, embedded: EmbeddedImages, settings: AutoSettings) -> ModelOutput:
    """Segment an embedded image with the names that it has evidence of.

    Args:
        model: that has embedded the image.
        embedded: a single image.
        settings: with all names.
    """
    evidence = name_evidence(model, embedded, settings, settings.auto_image_weight)  # (Q, C)
    used = names_with_evidence(evidence, settings.auto_evidence, MAX_USED_NAMES)  # (K,)
    names = used.tolist()
    vocabulary = Vocabulary(
        tuple(settings.vocabulary.classes[name] for name in names),
        tuple(settings.vocabulary.isthing[name] for name in names),
    )
    seen = tuple(settings.seen[name] for name in names)
    values = {each.name: getattr(settings, each.name) for each in fields(InferenceSettings)}
    few = InferenceSettings(**{**values, "vocabulary": vocabulary, "seen": seen, "background": ()})
    return _with_indices(model.classify(embedded, few)[0], used)


def _with_indices(output: ModelOutput, used: Tensor) -> ModelOutput:
    """Return the outputs with the indices (K,) of all names in place of those of the used ones."""
    output = dict(output)
    names = used.tolist()
    if (key := OUTPUT_FIELDS["semantic"]) in output:
        labels = output[key]
        output[key] = torch.where(labels >= 0, used[labels.clamp(min=0)], labels)
    if (key := OUTPUT_FIELDS["panoptic"]) in output:
        ids, segments = output[key]
        output[key] = ids, [_renamed(segment, names) for segment in segments]
    if (key := OUTPUT_FIELDS["instance"]) in output:
        instances = output[key]
        instances.pred_classes = used[instances.pred_classes]
    return output


def _renamed(segment: dict[str, Any], names: list[int]) -> dict[str, Any]:
    label = names[segment["category_id"]]
    return {**segment, "category_id": label, **({"label_id": label} if "label_id" in segment else {})}
