"""Cityscapes, 19 classes, 8 of them things: panoptic, semantic, instance."""

import functools
from collections.abc import Callable

from frozenseg.data.catalog import Metadata, Record
from frozenseg.data.formats.cityscapes_files import (
    load_cityscapes_instances,
    load_cityscapes_panoptic,
    load_cityscapes_semantic,
)
from frozenseg.data.spec import CategoryRow, DatasetSpec, prepare_with, read_categories

IMAGES = {"train": (2_975,), "val": (500,)}
ALL = functools.partial(read_categories, "cityscapes.tsv")


def things() -> tuple[CategoryRow, ...]:
    """Return the 8 things."""
    return tuple(row for row in ALL() if row.isthing)


def _describe(
    name: str,
    split: str,
    load: Callable[[Metadata], list[Record]],
    evaluator_type: str,
    protocol: str,
    categories: Callable[[], tuple[CategoryRow, ...]] = ALL,
) -> DatasetSpec:
    return DatasetSpec(
        name=f"{name}_{split}",
        categories=categories,
        load=load,
        files={
            "image_root": f"cityscapes/leftImg8bit/{split}",
            "panoptic_root": f"cityscapes/gtFine/cityscapes_panoptic_{split}",
            "panoptic_json": f"cityscapes/gtFine/cityscapes_panoptic_{split}.json",
            "sem_seg_root": f"cityscapes/gtFine/{split}",
        },
        prepare_command=prepare_with("cityscapes"),
        evaluator_type=evaluator_type,
        protocol=protocol,
        images=IMAGES[split],
        published_seen="" if categories is things else "cityscapes_19",
    )


def _all_of(split: str) -> list[DatasetSpec]:
    return [
        _describe(
            "openvocab_cityscapes_fine_panoptic",
            split,
            load_cityscapes_panoptic,
            "cityscapes_panoptic_seg",
            "cityscapes",
        ),
        _describe(
            "cityscapes_fine_sem_seg", split, load_cityscapes_semantic, "cityscapes_sem_seg", "cityscapes_semantic"
        ),
        _describe(
            "cityscapes_fine_instance_seg",
            split,
            load_cityscapes_instances,
            "cityscapes_instance",
            "cityscapes_instance",
            things,
        ),
    ]


SPECS = [spec for split in IMAGES for spec in _all_of(split)]
