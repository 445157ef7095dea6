"""Images as the segmenter takes them: files, encoded bytes, PIL images, arrays and tensors, all read as upright RGB."""

import io
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from frozenseg.data.images import as_rgb, decode_image
from frozenseg.errors import DataError

ImageLike = str | Path | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray | Tensor
CHANNELS = (1, 3, 4)  # grey, RGB, RGB with alpha
REPLACE = "replace it"
SUPPORTED_IMAGES = (
    "a path, an encoded file (bytes or a binary file), a PIL image, an array (H, W, 3) or a tensor (3, H, W)"
)
ADDRESSES = ("http:", "https:", "ftp:", "s3:", "gs:", "data:")  # beginnings of texts that are no paths
_decoding = threading.Lock()  # PIL images decode at the first access, which two threads must not do at once


def load_image(image: ImageLike) -> Image.Image:
    """Return an upright RGB image.

    Args:
        image: path; encoded file as bytes or as a binary file, which is read from its beginning; PIL image of any mode;
            (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) array; (H, W), (1, H, W), (3, H, W) or (4, H, W) tensor. Arrays
            and tensors are RGB: uint8, other integers from 0 to 255, uint16 from 0 to 65535, bool, or floats from 0 to
            1. A fourth channel, alpha, has no effect, as in files.

    Raises:
        DataError: the image cannot be decoded, or the value is no image.
    """
    if isinstance(image, (str, os.PathLike)):
        return _of_path(image)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _of_bytes(bytes(image), f"in {len(image)} bytes")
    if isinstance(image, Image.Image):
        return _of_pil(image)
    if isinstance(image, Tensor):
        return _of_array(_channels_last(image), "tensor")
    if isinstance(image, (np.ndarray, np.generic)):
        return _of_array(np.asarray(image), "array")
    if hasattr(image, "read"):
        return _of_file(image)
    raise DataError(f"An image is of type {type(image).__name__}, expected {SUPPORTED_IMAGES}.{_hint(image)}")


def _hint(image: object) -> str:
    if isinstance(image, (list, tuple)):
        return " Lists of images cannot be nested, and numbers must be in an array: np.array(...)."
    if isinstance(image, Iterable):
        return " For several images, pass list(...)."
    return ""


def _of_path(path: str | os.PathLike[str]) -> Image.Image:
    name = os.fspath(path)
    if not isinstance(name, str):
        name = os.fsdecode(name)
    if name.startswith(ADDRESSES):
        raise DataError(f"The image {name[:80]!r} is an address, not a file: download it, or pass its bytes.")
    if not name:
        raise DataError("The image is an empty text, expected the path of a file.")
    if os.path.isdir(name):
        raise DataError(f"The image {name} is a folder, expected a file: pass a list of its files.")
    return decode_image(name, name, REPLACE)


def _of_bytes(content: bytes, name: str) -> Image.Image:
    if not content:
        raise DataError(f"The image {name} is empty: pass the bytes of an encoded file, such as JPEG or PNG.")
    advice = "pass an encoded file, such as JPEG or PNG, and pixels as an array (H, W, 3)"
    return decode_image(io.BytesIO(content), name, advice)


def _of_file(file: BinaryIO) -> Image.Image:
    name = f"in the file {getattr(file, 'name', '') or 'object'}"
    try:
        if file.seekable():
            file.seek(0)
        content = file.read()
    except (OSError, ValueError, AttributeError, TypeError) as error:  # closed, not readable, or no file
        raise DataError(f"The image {name} cannot be read ({error}): pass a file that is open('rb').") from error
    if not isinstance(content, (bytes, bytearray)):
        raise DataError(f"The image {name} is read as {type(content).__name__}, expected bytes: open it with 'rb'.")
    return _of_bytes(bytes(content), name)


def _of_pil(image: Image.Image) -> Image.Image:
    name = getattr(image, "filename", "") or "without a file name"
    if 0 in image.size:
        raise DataError(f"The image {name} has {image.width}×{image.height} pixels, expected at least one a side.")
    try:
        with _decoding:
            return as_rgb(image)
    except (AssertionError, AttributeError) as error:  # Pillow's answer to a closed file
        raise DataError(f"The image {name} cannot be decoded (its file is closed): open it again.") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"The image {name} cannot be decoded ({error}): {REPLACE}.") from error


def _channels_last(tensor: Tensor) -> np.ndarray:
    """Return a (C, H, W) tensor as an (H, W, C) array."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type == "meta":
        raise DataError(f"An image tensor is {_kind_of(tensor)}, expected a dense tensor with values.")
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16 or str(tensor.dtype).startswith("torch.float8"):
        tensor = tensor.float()
    if tensor.ndim == 3 and tensor.shape[0] not in CHANNELS:
        hint = "pass image.permute(2, 0, 1)" if tensor.shape[-1] in CHANNELS else "pass one image of 1, 3 or 4 channels"
        raise DataError(f"An image tensor must be (channels, H, W); received {tuple(tensor.shape)}: {hint}.")
    array: np.ndarray = tensor.resolve_conj().resolve_neg().numpy()
    if array.ndim == 3:
        array = array.transpose(1, 2, 0)
    return array


def _kind_of(tensor: Tensor) -> str:
    if tensor.device.type == "meta":
        return "on the device 'meta'"
    return "quantized" if tensor.is_quantized else f"of layout {tensor.layout}"


def _of_array(array: np.ndarray, kind: str) -> Image.Image:
    """Return an (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) array as an image."""
    received = f"received {array.shape} {array.dtype}"
    if array.ndim == 4:
        raise DataError(f"An image {kind} must be one image; {received}, a batch: pass list(...) for several results.")
    if array.ndim not in (2, 3) or array.size == 0 or (array.ndim == 3 and array.shape[2] not in CHANNELS):
        turned = array.ndim == 3 and array.size and array.shape[0] in CHANNELS
        hint = ": pass image.transpose(1, 2, 0)" if turned else ""
        raise DataError(f"An image {kind} must be (H, W, 3) RGB or (H, W) grey with pixels; {received}{hint}.")
    levels = _levels(array, kind)
    if levels.ndim == 3 and levels.shape[2] == 1:
        levels = levels[..., 0]
    if levels.dtype == np.uint16:  # Pillow has 16 bits for one channel only
        channels = [levels] if levels.ndim == 2 else [levels[..., channel] for channel in range(3)]
        bands = [as_rgb(Image.fromarray(np.ascontiguousarray(band))).getchannel(0) for band in channels]
        return Image.merge("RGB", bands * 3 if len(bands) == 1 else bands)
    return as_rgb(Image.fromarray(np.ascontiguousarray(levels)))


def _levels(array: np.ndarray, kind: str) -> np.ndarray:
    """Return the values of an image as uint8, or as uint16 where the array is of that type."""
    array = np.asarray(array, dtype=array.dtype.newbyteorder("="))
    if array.dtype in (np.uint8, np.uint16):
        return array
    if array.dtype.kind == "b":
        return 255 * array.astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise DataError(f"An image {kind} is of type {array.dtype}, expected uint8, or floats from 0 to 1.")
    low, high = array.min(), array.max()  # NaN if there is one
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"An image {kind} of type {array.dtype} has values that are not finite: replace them.")
    limit = 1 if array.dtype.kind == "f" else 255
    if low < 0 or high > limit:
        hint = "divide by 255" if limit == 1 and low >= 0 and high <= 255 else "scale them, or use uint8 from 0 to 255"
        raise DataError(
            f"An image {kind} of type {array.dtype} has values from {low:.6g} to {high:.6g}, expected 0 to {limit}: "
            f"{hint}."
        )
    if limit == 255:
        return array.astype(np.uint8)
    return np.rint(array.astype(np.float32) * 255).astype(np.uint8)
