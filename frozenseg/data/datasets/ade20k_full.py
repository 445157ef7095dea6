"""ADE20K with 847 classes (A-847), semantic."""

import functools

from frozenseg.data.formats.label_image import load_label_images
from frozenseg.data.spec import DatasetSpec, prepare_with, read_categories


def _spec(split: str, folder: str, images: int) -> DatasetSpec:
    return DatasetSpec(
        name=f"openvocab_ade20k_full_sem_seg_{split}",
        categories=functools.partial(read_categories, "ade20k_847.tsv"),
        load=load_label_images,
        files={
            "image_root": f"ADE20K_2021_17_01/images_detectron2/{folder}",
            "sem_seg_root": f"ADE20K_2021_17_01/annotations_detectron2/{folder}",
        },
        prepare_command=prepare_with("ade20k_full"),
        evaluator_type="sem_seg",
        ignore_label=65535,
        protocol="a847",
        images=(images,),
        published_seen="ade20k_847",
    )


SPECS = [_spec("train", "training", 25_574), _spec("val", "validation", 2_000)]
