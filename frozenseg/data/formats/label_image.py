"""Label image format: a folder of images and a folder of label images with the same names → records."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from frozenseg.data.formats.annotation_file import existing_path
from frozenseg.data.formats.label_pairs import FilePairs, pair_files
from frozenseg.data.metadata import Metadata
from frozenseg.errors import DataError
from frozenseg.log import get_logger, warn_once
from frozenseg.structures.label_files import LABEL_SUFFIXES, read_labels, walk_files
from frozenseg.structures.record import Record

logger = get_logger(__name__)
NAMES_IN_WARNING = 5
BINARY_SAMPLE = 4  # label images that are searched for the values of binary masks
BINARY_VALUES = {0, 255}


def load_label_images(metadata: Metadata) -> list[Record]:
    """Read a data set of images and label images.

    Two files belong together if their paths inside the folders are equal except for the suffix, or except for an ending
    such as ``_mask`` that all label images have. Files without a counterpart are left out with a warning.

    Args:
        metadata: with ``image_root``, ``sem_seg_root`` and ``prepare_command``; optionally ``label_ending``, and
            ``label_coding``, which becomes a field of the records.

    Returns:
        One record for each pair, by name; ``image_id`` is the name.

    Raises:
        DataError: a folder is missing, two files have one name, or no files belong together.
    """
    image_root = existing_path(metadata, "image_root", "image folder")
    label_root = existing_path(metadata, "sem_seg_root", "folder of label images")
    ending = metadata.label_ending
    paired = pair_files(image_root, label_root, ending)
    if not paired.pairs:
        raise DataError(
            f"{metadata.name}: no image of {image_root} has a label image of the same name in {label_root}"
            f"{_reason(paired, label_root)}; {metadata.prepare_command}."
        )
    if paired.ending and not ending:
        message = "%s: label images that end with %r are paired with the images: %d pairs, such as %s and %s."
        image, label = next(iter(paired.pairs.values()))
        warn_once(logger, message, metadata.name, paired.ending, len(paired.pairs), image.name, label.name)
    for kind, unpaired in (("image", paired.unpaired_images), ("label image", paired.unpaired_labels)):
        if unpaired:
            names = ", ".join(sorted(unpaired)[:NAMES_IN_WARNING])
            logger.warning("%s: left out, no counterpart: %d × %s (%s …).", metadata.name, len(unpaired), kind, names)
    coding = {} if metadata.label_coding is None else {"label_coding": metadata.label_coding}
    if not coding:
        _warn_of_binary_masks(metadata, [label for _, label in paired.pairs.values()])
    return [
        {"file_name": str(image), "image_id": name, "sem_seg_file_name": str(label), **coding}
        for name, (image, label) in paired.pairs.items()
    ]


def _reason(paired: FilePairs, label_root: Path) -> str:
    """Return what is known about files that do not belong together, for the message."""
    if not paired.unpaired_labels:
        suffixes = {path.suffix.lower() for path in walk_files(label_root)}
        if suffixes & {".jpg", ".jpeg"}:
            return " (label images cannot be JPEG files, whose compression changes values: export them as PNG)"
        return f" (it has no files {', '.join(sorted(LABEL_SUFFIXES))})"
    if not paired.unpaired_images:
        return " (there are no images)"
    image, label = paired.unpaired_images[0], paired.unpaired_labels[0]
    return f" (images such as {image!r}, label images such as {label!r}; &ending=_mask names a common ending)"


def _warn_of_binary_masks(metadata: Metadata, labels: Sequence[Path]) -> None:
    """Log a warning if label images hold 0 and 255 only, as binary masks do, and 255 is the value to ignore."""
    if metadata.ignore_label != max(BINARY_VALUES):
        return
    used: set[int] = set()
    for index in np.linspace(0, len(labels) - 1, min(BINARY_SAMPLE, len(labels))).astype(int):
        try:
            used |= set(np.unique(read_labels(labels[index])).tolist())
        except DataError:
            return  # named when the image is loaded
    if used != BINARY_VALUES:
        return
    names = metadata.vocabulary.names
    shown, advice = f"{names[0]!r} is 0", "&values=255&ignore=0"
    if len(names) > 1:
        shown, advice = f"no pixel has the class {names[1]!r}", "&values=0,255 (one value for each class)"
    warn_once(
        logger,
        "%s: the label images that were examined hold the values 0 and 255 only, and 255 means unlabelled, so that %s. "
        "If 255 means %r, add %s to the name of the data set.",
        *(metadata.name, shown, names[-1] if len(names) < len(BINARY_VALUES) else names[1], advice),
    )
