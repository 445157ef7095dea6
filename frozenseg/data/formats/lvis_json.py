"""LVIS format: COCO's images, their objects, and the categories that were searched for in each image → records."""

from urllib.parse import urlsplit

from frozenseg.data.formats.coco_instances import load_objects
from frozenseg.data.formats.image_paths import ImagePaths
from frozenseg.data.metadata import Metadata
from frozenseg.structures.coco_values import JsonObject
from frozenseg.structures.record import Record


def load_lvis(metadata: Metadata) -> list[Record]:
    """Read a split of LVIS v1.

    Args:
        metadata: with ``image_root`` (COCO's folder), ``json_file``, ``vocabulary``, ``category_ids`` and
            ``prepare_command``.

    Returns:
        One record for each image, in the order of the file, with ``annotations``, ``neg_category_ids`` and
        ``not_exhaustive_category_ids``.

    Raises:
        DataError: a file or folder is missing, or the JSON is not of this format.
    """
    return load_objects(metadata, _lvis_image_fields)


def _lvis_image_fields(paths: ImagePaths, image: JsonObject) -> Record:
    # a split has images of both of COCO's folders; the URL names the folder: …/train2017/000000000009.jpg
    return {
        "file_name": paths.resolve("/".join(urlsplit(image["coco_url"]).path.split("/")[-2:])),
        "neg_category_ids": image["neg_category_ids"],
        "not_exhaustive_category_ids": image["not_exhaustive_category_ids"],
    }
