"""Label image format: a folder of images and a folder of label images with the same names → records."""

from frozenseg.data.formats.annotation_file import existing_path
from frozenseg.data.metadata import Metadata
from frozenseg.errors import DataError
from frozenseg.log import get_logger
from frozenseg.structures.label_files import LABEL_SUFFIXES, files_by_name
from frozenseg.structures.record import Record

logger = get_logger(__name__)
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
NAMES_IN_WARNING = 5


def load_label_images(metadata: Metadata) -> list[Record]:
    """Read a data set of images and label images.

    Two files belong together if their paths inside the folders are equal except for the ending. Files without a
    counterpart are left out with a warning.

    Args:
        metadata: with ``image_root``, ``sem_seg_root`` and ``prepare_command``.

    Returns:
        One record for each pair, by name; ``image_id`` is the name.

    Raises:
        DataError: a folder is missing, two files have one name, or no files belong together.
    """
    image_root = existing_path(metadata, "image_root", "image folder")
    label_root = existing_path(metadata, "sem_seg_root", "folder of label images")
    images, labels = files_by_name(image_root, IMAGE_SUFFIXES), files_by_name(label_root, LABEL_SUFFIXES)
    for kind, unpaired in (("image", images.keys() - labels), ("label image", labels.keys() - images)):
        if unpaired:
            names = ", ".join(sorted(unpaired)[:NAMES_IN_WARNING])
            logger.warning("%s: left out, no counterpart: %d × %s (%s …).", metadata.name, len(unpaired), kind, names)
    paired = sorted(images.keys() & labels.keys())
    if not paired:
        raise DataError(
            f"{metadata.name}: no image of {image_root} has a label image of the same name in {label_root}; "
            f"{metadata.prepare_command}."
        )
    return [
        {"file_name": str(images[name]), "image_id": name, "sem_seg_file_name": str(labels[name])} for name in paired
    ]
