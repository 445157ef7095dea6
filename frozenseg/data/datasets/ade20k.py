"""ADE20K with 150 classes, 100 things and 50 kinds of stuff: panoptic, semantic, and its things alone."""

import functools

from frozenseg.data.formats.coco_instances import load_coco_instances
from frozenseg.data.formats.coco_panoptic import load_coco_panoptic
from frozenseg.data.formats.label_image import load_label_images
from frozenseg.data.spec import CategoryRow, DatasetSpec, prepare_with, read_categories

HOME = "ADEChallengeData2016"
FOLDERS = {"train": "training", "val": "validation"}
IMAGES = {"train": (20_210,), "val": (2_000,)}
ALL = functools.partial(read_categories, "ade20k_150.tsv")


def things() -> tuple[CategoryRow, ...]:
    """Return the 100 things, in the order of the 150."""
    return tuple(row for row in ALL() if row.isthing)


def _panoptic(split: str) -> DatasetSpec:
    return DatasetSpec(
        name=f"openvocab_ade20k_panoptic_{split}",
        categories=ALL,
        load=load_coco_panoptic,
        files={
            "image_root": f"{HOME}/images/{FOLDERS[split]}",
            "panoptic_root": f"{HOME}/ade20k_panoptic_{split}",
            "panoptic_json": f"{HOME}/ade20k_panoptic_{split}.json",
            "sem_seg_root": f"{HOME}/annotations_detectron2/{FOLDERS[split]}",
            "json_file": f"{HOME}/ade20k_instance_{split}.json",
        },
        prepare_command=prepare_with("ade20k"),
        evaluator_type="ade20k_panoptic_seg",
        protocol="ade20k",
        images=IMAGES[split],
        published_seen="ade20k_150",
    )


def _semantic(split: str) -> DatasetSpec:
    return DatasetSpec(
        name=f"openvocab_ade20k_sem_seg_{split}",
        categories=ALL,
        load=load_label_images,
        files={
            "image_root": f"{HOME}/images/{FOLDERS[split]}",
            "sem_seg_root": f"{HOME}/annotations_detectron2/{FOLDERS[split]}",
        },
        prepare_command=prepare_with("ade20k"),
        evaluator_type="sem_seg",
        protocol="ade20k_semantic",
        images=IMAGES[split],
        published_seen="ade20k_150",
    )


def _instance(split: str) -> DatasetSpec:
    return DatasetSpec(
        name=f"openvocab_ade20k_instance_{split}",
        categories=things,
        load=load_coco_instances,
        files={
            "image_root": f"{HOME}/images/{FOLDERS[split]}",
            "json_file": f"{HOME}/ade20k_instance_{split}.json",
        },
        prepare_command=prepare_with("ade20k"),
        evaluator_type="coco",
        protocol="ade20k_instance",
        images=IMAGES[split],
    )


SPECS = [describe(split) for describe in (_panoptic, _semantic, _instance) for split in FOLDERS]
