"""PASCAL Context with its 59 frequent classes and with all 459, semantic."""

import functools

from frozenseg.data.formats.label_image import load_label_images
from frozenseg.data.spec import DatasetSpec, prepare_with, read_categories

_FOLDERS = {"train": "training", "val": "validation"}
_IMAGES = {"train": (4_996, 4_998), "val": (5_104, 5_105)}  # of PASCAL in Detail, and of VOC 2010's lists


def _spec(classes: int, ignore_label: int, split: str) -> DatasetSpec:
    return DatasetSpec(
        name=f"openvocab_pascal_ctx{classes}_sem_seg_{split}",
        categories=functools.partial(read_categories, f"pascal_context_{classes}.tsv"),
        load=load_label_images,
        files={
            "image_root": f"pascal_ctx_d2/images/{_FOLDERS[split]}",
            "sem_seg_root": f"pascal_ctx_d2/annotations_ctx{classes}/{_FOLDERS[split]}",
        },
        prepare_command=prepare_with("pascal_context"),
        evaluator_type="sem_seg",
        ignore_label=ignore_label,
        protocol=f"pc{classes}",
        images=_IMAGES[split],
        occurring=345 if (classes, split) == (459, "val") else 0,
        published_seen=f"pascal_context_{classes}",
    )


SPECS = [_spec(classes, ignore, split) for classes, ignore in ((59, 255), (459, 65535)) for split in _FOLDERS]
