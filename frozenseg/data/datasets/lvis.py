"""LVIS v1: 1203 thing classes on images of COCO, instances."""

import functools

from frozenseg.data.formats.lvis_json import load_lvis
from frozenseg.data.spec import DatasetSpec, prepare_with, read_categories


def _spec(split: str, images: int) -> DatasetSpec:
    return DatasetSpec(
        name=f"openvocab_lvis_v1_{split}",
        categories=functools.partial(read_categories, "lvis.tsv"),
        load=load_lvis,
        files={"image_root": "coco", "json_file": f"lvis/lvis_v1_{split}.json"},
        prepare_command=prepare_with("lvis"),
        evaluator_type="lvis",
        protocol="lvis",
        images=(images,),
        published_seen="lvis_1203",
    )


SPECS = [_spec("train", 100_170), _spec("val", 19_809)]
