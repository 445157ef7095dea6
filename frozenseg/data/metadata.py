"""Metadata of a data set, and the folder of all data sets."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from frozenseg.errors import DataError
from frozenseg.structures.label_coding import LabelCoding
from frozenseg.structures.palette import Colour, vocabulary_colours
from frozenseg.structures.record import Record as Record
from frozenseg.vocabulary import Vocabulary

ROOT_VARIABLE = "DETECTRON2_DATASETS"
CLASS_FIELDS = ("vocabulary", "category_ids", "colors")


def datasets_root() -> Path:
    """Return the folder of all data sets: ``$DETECTRON2_DATASETS``, or ``datasets``."""
    return Path(os.path.expanduser(os.environ.get(ROOT_VARIABLE) or "datasets"))


class Metadata:
    """Attributes of a data set that are known without its files.

    This package reads the attributes below; others may be set, too. Classes are in contiguous order. They are set as
    ``vocabulary``, ``category_ids`` and ``colors``, or by Detectron2's fields ``stuff_classes`` (all classes, with
    comma-separated synonyms), ``thing_dataset_id_to_contiguous_id`` etc., see :func:`classes_from_detectron2`.

    Example::

        metadata = MetadataCatalog.get("toyworld_val_seen")
        metadata.vocabulary.names[0], metadata.json_file
        metadata.set(evaluator_type="coco_panoptic_seg")

    Args:
        **fields: the attributes.

    Attributes:
        name: short name, for tables and files.
        vocabulary: the classes with their synonyms and thing/stuff flags.
        category_ids: id of each class in the annotation files.
        category_names: official name of each class, which the categories of annotation files are compared with; empty
            for data sets without a table.
        colors: RGB colour (0-255) of each class.
        category_groups: subsets of the classes that are reported separately: name → class indices.
        evaluator_type: key that selects the evaluators.
        ignore_label: value of unlabelled pixels in label images.
        first_label: value of class 0 in label images.
        label_coding: decodes label images whose values are not consecutive, or colours; None if nothing is to decode.
        label_ending: ending of the names of label images, such as ``_mask``; empty to find it.
        image_root, panoptic_root, sem_seg_root: folders, None if there is no such folder.
        panoptic_json, json_file: files of the panoptic and of the instance annotations, None if there are none.
        image_suffix: suffix of image files if it differs from the one in the panoptic JSON; otherwise empty.
        prepare_command: advice on how to get missing files; messages append it after a semicolon.
        repair_command: advice on how to correct damaged files; empty: ``prepare_command``, see :attr:`repair_advice`.
        protocol: config of the evaluation protocol, a file of ``configs/eval`` without its suffix; empty for none.
        known_images: expected numbers of images; several if sources differ, empty if unknown.
        known_occurring: expected number of classes that occur in the images; 0 if unknown.
        published_seen: key of the table of published seen flags; empty for none.
    """

    name: str
    vocabulary: Vocabulary
    category_ids: tuple[int, ...]
    colors: tuple[Colour, ...]
    category_names: tuple[str, ...] = ()
    category_groups: Mapping[str, Sequence[int]] = MappingProxyType({})
    evaluator_type: str
    ignore_label: int
    first_label: int = 0
    label_coding: LabelCoding | None = None
    label_ending: str = ""
    image_root: str | None = None
    panoptic_root: str | None = None
    panoptic_json: str | None = None
    sem_seg_root: str | None = None
    json_file: str | None = None
    image_suffix: str = ""
    prepare_command: str = "prepare the data set again"
    repair_command: str = ""
    protocol: str = ""
    known_images: tuple[int, ...] = ()
    known_occurring: int = 0
    published_seen: str = ""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def set(self, **fields: Any) -> "Metadata":
        """Set attributes; return the object itself."""
        self.__dict__.update(fields)
        return self

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute; with a ``default``, only if it was set explicitly, as in Detectron2."""
        return getattr(self, name, None) if default is None else self.__dict__.get(name, default)

    def as_dict(self) -> dict[str, Any]:
        """Return a copy of the attributes that are set, by name."""
        return dict(self.__dict__)

    @property
    def repair_advice(self) -> str:
        """Advice on how to correct files that exist but are damaged; messages append it after a semicolon."""
        return self.repair_command or self.prepare_command

    @property
    def contiguous_ids(self) -> dict[int, int]:
        """Category id in the annotation files → class index."""
        ids = {category: index for index, category in enumerate(self.category_ids)}
        for kind in ("stuff", "thing"):  # Detectron2's maps may assign several categories to one class
            ids.update(self.__dict__.get(f"{kind}_dataset_id_to_contiguous_id") or {})
        return ids

    @property
    def thing_contiguous_ids(self) -> dict[int, int]:
        """Category id in the annotation files → class index, for things."""
        isthing = self.vocabulary.isthing
        return {category: index for category, index in self.contiguous_ids.items() if isthing[index]}

    def __getattr__(self, name: str) -> Any:
        """Derive the classes from Detectron2's fields; called only for attributes that are not set."""
        fields = self.__dict__
        if name in CLASS_FIELDS and (classes := classes_from_detectron2(fields)):
            return classes[name]
        if name == "colors" and "vocabulary" in fields:
            return tuple(vocabulary_colours(self.vocabulary.names))
        raise AttributeError(f"Metadata of {fields.get('name')!r} has no {name!r}; it has {', '.join(fields)}.")

    def __repr__(self) -> str:
        """Return the name and the attributes that are set."""
        return f"Metadata({self.get('name')!r}: {', '.join(self.__dict__)})"


def classes_from_detectron2(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``vocabulary``, ``category_ids`` and ``colors`` of metadata with Detectron2's fields.

    Args:
        fields: ``stuff_classes`` lists all classes, each with comma-separated synonyms; without it ``thing_classes``
            does. ``thing_dataset_id_to_contiguous_id`` maps the ids of things to class indices; without it the first
            classes are things, as many as there are ``thing_classes``. Optional are
            ``stuff_dataset_id_to_contiguous_id`` (ids of all classes; without it the class indices) and
            ``stuff_colors``.

    Returns:
        The three fields; empty if there are no classes.

    Raises:
        DataError: a map has a class index outside the classes.
    """
    things_only = fields.get("thing_classes") or []
    classes = fields.get("stuff_classes") or things_only
    if not classes:
        return {}
    things = fields.get("thing_dataset_id_to_contiguous_id")
    if things is None:
        things = {index: index for index in range(len(things_only))}
    ids = list(range(len(classes)))
    for mapping in (fields.get("stuff_dataset_id_to_contiguous_id") or {}, things):
        for category, index in mapping.items():
            if not 0 <= index < len(classes):
                raise DataError(
                    f"Metadata of {fields.get('name')!r} assign category {category} to class {index}, but "
                    f"stuff_classes lists {len(classes)} classes: list all classes there, things and stuff."
                )
            ids[index] = category
    members = set(things.values())
    vocabulary = Vocabulary.from_strings(classes, isthing=[index in members for index in range(len(classes))])
    colors = fields.get("stuff_colors") or vocabulary_colours(vocabulary.names)
    return {
        "vocabulary": vocabulary,
        "category_ids": tuple(ids),
        "colors": tuple((red, green, blue) for red, green, blue in colors),
    }
