"""Mapillary Vistas v1.2, 65 classes, 37 of them things: panoptic and semantic."""

import functools

from frozenseg.data.formats.coco_panoptic import load_coco_panoptic
from frozenseg.data.spec import DatasetSpec, prepare_with, read_categories


def _spec(split: str, folder: str, images: int) -> DatasetSpec:
    home = f"mapillary_vistas/{folder}"
    return DatasetSpec(
        name=f"openvocab_mapillary_vistas_panoptic_{split}",
        categories=functools.partial(read_categories, "mapillary_65.tsv"),
        load=load_coco_panoptic,
        files={
            "image_root": f"{home}/images",
            "panoptic_root": f"{home}/panoptic",
            "panoptic_json": f"{home}/panoptic/panoptic_2018.json",
            "sem_seg_root": f"{home}/labels",
        },
        prepare_command=prepare_with("mapillary"),
        evaluator_type="mapillary_vistas_panoptic_seg",
        ignore_label=65,
        protocol="mapillary_vistas",
        images=(images,),
        published_seen="mapillary_65",
        extra={"image_suffix": ".jpg"},
    )


SPECS = [_spec("train", "training", 18_000), _spec("val", "validation", 2_000)]
