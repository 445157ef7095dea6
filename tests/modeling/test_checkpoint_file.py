"""Files of weights: every form is read into the same dictionary, everything else is answered with a sentence."""

import json
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from frozenseg.errors import CheckpointError
from frozenseg.modeling.checkpoint_file import read_checkpoint, trained_vocabulary, write_checkpoint
from tests.tiny import TRAINING

WEIGHTS = {"layer.weight": torch.arange(6.0).view(2, 3), "layer.bias": torch.ones(2), "scale": torch.tensor(0.5)}
ARRAYS = {name: value.numpy() for name, value in WEIGHTS.items()}
OURS: dict[str, Any] = {
    "model": WEIGHTS,
    "frozen": {"backbone": "0123"},
    "vocabulary": ["cat,kitten", "dog", "sky"],
    "isthing": [True, True, False],
    "config": "SEED: 1  # ü\n",
}


def pickled(content: Any, path: Path, protocol: int = 2) -> None:
    path.write_bytes(pickle.dumps(content, protocol))


def older(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def bare_safetensors(content: Any, path: Path) -> None:
    save_file(content, path)


@pytest.mark.parametrize(
    ("content", "write"),
    [
        (WEIGHTS, torch.save),
        (WEIGHTS, bare_safetensors),
        (WEIGHTS, pickled),
        (ARRAYS, torch.save),
        (OrderedDict(ARRAYS), pickled),
        ({"model": WEIGHTS, "optimizer": {"lr": 0.1}, "trainer": {"iteration": 3}, "iteration": 3}, torch.save),
        ({"state_dict": WEIGHTS, "epoch": 3, "arch": "resnet"}, torch.save),
        ({"model": WEIGHTS}, older),
        ({"model": ARRAYS, "iteration": np.int64(3), "lr": np.float64(0.1)}, torch.save),
        ({"model": ARRAYS, "__author__": "somebody", "matching_heuristics": True}, pickled),
        ({"state_dict": {f"module.{name}": value for name, value in WEIGHTS.items()}}, torch.save),
        ({**WEIGHTS, "classes": ["cat"], "names": np.array(["cat"])}, torch.save),
    ],
)
@pytest.mark.parametrize("name", ["weights.pth.tar", "weights.pkl"])  # known by their content
def test_every_form_is_read(content: Any, write: Callable[[Any, Path], None], name: str, tmp_path: Path) -> None:
    write(content, tmp_path / name)
    checkpoint = read_checkpoint(tmp_path / name)
    assert list(checkpoint) == ["model"]
    assert sorted(checkpoint["model"]) == sorted(WEIGHTS)
    for weight, value in WEIGHTS.items():
        assert torch.equal(checkpoint["model"][weight], value)


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
def test_our_own_come_back_whole(name: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / name, OURS)
    checkpoint = read_checkpoint(tmp_path / name)
    assert {key: value for key, value in checkpoint.items() if key != "model"} == {
        key: value for key, value in OURS.items() if key != "model"
    }
    assert trained_vocabulary(checkpoint) == TRAINING
    assert torch.equal(checkpoint["model"]["scale"], WEIGHTS["scale"])
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_the_trainer_needs_is_kept_in_pth_alone(tmp_path: Path) -> None:
    content = {**OURS, "trainer": {"iteration": 3}}
    for name in ("model.pth", "model.safetensors"):
        write_checkpoint(tmp_path / name, content)
    assert read_checkpoint(tmp_path / "model.pth")["trainer"] == {"iteration": 3}
    assert "trainer" not in read_checkpoint(tmp_path / "model.safetensors")


def test_half_precision_is_kept_as_stored(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "a.safetensors")
    assert read_checkpoint(tmp_path / "a.safetensors")["model"]["a"].dtype == torch.bfloat16
    torch.save({"a": np.ones(2, dtype=">f2")}, tmp_path / "a.pth")
    assert read_checkpoint(tmp_path / "a.pth")["model"]["a"].dtype == torch.float16


class Harmful:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran",)


@pytest.mark.parametrize("write", [torch.save, older, pickled])
@pytest.mark.parametrize("place", ["weight", "beside"])
def test_nothing_foreign_is_run(
    write: Callable[[Any, Path], None], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = {**WEIGHTS, "bad": Harmful()} if place == "weight" else WEIGHTS
    write({"model": model, "beside": Harmful() if place == "beside" else 0}, tmp_path / "harmful.pth")
    with pytest.raises(
        CheckpointError, match=r"without running code that it names \((posix|nt)\.system\).*torch\.save"
    ):
        read_checkpoint("harmful.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("write", [torch.save, pickled])
def test_a_foreign_class_is_named(write: Callable[[Any, Path], None], tmp_path: Path) -> None:
    write({"model": WEIGHTS, "args": Harmful}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"code that it names \(.*test_checkpoint_file\.Harmful\), so it was not"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: download or copy it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer.*git lfs pull"),
        (b"\n<!DOCTYPE html><html>", "is a web page.*download the file again"),
        (b'{"error": "not found"}', "is text, not weights"),
        (b"\x1f\x8b\x08\x00", "is compressed"),
        (b"PK\x03\x04 and no archive", "cannot be read: it is truncated or damaged"),
        (b"\x89PNG\r\n", r"is not a file of weights: expected \.pth, \.pkl or \.safetensors"),
        (
            b"\x40\0\0\0\0\0\0\0{}",
            "cannot be read: it is truncated or damaged",
        ),  # a header of 64 bytes, and 2 are there
        (pickle.dumps([1, 2]), "holds no weights: expected tensors by name, .* received list"),
        (pickle.dumps({"model": {}, "lr": 1}), "holds no weights.*received lr, model"),
        (pickle.dumps({"model": {"a": 1}, 3: 4}), "holds no weights.*received 3, model"),
    ],
)
def test_what_is_no_file_of_weights(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"a\.pth {message}"):
        read_checkpoint(tmp_path / "a.pth")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint .*missing\.pth; pass the path"):
        read_checkpoint(tmp_path / "missing.pth")


@pytest.mark.parametrize("write", [torch.save, older, pickled, bare_safetensors])
def test_a_file_that_is_cut_short_is_refused(write: Callable[[Any, Path], None], tmp_path: Path) -> None:
    write(WEIGHTS, tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for length in range(12, len(whole) - 1, max(1, len(whole) // 40)):
        (tmp_path / "short.pth").write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"short\.pth cannot be read"):
            read_checkpoint(tmp_path / "short.pth")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "a.safetensors", {"frozenseg": json.dumps({"format": 9})})
    with pytest.raises(CheckpointError, match="has format 9, this version reads up to 1: update FrozenSeg"):
        read_checkpoint(tmp_path / "a.safetensors")
    save_file(WEIGHTS, tmp_path / "b.safetensors", {"frozenseg": "{"})
    with pytest.raises(CheckpointError, match=r"b\.safetensors cannot be read"):
        read_checkpoint(tmp_path / "b.safetensors")


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
def test_a_folder_that_cannot_be_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / "nowhere").write_text("a file")
    with pytest.raises(CheckpointError, match=rf"{name} cannot be written .* use another folder"):
        write_checkpoint(tmp_path / "nowhere" / name, OURS)
