"""ADE20K with 150 classes, 100 thing and 50 stuff classes: panoptic, semantic, and instance (things only)."""

import functools

from frozenseg.data.formats.coco_instances import load_coco_instances
from frozenseg.data.formats.coco_panoptic import load_coco_panoptic
from frozenseg.data.formats.label_image import load_label_images
from frozenseg.data.spec import CategoryRow, DatasetSpec, prepare_with, read_categories

_HOME = "ADEChallengeData2016"
_FOLDERS = {"train": "training", "val": "validation"}
_IMAGES = {"train": (20_210,), "val": (2_000,)}
_ALL = functools.partial(read_categories, "ade20k_150.tsv")


def _things() -> tuple[CategoryRow, ...]:
    """Return the 100 thing classes, in the order of the 150."""
    return tuple(row for row in _ALL() if row.isthing)


def _panoptic(split: str) -> DatasetSpec:
    return DatasetSpec(
        name=f"openvocab_ade20k_panoptic_{split}",
        categories=_ALL,
        load=load_coco_panoptic,
        files={
            "image_root": f"{_HOME}/images/{_FOLDERS[split]}",
            "panoptic_root": f"{_HOME}/ade20k_panoptic_{split}",
            "panoptic_json": f"{_HOME}/ade20k_panoptic_{split}.json",
            "sem_seg_root": f"{_HOME}/annotations_detectron2/{_FOLDERS[split]}",
            "json_file": f"{_HOME}/ade20k_instance_{split}.json",
        },
        prepare_command=prepare_with("ade20k"),
        evaluator_type="ade20k_panoptic_seg",
        protocol="ade20k",
        images=_IMAGES[split],
        published_seen="ade20k_150",
    )


def _semantic(split: str) -> DatasetSpec:
    return DatasetSpec(
        name=f"openvocab_ade20k_sem_seg_{split}",
        categories=_ALL,
        load=load_label_images,
        files={
            "image_root": f"{_HOME}/images/{_FOLDERS[split]}",
            "sem_seg_root": f"{_HOME}/annotations_detectron2/{_FOLDERS[split]}",
        },
        prepare_command=prepare_with("ade20k"),
        evaluator_type="sem_seg",
        protocol="ade20k_semantic",
        images=_IMAGES[split],
        published_seen="ade20k_150",
    )


def _instance(split: str) -> DatasetSpec:
    return DatasetSpec(
        name=f"openvocab_ade20k_instance_{split}",
        categories=_things,
        load=load_coco_instances,
        files={
            "image_root": f"{_HOME}/images/{_FOLDERS[split]}",
            "json_file": f"{_HOME}/ade20k_instance_{split}.json",
        },
        prepare_command=prepare_with("ade20k"),
        evaluator_type="coco",
        protocol="ade20k_instance",
        images=_IMAGES[split],
    )


SPECS = [make_spec(split) for make_spec in (_panoptic, _semantic, _instance) for split in _FOLDERS]
