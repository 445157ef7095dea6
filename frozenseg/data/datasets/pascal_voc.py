"""PASCAL VOC 2012, semantic: its 20 classes, and 21 with the background as a class."""

from frozenseg.data.formats.label_image import load_label_images
from frozenseg.data.spec import CategoryRow, DatasetSpec, prepare_with, read_categories

_FOLDERS = {"train": "training", "val": "validation"}
_IMAGES = {"train": (1_464,), "val": (1_449,)}


def _with_background() -> tuple[CategoryRow, ...]:
    """Return all 21 classes."""
    return read_categories("pascal_voc_21.tsv")


def _without_background() -> tuple[CategoryRow, ...]:
    """Return the 20 classes with ids from 0."""
    return tuple(row._replace(id=row.id - 1) for row in _with_background()[1:])


def _spec(classes: int, split: str) -> DatasetSpec:
    return DatasetSpec(
        name=f"openvocab_pascal{classes}_sem_seg_{split}",
        categories=_without_background if classes == 20 else _with_background,
        load=load_label_images,
        files={
            "image_root": f"pascal_voc_d2/images/{_FOLDERS[split]}",
            "sem_seg_root": f"pascal_voc_d2/annotations_pascal{classes}/{_FOLDERS[split]}",
        },
        prepare_command=prepare_with("pascal_voc"),
        evaluator_type="sem_seg",
        protocol=f"pas{classes}",
        images=_IMAGES[split],
        published_seen=f"voc_{classes}",
    )


SPECS = [_spec(classes, split) for classes in (20, 21) for split in _FOLDERS]
