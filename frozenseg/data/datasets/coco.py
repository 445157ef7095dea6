"""COCO 2017 panoptic with open vocabulary: 80 thing and 53 stuff classes, the training set of the paper."""

import functools

from frozenseg.data.formats.coco_panoptic import load_coco_panoptic
from frozenseg.data.spec import DatasetSpec, prepare_with, read_categories


def _spec(split: str, images: int) -> DatasetSpec:
    return DatasetSpec(
        name=f"openvocab_coco_2017_{split}_panoptic_with_sem_seg",
        categories=functools.partial(read_categories, "coco_panoptic.tsv"),
        load=load_coco_panoptic,
        files={
            "image_root": f"coco/{split}2017",
            "panoptic_root": f"coco/panoptic_{split}2017",
            "panoptic_json": f"coco/annotations/panoptic_{split}2017.json",
            "sem_seg_root": f"coco/panoptic_semseg_{split}2017",
            "json_file": f"coco/annotations/instances_{split}2017.json",
        },
        prepare_command=prepare_with("coco"),
        protocol="coco",
        images=(images,),
        published_seen="coco_panoptic_133",
    )


SPECS = [_spec("train", 118_287), _spec("val", 5_000)]
