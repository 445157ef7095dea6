"""BDD100K: 40 panoptic classes, 10 of them things, and the 19 classes of Cityscapes, semantic; 1 000 images."""

import functools

from frozenseg.data.formats.coco_panoptic import load_coco_panoptic
from frozenseg.data.formats.label_image import load_label_images
from frozenseg.data.spec import DatasetSpec, prepare_with, read_categories

_IMAGES = "bdd100k/images/10k/val"

SPECS = [
    DatasetSpec(
        name="bdd10k_40_panoptic_val",
        categories=functools.partial(read_categories, "bdd_panoptic_40.tsv"),
        load=load_coco_panoptic,
        files={
            "image_root": _IMAGES,
            "panoptic_root": "bdd100k/jsons/pan_seg/masks/val",
            "panoptic_json": "bdd100k/jsons/pan_seg_val_cocofmt.json",
        },
        prepare_command=prepare_with("bdd100k"),
        evaluator_type="bdd_panoptic_pano",
        protocol="bdd_panop",
        images=(1_000,),
        published_seen="bdd_panoptic_40",
        extra={"image_suffix": ".jpg"},
    ),
    DatasetSpec(
        name="bdd10k_val_sem_seg",
        categories=functools.partial(read_categories, "bdd_semantic_19.tsv"),
        load=load_label_images,
        files={"image_root": _IMAGES, "sem_seg_root": "bdd100k/labels/sem_seg/masks/val"},
        prepare_command=prepare_with("bdd100k"),
        evaluator_type="sem_seg",
        protocol="bdd_sem",
        images=(1_000,),
        published_seen="bdd_semantic_19",
    ),
]
