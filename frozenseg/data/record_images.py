"""Image of a record, in the orientation of its annotation and of the annotated size."""

from PIL import Image

from frozenseg.data.images import HeightWidth, check_size, orientation_swaps_sides, read_image
from frozenseg.structures.label_files import stored_size
from frozenseg.structures.record import Record

ANNOTATION_IMAGES = ("pan_seg_file_name", "sem_seg_file_name", "instance_file_name")


def read_record_image(record: Record) -> Image.Image:
    """Read the image of a record as RGB; see :mod:`frozenseg.data.images` for the rule of its orientation.

    Args:
        record: with ``file_name`` and optionally ``height`` and ``width``, as annotated. Without them, the size of the
            panoptic PNG or label image decides about the orientation.

    Raises:
        DataError: the image is missing, cannot be decoded, or has another size than annotated.
    """
    path: str = record["file_name"]
    image = read_image(path, _annotated_size(record))
    check_size(path, image, (record.get("height", image.height), record.get("width", image.width)))
    return image


def _annotated_size(record: Record) -> HeightWidth | None:
    if "height" in record and "width" in record:
        return record["height"], record["width"]
    if not orientation_swaps_sides(record["file_name"]):
        return None  # the size is the same in both orientations: annotations need not be opened
    files = [record[field] for field in ANNOTATION_IMAGES if field in record]
    return stored_size(files[0]) if files else None
