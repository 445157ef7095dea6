"""Pairs of images and label images by their names, also with endings such as ``_mask`` and in one folder."""

import unicodedata
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from frozenseg.errors import DataError
from frozenseg.structures.label_files import LABEL_SUFFIXES, files_by_name

LOSSY_SUFFIXES = frozenset({".jpg", ".jpeg", ".webp"})
IMAGE_SUFFIXES = LOSSY_SUFFIXES | {".png", ".bmp", ".tif", ".tiff"}
LABEL_ENDINGS = (
    *("_mask", "-mask", ".mask", "_masks", "_label", "-label", "_labels", "_lab", "_gt", "_groundtruth"),
    *("_seg", "-seg", "_segmentation", "_annotation", "_semantic", "_L"),
    *("_labelIds", "_labelTrainIds", "_gtFine_labelIds", "_gtFine_labelTrainIds"),
)
IMAGE_ENDINGS = ("", "_leftImg8bit", "_image", "_rgb", "_sat")
Pair = tuple[Path, Path]  # image, label image


class FilePairs(NamedTuple):
    """Images with their label images.

    Attributes:
        pairs: name of the image → its file and that of its label image, by name.
        ending: ending of the names of label images; empty if the names are equal.
        unpaired_images: names of images without a label image.
        unpaired_labels: names of label images without an image.
    """

    pairs: dict[str, Pair]
    ending: str
    unpaired_images: list[str]
    unpaired_labels: list[str]


def pair_files(image_root: Path, label_root: Path, ending: str = "") -> FilePairs:
    """Pair the images of a folder with the label images of a folder, which may be the same.

    Two files belong together if their paths inside the folders are equal up to the suffix, regardless of capitals if no
    other file has that name. Only if there is no such pair, known endings of label images are tried.

    Args:
        image_root: folder of the images.
        label_root: folder of the label images.
        ending: ending of the names of label images, such as ``_mask``; empty to find it.

    Raises:
        DataError: two files have one name, or several endings match.
    """
    images, labels = _files(image_root, label_root)
    pairs = {} if ending else _pairs(images, labels, "", "")
    if not pairs:
        ending, pairs = _pairs_with_ending(images, labels, [ending] if ending else LABEL_ENDINGS)
    used = {path for pair in pairs.values() for path in pair}
    return FilePairs(pairs, ending, _unused(images, used), _unused(labels, used))


def _files(image_root: Path, label_root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return images and label images by name; a folder inside the other one is part of its kind only."""
    image_folder, label_folder = image_root.resolve(), label_root.resolve()
    if image_folder == label_folder:
        labels = files_by_name(label_root, LABEL_SUFFIXES)
        return files_by_name(image_root, LOSSY_SUFFIXES) or labels, labels
    images, labels = files_by_name(image_root, IMAGE_SUFFIXES), files_by_name(label_root, LABEL_SUFFIXES)
    if image_folder in label_folder.parents:
        images = {name: path for name, path in images.items() if label_folder not in path.resolve().parents}
    if label_folder in image_folder.parents:
        labels = {name: path for name, path in labels.items() if image_folder not in path.resolve().parents}
    return images, labels


def _pairs_with_ending(
    images: Mapping[str, Path], labels: Mapping[str, Path], endings: Sequence[str]
) -> tuple[str, dict[str, Pair]]:
    """Return the ending of label images that gives pairs, and the pairs; empty if none does."""
    occurring = [ending for ending in endings if any(name.endswith(ending) for name in labels)]
    matching = [
        (ending, pairs)
        for ending in occurring
        for image_ending in IMAGE_ENDINGS
        if (pairs := _pairs(images, labels, image_ending, ending))
    ]
    if len(matching) > 1:
        names = ", ".join(next(iter(pairs.values()))[1].name for _, pairs in matching)
        raise DataError(
            f"Label images have several endings ({names}): choose one with &ending=…, such as &ending={matching[0][0]}."
        )
    return matching[0] if matching else ("", {})


def _pairs(
    images: Mapping[str, Path], labels: Mapping[str, Path], image_ending: str, label_ending: str
) -> dict[str, Pair]:
    """Return the pairs of names that are equal up to the two endings, by name of the image."""
    image_of = {name.removesuffix(image_ending): name for name in images if name.endswith(image_ending)}
    label_of = {name.removesuffix(label_ending): name for name in labels if name.endswith(label_ending)}
    stems = {stem: stem for stem in image_of if stem in label_of}
    label_of_spelling = _unambiguous(label_of.keys() - stems.keys())
    for spelling, stem in _unambiguous(image_of.keys() - stems.keys()).items():
        if spelling in label_of_spelling:
            stems[stem] = label_of_spelling[spelling]
    pairs = {image_of[stem]: (images[image_of[stem]], labels[label_of[other]]) for stem, other in stems.items()}
    return {name: pair for name, pair in sorted(pairs.items()) if pair[0] != pair[1]}


def _unambiguous(stems: Iterable[str]) -> dict[str, str]:
    """Return stems by their spelling without capitals and Unicode forms, where no other stem has the same."""
    alike: dict[str, list[str]] = {}
    for stem in stems:
        alike.setdefault(unicodedata.normalize("NFC", stem).casefold(), []).append(stem)
    return {spelling: group[0] for spelling, group in alike.items() if len(group) == 1}


def _unused(files: Mapping[str, Path], used: Container[Path]) -> list[str]:
    return [name for name, path in files.items() if path not in used]
