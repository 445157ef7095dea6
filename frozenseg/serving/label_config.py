"""Labelling interface of a Label Studio project: the tags that take masks, their image and their labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from xml.etree.ElementTree import Element

from frozenseg.serving.refusals import RequestRefusedError
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.formats.label_configs import parse_xml
from frozenseg.vocabulary.line import split_names

MASK_TAGS = ("BrushLabels", "PolygonLabels")


@dataclass(frozen=True)
class MaskControl:
    """A tag that takes masks.

    Attributes:
        kind: one of ``MASK_TAGS``.
        from_name: name of the tag.
        to_name: name of its ``Image``.
        data_key: field of a task's data that has the image.
        vocabulary: a class for each label, with the names that the model reads.
        labels: value of each class in results.
        min_score: of segments, 0-1.
    """

    kind: str
    from_name: str
    to_name: str
    data_key: str
    vocabulary: Vocabulary
    labels: tuple[str, ...]
    min_score: float = 0.0


def mask_controls(label_config: str) -> list[MaskControl]:
    """Return the tags of a labelling interface that take masks of an image.

    A label's names are its ``value``, or those in ``predicted_values="cat,kitten"``; ``model_stuff="true"`` marks
    classes that are not countable. The tag's ``model_score_threshold`` is the smallest score.

    Args:
        label_config: XML.

    Raises:
        RequestRefusedError: damaged XML, or no such tag with a label.
        DataError: a label has no name.
    """
    try:
        root = parse_xml(label_config)
    except ValueError as error:
        message = f"The labelling interface cannot be read: {error}."
        raise RequestRefusedError(HTTPStatus.BAD_REQUEST, message) from error
    images = {each.get("name", ""): each.get("value", "").lstrip("$") for each in root.iter("Image")}
    tags = [each for kind in MASK_TAGS for each in root.iter(kind) if each.get("toName", "") in images]
    controls = [_control(tag, images[tag.get("toName", "")]) for tag in tags if _labels(tag)]
    if not controls:
        raise RequestRefusedError(
            HTTPStatus.BAD_REQUEST,
            "The labelling interface has no BrushLabels or PolygonLabels with labels for an Image: add one of them.",
        )
    return controls


def _labels(tag: Element) -> list[Element]:
    return [label for label in tag.iter("Label") if label.get("value", "").strip()]


def _control(tag: Element, data_key: str) -> MaskControl:
    labels = _labels(tag)
    classes = tuple(_names(label) for label in labels)
    isthing = tuple(label.get("model_stuff", "").lower() not in ("true", "1") for label in labels)
    return MaskControl(
        kind=tag.tag,
        from_name=tag.get("name", ""),
        to_name=tag.get("toName", ""),
        data_key=data_key,
        vocabulary=Vocabulary(classes, isthing),
        labels=tuple(label.get("alias", "") or label.get("value", "") for label in labels),
        min_score=_share(tag.get("model_score_threshold", "0")),
    )


def _names(label: Element) -> tuple[str, ...]:
    """Return the names of a label for the model; a comma in its value is part of the name."""
    return split_names(label.get("predicted_values", "")) or (label.get("value", "").replace(",", " ").strip(),)


def _share(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise RequestRefusedError(
            HTTPStatus.BAD_REQUEST, f"model_score_threshold is {text[:40]!r}, expected a number from 0 to 1."
        )
    return number


def each_name(controls: list[MaskControl]) -> Iterator[str]:
    """Yield every name of the classes of some tags."""
    for control in controls:
        yield from control.vocabulary.synonyms
