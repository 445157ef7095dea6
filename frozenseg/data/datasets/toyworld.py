"""ToyWorld, made by ``frozenseg prepare toyworld``: a training set, and evaluation sets of seen and unseen classes."""

import functools

from frozenseg.data.formats.coco_panoptic import load_coco_panoptic
from frozenseg.data.spec import CategoryRow, DatasetSpec
from frozenseg.toyworld.categories import SEEN, all_categories, seen_categories


def categories_of(split: str) -> tuple[CategoryRow, ...]:
    """Return the classes of a split; the unseen ones of ``val_unseen`` are grouped by their tier."""
    categories = all_categories() if split == "val_unseen" else seen_categories()
    return tuple(
        CategoryRow(
            category.id,
            category.names,
            category.isthing,
            category.rgb,
            group="" if category.tier == SEEN else category.tier,
            official=category.names[0],
        )
        for category in categories
    )


def _spec(split: str) -> DatasetSpec:
    folder = f"toyworld/{split}"
    return DatasetSpec(
        name=f"toyworld_{split}",
        categories=functools.partial(categories_of, split),
        load=load_coco_panoptic,
        files={
            "image_root": f"{folder}/images",
            "panoptic_root": f"{folder}/panoptic",
            "panoptic_json": f"{folder}/panoptic.json",
            "sem_seg_root": f"{folder}/semantic",
            "json_file": f"{folder}/instances.json",
        },
        prepare_command="make it in seconds with `frozenseg prepare toyworld --root {root}`",
    )


SPECS = [_spec(split) for split in ("train", "val_seen", "val_unseen")]
