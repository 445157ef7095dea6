"""What catalogs say of a data set, from ours to Detectron2's and back; Detectron2 itself is not needed."""

from typing import Any

from frozenseg.data.catalog import MetadataCatalog


def fields_for_detectron2(name: str) -> dict[str, Any]:
    """Return what Detectron2's catalog is told of a data set of ours.

    Its ``Visualizer`` looks a thing up in ``thing_classes`` by its number among all classes. Where things are not the
    first classes all of them stand there, as they do for its own Cityscapes.
    """
    fields = MetadataCatalog.get(name).as_dict()
    things = sorted(fields["thing_dataset_id_to_contiguous_id"].values())
    if things == list(range(len(things))):
        return fields
    return {**fields, "thing_classes": fields["stuff_classes"], "thing_colors": fields["stuff_colors"]}


def fields_from_detectron2(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what our catalog is told of a data set that only Detectron2 knows: its classes are the words.

    Args:
        fields: of its metadata.
    """
    things, stuff = fields.get("thing_classes", []), fields.get("stuff_classes", [])
    return {
        "stuff_classes": list(stuff or things),
        "thing_dataset_id_to_contiguous_id": {index: index for index in range(len(things))},
        "evaluator_type": "coco_panoptic_seg",
        "ignore_label": 255,
        **fields,
    }
