"""Safe reader of pickles: accepted values are exact, anything else is refused."""

import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from frozenseg.safe_pickle import ForeignClassError, PickledArray, load_pickle, load_torch

PYTHON_2 = (  # cPickle.dumps({"w": numpy.array([1, 2], "f4")}, 2), by Python 2.7
    b"\x80\x02}q\x01U\x01wq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87R"
    b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    b"\x89U\x08\x00\x00\x80?\x00\x00\x00@tbs."
)
ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=np.float16).reshape(2, 3)),
    np.arange(24, dtype=np.int16).reshape(2, 3, 4).transpose(2, 0, 1),
    np.array(1.5),
    np.array([1, 2], dtype=">i8"),
    np.array([True, False]),
    np.array(["cat", "dog"]),
]


def read(pickled: bytes) -> Any:
    return load_pickle(io.BytesIO(pickled))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype} {array.shape}")
def test_arrays_come_back(array: np.ndarray, protocol: int) -> None:
    value = read(pickle.dumps({"w": array}, protocol))["w"].value
    assert value.dtype == array.dtype
    np.testing.assert_array_equal(value, array)


@pytest.mark.parametrize("protocol", [2, 5])
def test_containers_numbers_and_tensors_come_back(protocol: int) -> None:
    plain = {"a": [1, 2.5, None, True], "b": OrderedDict(c=("x", b"y"))}
    assert read(pickle.dumps(plain, protocol)) == plain
    assert read(pickle.dumps(np.float32(0.5), protocol)).value == np.float32(0.5)
    tensors = [torch.arange(6.0).view(2, 3).t(), torch.ones(2, dtype=torch.bfloat16), torch.nn.Parameter(torch.ones(1))]
    for tensor in tensors:
        back = read(pickle.dumps(tensor, protocol))
        assert back.dtype == tensor.dtype
        assert torch.equal(back, tensor)


def test_python_2_is_read() -> None:
    np.testing.assert_array_equal(read(PYTHON_2)["w"].value, np.array([1, 2], dtype=np.float32))


@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
def test_torchs_reader_takes_the_arrays_of_numpy_1_and_2(core: bytes, tmp_path: Path) -> None:
    before = len(torch.serialization.get_safe_globals())
    torch.save({"w": np.arange(3.0), "s": np.int64(7)}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    old, new = (tmp_path / "a.pth").read_bytes(), b"c" + core + b".multiarray\n"
    for name in (b"numpy.core", b"numpy._core"):
        old = old.replace(b"c" + name + b".multiarray\n", new)
    (tmp_path / "a.pth").write_bytes(old)
    content = load_torch(tmp_path / "a.pth")
    assert content["w"].value.tolist() == [0, 1, 2]
    assert content["s"].value == 7
    assert len(torch.serialization.get_safe_globals()) == before  # nobody else's files are trusted more than before


class Harmful:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran",)


CHANGE = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}U\x0c__defaults__K\x01s\x86b."
OBJECTS = pickle.dumps(np.array([{}, None], dtype=object))
RECORDS = pickle.dumps(np.zeros(2, dtype=[("a", "f4")]))


@pytest.mark.parametrize(
    ("pickled", "name"),
    [
        *((pickle.dumps(Harmful(), protocol), r"(posix|nt)\.system") for protocol in range(6)),
        (b"\x80\x02cbuiltins\neval\nU\x011\x85R.", r"builtins\.eval"),
        (b"\x80\x02c__builtin__\nexecfile\nU\x011\x85R.", r"__builtin__\.execfile"),
        (b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93.", r"collections\.OrderedDict\.__init__"),
        (b"\x80\x04\x8c\x05torch\x8c\x04load\x93.", r"torch\.load"),
        (b"\x80\x02c_codecs\nencode\nU\x01aU\x05rot13\x86R.", "_codecs.encode to 'rot13'"),
        (CHANGE, "change to a function"),
        (OBJECTS, "array of dtype object"),
        (RECORDS, r"array of dtype \|V4"),
        (pickle.dumps(Path("a")), r"pathlib"),
    ],
)
def test_all_else_is_refused_by_name(
    pickled: bytes, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ForeignClassError, match=name):
        read(pickled)
    assert list(tmp_path.iterdir()) == []
    assert torch._utils._rebuild_tensor_v2.__defaults__ == (None,)


def test_an_array_keeps_to_its_bytes() -> None:
    short = pickle.dumps(np.arange(4, dtype=np.float32), 2).replace(b"K\x04\x85", b"K\x7f\x85", 1)
    with pytest.raises(ValueError, match="reshape"):
        read(short)
    assert isinstance(read(pickle.dumps(np.arange(4))), PickledArray)
