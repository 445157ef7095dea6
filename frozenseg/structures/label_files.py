"""Annotation and prediction images: segment ids (panoptic PNG) and class labels (semantic PNG or TIFF).

Their EXIF orientation is not applied: they are read as stored.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from frozenseg.atomic import replacing
from frozenseg.errors import DataError
from frozenseg.structures.image_files import has_several_frames, opened_image
from frozenseg.structures.label_coding import LabelCoding
from frozenseg.structures.label_runs import Runs
from frozenseg.structures.panoptic import id_to_rgb

LABEL_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp"})
THREE_BYTES = 0xFFFFFF
LOSSY_FORMATS = frozenset({"JPEG", "MPO"})
LABEL_MODES = frozenset({"1", "L", "P", "LA", "RGB", "RGBA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
ID_MODES = frozenset({"1", "L", "P", "LA", "PA", "RGB", "RGBA", "RGBX"})
GREY_SCALE = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
ONE_CHANNEL = "one channel with class ids as values"


def read_segment_ids(path: str | Path) -> np.ndarray:
    """Read a panoptic PNG.

    Args:
        path: an RGB image, ``id = R + 256·G + 65536·B``.

    Returns:
        (H, W) int32 segment ids, 0 is void.

    Raises:
        DataError: the file is missing or is not an image.
    """
    return _read_pixels(path) & THREE_BYTES


def read_segment_runs(path: str | Path) -> Runs:
    """Read a panoptic PNG as runs of segment ids: :func:`read_segment_ids` and :meth:`Runs.of`, but faster."""
    runs = Runs.of(_read_pixels(path))
    return runs._replace(values=runs.values & THREE_BYTES)


def read_segment_colours(path: str | Path) -> Image.Image:
    """Read a panoptic PNG as an RGB image; the colours are the segment ids, see :func:`read_segment_ids`."""
    with _opened_ids(path) as image:
        return image.convert("RGB")


def stored_size(path: str | Path) -> tuple[int, int] | None:
    """Return height and width of an image as stored, from its header; None if it cannot be read."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except Exception:  # noqa: BLE001 (decoders raise errors of any kind; reading the image names the file)
        return None


def read_labels(path: str | Path, coding: LabelCoding | None = None) -> np.ndarray:
    """Read a label image.

    Args:
        path: an image of one channel with class ids as values, 1 to 32 bits; grey images in RGB count as one channel,
            an alpha channel is ignored.
        coding: meaning of the values or colours of a custom data set; None: the values are returned as they are. Only
            with colours, label images may be RGB.

    Returns:
        (H, W) integers.

    Raises:
        DataError: the file is missing, is not an image, is lossy, or does not have one channel.
    """
    with opened_image(path) as image:
        _check_label_format(image, path)
        if image.mode not in LABEL_MODES:
            raise DataError(f"The label image {path} has pixels of kind {image.mode}; expected {ONE_CHANNEL}.")
        if image.mode == "P":
            indices = np.asarray(image)
            if coding is None or not coding.colours:
                return indices if coding is None else coding.decode_values(indices, str(path))
            return coding.decode_indexed(indices, _palette(image), str(path), is_grey=False)
        pixels = np.asarray(image)
    if pixels.ndim == 3:
        pixels = _without_alpha(pixels, path)
        is_grey = bool((pixels == pixels[..., :1]).all())
        if coding is not None and coding.colours and not is_grey:
            return coding.decode_colours(pixels, str(path))
        if not is_grey:
            raise DataError(
                f"The label image {path} has 3 channels; expected {ONE_CHANNEL}, or colours and a class list with "
                "another one for each class (columns r, g, b, or labelmap.txt of CVAT)."
            )
        pixels = np.ascontiguousarray(pixels[..., 0])
    pixels = _integers(pixels, path)
    if coding is None:
        return pixels
    if coding.colours and pixels.dtype == np.uint8:
        return coding.decode_indexed(pixels, GREY_SCALE, str(path), is_grey=True)
    return coding.decode_values(pixels, str(path))


def write_segment_ids(path: str | Path, ids: np.ndarray) -> None:
    """Write a panoptic PNG atomically.

    Args:
        path: the file.
        ids: (H, W) integers in 0 … 16 777 215.
    """
    with replacing(path) as temporary:
        Image.fromarray(id_to_rgb(ids)).save(temporary)


def write_labels(path: str | Path, labels: np.ndarray) -> None:
    """Write a semantic PNG (8 bits) or TIFF (16 bits) atomically.

    Args:
        path: the file; its suffix is the format.
        labels: (H, W) uint8 or uint16.
    """
    with replacing(path) as temporary:
        Image.fromarray(labels).save(temporary)


def walk_files(folder: str | Path) -> Iterator[Path]:
    """Yield the files below a folder; hidden files and folders are left out, links to folders are followed once.

    ``__MACOSX`` counts as hidden: archives from macOS hold a copy of every file name there.
    """
    visited: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        visited.add(os.path.realpath(parent))
        folders[:] = sorted(
            name
            for name in folders
            if not _is_hidden(name) and os.path.realpath(os.path.join(parent, name)) not in visited
        )
        yield from (Path(parent, name) for name in sorted(names) if not _is_hidden(name))


def files_by_name(folder: str | Path, suffixes: Collection[str]) -> dict[str, Path]:
    """Find files by suffix, recursively.

    Args:
        folder: searched with its subfolders; hidden files are ignored.
        suffixes: in lower case, with the dot.

    Returns:
        Paths by name: the path relative to ``folder`` without the suffix, in alphabetical order.

    Raises:
        DataError: two files differ only in their suffix.
    """
    folder = Path(folder)
    files: dict[str, Path] = {}
    for path in sorted(walk_files(folder)):
        if path.suffix.lower() in suffixes:
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in files:
                raise DataError(f"{files[name]} and {path} have the same name: remove one of them.")
            files[name] = path
    return files


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _read_pixels(path: str | Path) -> np.ndarray:
    """Return (H, W) int32 pixels; the lower three bytes are R, G, B."""
    with _opened_ids(path) as image:
        colours = image if image.mode == "RGB" else image.convert("RGB")
        # Pillow stores the three channels in four bytes, which are the little-endian ids (and an unused fourth byte)
        pixels = np.frombuffer(colours.tobytes("raw", "RGBX"), dtype="<i4")
        return pixels.reshape(image.height, image.width)


@contextmanager
def _opened_ids(path: str | Path) -> Iterator[Image.Image]:
    """Open a panoptic PNG, in a mode that can be converted to RGB without loss."""
    with opened_image(path) as image:
        _check_label_format(image, path)
        if image.mode not in ID_MODES:
            raise DataError(
                f"The panoptic image {path} has pixels of kind {image.mode}; expected RGB, 8 bits per channel, with "
                "id = R + 256·G + 65536·B."
            )
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")  # Pillow warns about a direct conversion to RGB
        yield image


def _check_label_format(image: Image.Image, path: str | Path) -> None:
    if image.format in LOSSY_FORMATS:
        raise DataError(
            f"The label image {path} is a JPEG, whose compression changes values: export it as PNG or TIFF."
        )
    if has_several_frames(image):
        raise DataError(f"The label image {path} has several frames; expected one: export each as a file.")


def _without_alpha(pixels: np.ndarray, path: str | Path) -> np.ndarray:
    """Return the colour channels of (H, W, channels), an even number of channels includes alpha."""
    if pixels.shape[2] % 2:
        return pixels
    colours, alpha = pixels[..., :-1], pixels[..., -1]
    if (colours == colours[:1, :1]).all() and (alpha != alpha[0, 0]).any():
        raise DataError(
            f"The label image {path} has one colour, only its transparency varies; expected {ONE_CHANNEL}: export it "
            "without transparency."
        )
    return colours


def _integers(pixels: np.ndarray, path: str | Path) -> np.ndarray:
    """Return pixels as integers in the byte order of the machine."""
    if pixels.dtype == bool:
        return pixels.astype(np.uint8)
    if pixels.dtype.kind == "f":
        whole = np.abs(pixels) < 2**24  # float32 holds these integers exactly; False for NaN
        if not whole.all() or (pixels != np.floor(pixels)).any():
            raise DataError(f"The label image {path} holds fractions or huge values; expected {ONE_CHANNEL}.")
        return pixels.astype(np.int32)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _palette(image: Image.Image) -> np.ndarray:
    """Return the palette of an image, (256, 3) uint8; entries that the file lacks are black."""
    entries = np.array(image.getpalette("RGB") or [], dtype=np.uint8)[: GREY_SCALE.size]
    palette = np.zeros(GREY_SCALE.size, dtype=np.uint8)
    palette[: entries.size] = entries
    return palette.reshape(GREY_SCALE.shape)
