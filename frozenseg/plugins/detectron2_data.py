"""Conversion of data set metadata between our catalogs and Detectron2's; Detectron2 itself is not needed."""

from typing import Any

from frozenseg.data.catalog import MetadataCatalog
from frozenseg.data.metadata import CLASS_FIELDS, Metadata, classes_from_detectron2

LABEL_DIVISOR = 1000


def fields_for_detectron2(name: str) -> dict[str, Any]:
    """Return the fields of a data set of ours for Detectron2's ``MetadataCatalog``.

    Its ``Visualizer`` looks a thing up in ``thing_classes`` by its index among all classes. If things are not the first
    classes, ``thing_classes`` and ``thing_colors`` therefore list all classes, as they do for Detectron2's Cityscapes.
    """
    metadata = MetadataCatalog.get(name)
    fields = {field: value for field, value in metadata.as_dict().items() if field not in CLASS_FIELDS}
    return {**fields, **_class_fields(metadata)}


def _class_fields(metadata: Metadata) -> dict[str, Any]:
    vocabulary = metadata.vocabulary
    classes = [",".join(names) for names in vocabulary.classes]
    colors = [list(color) for color in metadata.colors]
    things = [index for index, isthing in enumerate(vocabulary.isthing) if isthing]
    listed = things if things == list(range(len(things))) else range(len(classes))
    return {
        "stuff_classes": classes,
        "stuff_colors": colors,
        "stuff_dataset_id_to_contiguous_id": {category: index for index, category in enumerate(metadata.category_ids)},
        "thing_classes": [classes[index] for index in listed],
        "thing_colors": [colors[index] for index in listed],
        "thing_dataset_id_to_contiguous_id": {metadata.category_ids[index]: index for index in things},
        "label_divisor": LABEL_DIVISOR,
    }


def fields_from_detectron2(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields in our catalog of a data set that only Detectron2 knows; its class names become the vocabulary.

    Args:
        fields: of its metadata.
    """
    return {
        "evaluator_type": "coco_panoptic_seg",
        "ignore_label": 255,
        **fields,
        **classes_from_detectron2(fields),
    }
