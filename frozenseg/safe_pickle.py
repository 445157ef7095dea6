"""Pickles read without running what they ask for: containers, numbers, text, arrays and tensors, nothing else.

Numpy's own way back from a pickle trusts the file; here stand-ins take its place, which look at the bytes only. They
serve torch's reader too, so that numpy 1 and 2 and every version of torch read the same file alike.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

KINDS = "biufcSU"  # truth values, numbers and text; no objects, no records


class ForeignClassError(pickle.UnpicklingError):
    """A pickle asks for something else than containers, arrays and tensors.

    Args:
        name: what it asks for, with its module.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class PickledDtype:
    """Stands in for ``numpy.dtype``.

    Args:
        code: numpy's code, such as ``f4``.
        _: its other arguments, which are always the same.
    """

    def __init__(self, code: str, *_: Any) -> None:
        self.dtype = np.dtype(code)
        if self.dtype.kind not in KINDS:
            raise ForeignClassError(f"numpy array of dtype {self.dtype}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, *_ = state
        self.dtype = self.dtype.newbyteorder(order)


class PickledArray:
    """Stands in for ``numpy.ndarray``; :attr:`value` is the array.

    Args:
        _: what numpy would begin with, an empty array's class and shape.
    """

    def __init__(self, *_: Any) -> None:
        self.value = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, data = state
        self.value = _array(data, kind, shape, "F" if fortran else "C")


def _array(data: bytes | str, kind: PickledDtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    raw = data.encode("latin1") if isinstance(data, str) else data  # Python 2 had one type for text and bytes
    return np.frombuffer(raw, kind.dtype).reshape(shape, order=order)


def _scalar(kind: PickledDtype, data: bytes | str) -> PickledArray:
    made = PickledArray()
    made.value = _array(data, kind, (), "C")
    return made


def _from_buffer(
    data: bytes, kind: PickledDtype, shape: tuple[int, ...], order: str, axes: tuple[int, ...] | None = None
) -> PickledArray:
    made = PickledArray()
    made.value = _array(data, kind, shape, "C" if order == "K" else order)
    made.value = made.value if axes is None else made.value.transpose(axes)
    return made


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ForeignClassError(f"_codecs.encode to {encoding!r}")
    return text.encode("latin1")


def _storage(data: bytes) -> Any:
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


class _Call:
    """A function that a pickle may call and cannot change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
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


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return what stands in for a class or function of the pickle."""
        full = f"{module}.{name}"
        if full not in ADMITTED:
            raise ForeignClassError(full)
        return ADMITTED[full]


def load_pickle(file: BinaryIO) -> Any:
    """Read a plain pickle, written by Python 2 or 3.

    Args:
        file: open for reading, in bytes.

    Returns:
        What was pickled, with :class:`PickledArray` for every numpy array and number.

    Raises:
        ForeignClassError: it asks for something else than containers, arrays and tensors.
        pickle.UnpicklingError: it is damaged; Python's other errors mean the same.
    """
    return _Unpickler(file, encoding="latin1").load()


def load_torch(path: Path) -> Any:
    """Read a file of ``torch.save``, as :func:`load_pickle` does, by torch's own safe reader.

    Args:
        path: the file.

    Raises:
        pickle.UnpicklingError: it holds something else, or is damaged; other errors mean the latter.
    """
    with torch.serialization.safe_globals([(stand_in, name) for name, stand_in in NUMPY.items()]):
        return torch.load(path, map_location="cpu", weights_only=True)
