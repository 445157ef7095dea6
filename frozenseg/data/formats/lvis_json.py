"""LVIS: COCO's pictures, their objects, and for each picture which categories were looked for → records."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from frozenseg.data.formats.coco_instances import load_objects
from frozenseg.data.metadata import Metadata, Record


def load_lvis(metadata: Metadata) -> list[Record]:
    """Read a split of LVIS v1.

    Args:
        metadata: with ``image_root`` (COCO's folder), ``json_file``, ``thing_dataset_id_to_contiguous_id`` and
            ``prepare_command``.

    Returns:
        One record a picture, in the order of the file, with ``annotations``, ``neg_category_ids`` and
        ``not_exhaustive_category_ids``.

    Raises:
        DataError: a file or folder is missing, or the JSON is not of this format.
    """
    return load_objects(metadata, _describe)


def _describe(folder: Path, image: dict[str, Any]) -> Record:
    # a split draws on both of COCO's folders; the address tells which: …/train2017/000000000009.jpg
    return {
        "file_name": str(folder.joinpath(*urlsplit(image["coco_url"]).path.split("/")[-2:])),
        "neg_category_ids": image["neg_category_ids"],
        "not_exhaustive_category_ids": image["not_exhaustive_category_ids"],
    }
