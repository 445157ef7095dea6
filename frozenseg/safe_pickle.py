"""Safe reader of pickles: containers, numbers, text, arrays and tensors; any other class or function is refused.

NumPy's own unpickling functions trust the file. They are replaced by stand-ins that only interpret bytes. Torch's safe
reader uses the same stand-ins, so that the result does not depend on the versions of numpy and torch.
"""

import io
import os
import pickle
import struct
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Literal

import numpy as np
import torch

ARRAY_KINDS = "biufcSU"  # dtype kinds: booleans, numbers and text; no objects, no records
Order = Literal["C", "F"]
UNREADABLE_PICKLE = (  # errors of the reader of a damaged or refused pickle
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    ValueError,
    TypeError,
    AssertionError,
    struct.error,
)
ARCHIVE_EXPANSION = 4  # largest ratio of an archive's content to its size: torch stores tensors uncompressed


class ForeignClassError(pickle.UnpicklingError):
    """Pickle with a class or function other than containers, arrays and tensors.

    Args:
        name: the class or function, with its module.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class ExpandingArchiveError(pickle.UnpicklingError):
    """Archive whose compressed content is much larger than its file."""


class PickledDtype:
    """Stand-in for ``numpy.dtype``.

    Args:
        code: numpy's type code, such as ``f4``.
        _: the other arguments of ``numpy.dtype``, which are always the same.
    """

    def __init__(self, code: str, *_: Any) -> None:
        self.dtype = np.dtype(code)
        if self.dtype.kind not in ARRAY_KINDS:
            raise ForeignClassError(f"numpy array of dtype {self.dtype}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, *_ = state
        self.dtype = self.dtype.newbyteorder(order)


class PickledArray:
    """Stand-in for ``numpy.ndarray``; :attr:`value` is the array.

    Args:
        _: class and shape of the empty array that numpy would start from.
    """

    def __init__(self, *_: Any) -> None:
        self.value = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, data = state
        self.value = _array(data, kind, shape, "F" if fortran else "C")


def _array(data: bytes | str, kind: PickledDtype, shape: tuple[int, ...], order: Order) -> np.ndarray:
    raw = data.encode("latin1") if isinstance(data, str) else data  # Python 2 had one type for text and bytes
    return np.frombuffer(raw, kind.dtype).reshape(shape, order=order)


def _scalar(kind: PickledDtype, data: bytes | str) -> PickledArray:
    scalar = PickledArray()
    scalar.value = _array(data, kind, (), "C")
    return scalar


def _from_buffer(
    data: bytes, kind: PickledDtype, shape: tuple[int, ...], order: str, axes: tuple[int, ...] | None = None
) -> PickledArray:
    array = PickledArray()
    array.value = _array(data, kind, shape, "F" if order == "F" else "C")
    array.value = array.value if axes is None else array.value.transpose(axes)
    return array


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ForeignClassError(f"_codecs.encode to {encoding!r}")
    return text.encode("latin1")


def _storage(data: bytes) -> Any:
    refuse_expanding(io.BytesIO(data))
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


class _Call:
    """Function that a pickle may call, but not modify through ``__setstate__``."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise ForeignClassError("change to a function")


NUMPY: dict[str, Any] = {
    "numpy.ndarray": PickledArray,
    "numpy.dtype": PickledDtype,
    **{
        f"{core}.{name}": stand_in
        for core in ("numpy.core", "numpy._core")  # numpy 1 and 2
        for name, stand_in in (
            ("multiarray._reconstruct", PickledArray),
            ("multiarray.scalar", _Call(_scalar)),
            ("numeric._frombuffer", _Call(_from_buffer)),
        )
    },
}
ADMITTED: dict[str, Any] = {
    **NUMPY,
    "collections.OrderedDict": OrderedDict,
    "_codecs.encode": _Call(_latin1),
    "torch.storage._load_from_bytes": _Call(_storage),
    "torch._utils._rebuild_tensor_v2": _Call(torch._utils._rebuild_tensor_v2),
    "torch._utils._rebuild_parameter": _Call(torch._utils._rebuild_parameter),
}


class _Whole:
    """Binary file whose reads are complete or raise EOFError before memory is reserved for them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = os.fstat(file.fileno()).st_size if hasattr(file, "name") else len(file.read())
        if not hasattr(file, "name"):
            file.seek(0)
        self.readline = file.readline

    def read(self, count: int) -> bytes:
        """Return exactly ``count`` bytes."""
        data = self._file.read(count) if count <= self._left else b""
        if len(data) < count:
            raise EOFError(f"{count} bytes are stated, but the file is shorter")
        return data


class _Unpickler(pickle._Unpickler):
    """Unpickler in Python: that in C reserves memory for the sizes and indices that a damaged file states."""

    read: Callable[[int], bytes]  # set by load()
    append: Callable[[Any], None]
    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a class or function of the pickle."""
        full = f"{module}.{name}"
        if full not in ADMITTED:
            raise ForeignClassError(full)
        return ADMITTED[full]

    def load_bytearray8(self) -> None:
        """Read the length of an array of bytes, then the bytes; the inherited method reserves memory first."""
        (count,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(count)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


def load_pickle(file: BinaryIO) -> Any:
    """Read a pickle that was written by Python 2 or 3.

    Args:
        file: binary file, open for reading.

    Returns:
        The pickled value, with a :class:`PickledArray` for every numpy array and number.

    Raises:
        ForeignClassError: the pickle has a class or function other than containers, arrays and tensors.
        pickle.UnpicklingError: the pickle is damaged; so does any other of :data:`UNREADABLE_PICKLE`.
    """
    return _Unpickler(_Whole(file), encoding="latin1").load()


def load_torch(path: Path) -> Any:
    """Read a file of ``torch.save`` like :func:`load_pickle`, with torch's safe reader.

    Args:
        path: file to read; tensors are loaded to the CPU.

    Raises:
        pickle.UnpicklingError: the file has another class or function, or is damaged; any other error means damage.
    """
    with path.open("rb") as file:
        refuse_expanding(file)
    stand_ins: list[Any] = [(stand_in, name) for name, stand_in in NUMPY.items()]
    with torch.serialization.safe_globals(stand_ins), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected pickle protocol")  # of a damaged or a rewritten file
        return torch.load(path, map_location="cpu", weights_only=True)


def refuse_expanding(file: BinaryIO) -> None:
    """Raise ExpandingArchiveError for a zip archive whose content is much larger than its file.

    Args:
        file: binary file, of any format; its position is changed.

    Raises:
        pickle.UnpicklingError: the archive is damaged.
    """
    size = file.seek(0, io.SEEK_END)
    try:
        if not zipfile.is_zipfile(file):
            return
        with zipfile.ZipFile(file) as archive:
            content = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise pickle.UnpicklingError(str(error)) from error
    if content > ARCHIVE_EXPANSION * size:
        raise ExpandingArchiveError(f"its {size:,} bytes would unpack to {content:,}, which weights never do")
