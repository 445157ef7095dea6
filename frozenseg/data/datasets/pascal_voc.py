"""PASCAL VOC 2012, semantic: its 20 classes, and 21 with the background as a class."""

from frozenseg.data.formats.label_image import load_label_images
from frozenseg.data.spec import CategoryRow, DatasetSpec, prepare_with, read_categories

FOLDERS = {"train": "training", "val": "validation"}
IMAGES = {"train": (1_464,), "val": (1_449,)}


def with_background() -> tuple[CategoryRow, ...]:
    """Return all 21 classes."""
    return read_categories("pascal_voc_21.tsv")


def without_background() -> tuple[CategoryRow, ...]:
    """Return the 20 classes, counted from 0."""
    return tuple(row._replace(id=row.id - 1) for row in with_background()[1:])


def _describe(classes: int, split: str) -> DatasetSpec:
    return DatasetSpec(
        name=f"openvocab_pascal{classes}_sem_seg_{split}",
        categories=without_background if classes == 20 else with_background,
        load=load_label_images,
        files={
            "image_root": f"pascal_voc_d2/images/{FOLDERS[split]}",
            "sem_seg_root": f"pascal_voc_d2/annotations_pascal{classes}/{FOLDERS[split]}",
        },
        prepare_command=prepare_with("pascal_voc"),
        evaluator_type="sem_seg",
        protocol=f"pas{classes}",
        images=IMAGES[split],
        published_seen=f"voc_{classes}",
    )


SPECS = [_describe(classes, split) for classes in (20, 21) for split in FOLDERS]
