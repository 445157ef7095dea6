"""A folder of pictures and a folder of label pictures, which go by the same names → records."""

from frozenseg.data.formats.annotation_file import check_paths
from frozenseg.data.metadata import Metadata, Record
from frozenseg.errors import DataError
from frozenseg.log import get_logger
from frozenseg.structures.label_files import LABEL_SUFFIXES, files_by_name

logger = get_logger(__name__)
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
SHOWN = 5  # names in a message


def load_label_images(metadata: Metadata) -> list[Record]:
    """Read a data set of pictures and label pictures.

    They belong together when their paths inside the folders are equal but for the ending. One without a counterpart is
    left out, and the log says so.

    Args:
        metadata: with ``image_root``, ``sem_seg_root`` and ``prepare_command``.

    Returns:
        One record a pair, by name; ``image_id`` is the name.

    Raises:
        DataError: a folder is missing, two files have one name, or nothing belongs together.
    """
    check_paths(metadata, image_root="image folder", sem_seg_root="folder of label pictures")
    images = files_by_name(metadata.image_root, IMAGE_SUFFIXES)
    labels = files_by_name(metadata.sem_seg_root, LABEL_SUFFIXES)
    for kind, lonely in (("image", images.keys() - labels), ("label picture", labels.keys() - images)):
        if lonely:
            some = ", ".join(sorted(lonely)[:SHOWN])
            logger.warning("%s: left out, no counterpart: %d × %s (%s …).", metadata.name, len(lonely), kind, some)
    names = sorted(images.keys() & labels.keys())
    if not names:
        raise DataError(
            f"{metadata.name}: no picture of {metadata.image_root} has a label picture of its name in "
            f"{metadata.sem_seg_root}; {metadata.prepare_command}."
        )
    return [
        {"file_name": str(images[name]), "image_id": name, "sem_seg_file_name": str(labels[name])} for name in names
    ]
