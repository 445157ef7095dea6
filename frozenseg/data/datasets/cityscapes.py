"""Cityscapes, 19 classes, 8 of them things: panoptic, semantic, instance."""

import functools
from collections.abc import Callable

from frozenseg.data.formats.cityscapes_files import (
    load_cityscapes_instances,
    load_cityscapes_panoptic,
    load_cityscapes_semantic,
)
from frozenseg.data.metadata import Metadata
from frozenseg.data.spec import CategoryRow, DatasetSpec, prepare_with, read_categories
from frozenseg.structures.record import Record

_IMAGES = {"train": (2_975,), "val": (500,)}
_ALL = functools.partial(read_categories, "cityscapes.tsv")


def _things() -> tuple[CategoryRow, ...]:
    """Return the 8 thing classes."""
    return tuple(row for row in _ALL() if row.isthing)


def _specs(
    name: str,
    evaluator_type: str,
    protocol: str,
    load: Callable[[Metadata], list[Record]],
    categories: Callable[[], tuple[CategoryRow, ...]] = _ALL,
) -> list[DatasetSpec]:
    return [
        DatasetSpec(
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
            images=images,
            published_seen="" if categories is _things else "cityscapes_19",
        )
        for split, images in _IMAGES.items()
    ]


SPECS = [
    *_specs("openvocab_cityscapes_fine_panoptic", "cityscapes_panoptic_seg", "cityscapes", load_cityscapes_panoptic),
    *_specs("cityscapes_fine_sem_seg", "cityscapes_sem_seg", "cityscapes_semantic", load_cityscapes_semantic),
    *_specs(
        "cityscapes_fine_instance_seg", "cityscapes_instance", "cityscapes_instance", load_cityscapes_instances, _things
    ),
]
