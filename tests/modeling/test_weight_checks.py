"""Weights that a model must not get: not finite, of other numbers, larger than their file."""

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from frozenseg.errors import CheckpointError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.load_weights import load_checkpoint, trained_tensors
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.sam.build import build_sam
from frozenseg.modeling.weight_checks import count_non_finite, refuse_implausible
from tests.tiny import TRAINING, tiny_config

NAN, INFINITE = float("nan"), float("inf")


@pytest.fixture(scope="module")
def model() -> MaskClassifier:
    return build_model(tiny_config("FCCLIP"), TRAINING)


def copied(model: MaskClassifier) -> dict[str, Tensor]:
    return {name: weight.clone() for name, weight in trained_tensors(model).items()}


@pytest.mark.parametrize("value", [NAN, INFINITE, -INFINITE])
def test_weights_that_are_not_finite_are_refused_by_the_first_name(value: float, model: MaskClassifier) -> None:
    before, weights = copied(model), copied(model)
    weights["sem_seg_head.predictor.query_feat.weight"][1, :3] = value
    message = r"one\.pth holds weights that are NaN or infinite: 3 of the 384 values of '.*\.query_feat\.weight'\. "
    for allow_partial in (False, True):
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(model, {"model": weights}, "one.pth", allow_partial=allow_partial)
    weights["void_embedding.weight"][:] = value
    with pytest.raises(CheckpointError, match=r", and 1 more of \d+ tensors\. The training diverged"):
        load_checkpoint(model, {"model": weights}, "two.pth")
    assert all(torch.equal(weight, before[name]) for name, weight in trained_tensors(model).items())
    load_checkpoint(model, {"model": weights, "bad_step": {}}, "dump.pth")  # there to find such weights
    load_checkpoint(model, {"model": before}, "before.pth")


def test_values_must_be_finite_in_the_type_of_the_model(model: MaskClassifier) -> None:
    weights = {name: weight.double() for name, weight in copied(model).items()}
    weights["void_embedding.weight"][0, 0] = 1e300
    with pytest.raises(CheckpointError, match=r"1 of the \d+ values of 'void_embedding\.weight'"):
        load_checkpoint(model, {"model": weights}, "double.pth")


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64])
def test_weights_of_other_numbers_are_refused(dtype: torch.dtype, model: MaskClassifier) -> None:
    weights = copied(model)
    weights["void_embedding.weight"] = weights["void_embedding.weight"].to(dtype)
    with pytest.raises(CheckpointError, match=rf"q\.pth holds 'void_embedding\.weight' as {dtype}, the model's"):
        load_checkpoint(model, {"model": weights}, "q.pth")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e5m2, torch.float64, torch.complex64])
def test_values_that_are_not_finite_are_counted_in_every_type(dtype: torch.dtype) -> None:
    assert count_non_finite(torch.tensor([1.0, NAN, 2.0, NAN]).to(dtype)) == 2
    assert count_non_finite(torch.tensor(1.0).to(dtype)) == count_non_finite(torch.empty(0, dtype=dtype)) == 0


def test_frozen_encoders_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    sam = {name: weight.clone() for name, weight in build_sam("vit_toy", "random").state_dict().items()}
    next(iter(sam.values())).flatten()[0] = NAN
    save_file(sam, tmp_path / "sam.safetensors")
    with pytest.raises(CheckpointError, match=r"sam\.safetensors holds weights that are NaN.* 1 of the"):
        build_sam("vit_toy", str(tmp_path / "sam.safetensors"))
    clip = dict(build_clip("toy_resnet", "random").clip_model.state_dict())
    clip["text_projection"] = clip["text_projection"].clone().fill_(INFINITE)
    torch.save(clip, tmp_path / "clip.pt")
    with pytest.raises(
        CheckpointError, match=r"clip\.pt .* toy_resnet\) holds weights that are NaN.*'text_projection'"
    ):
        build_clip("toy_resnet", str(tmp_path / "clip.pt"))


def test_sizes_are_checked_before_memory_is_used(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1), "bomb": torch.ones(1).expand(10**12)}, tmp_path / "views.pth")
    with pytest.raises(CheckpointError, match=r"up to 'bomb' \(1000000000000,\) state 4,000,000,000,004: it"):
        read_checkpoint(tmp_path / "views.pth")
    many = torch.ones(1 << 18)
    torch.save({f"a{index}": many.view(1, -1) for index in range(9)}, tmp_path / "views.pth")
    with pytest.raises(CheckpointError, match="made to exhaust memory"):
        read_checkpoint(tmp_path / "views.pth")
    refuse_implausible({f"a{index}": many for index in range(3)}, "tied.pth", many.numel() * 4)
    archive = io.BytesIO()
    torch.save({"a": torch.zeros(1 << 20)}, archive)
    with (
        zipfile.ZipFile(archive) as stored,
        zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in stored.infolist():
            packed.writestr(entry.filename, stored.read(entry))
    with pytest.raises(CheckpointError, match=r"packed\.pth cannot be read: its [\d,]+ bytes would unpack to 4,19"):
        read_checkpoint(tmp_path / "packed.pth")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.eye(3).to_sparse(),
        torch.ones(2, device="meta"),
    ],
)
def test_tensors_that_are_not_dense_are_refused(tensor: Tensor, tmp_path: Path) -> None:
    torch.save({"a": tensor}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"a\.pth (holds the weight 'a' .*, expected dense|cannot be read)"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"X.",  # text of a tebibyte
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 36) + b"X.",  # an array of bytes
        b"\x80\x02]r" + struct.pack("<I", 2**32 - 1) + b"X.",  # an index for which C allocates a table
        b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"X.",
        pickle.dumps({"a": np.zeros(3)}, 2).replace(b"K\x03\x85", b"J\xff\xff\xff\x7f\x85"),
    ],
)
def test_a_pickle_that_states_large_sizes_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"a\.pkl (cannot be read|holds no weights)"):
        read_checkpoint(tmp_path / "a.pkl")


def header(text: str, data: bytes = b"\0" * 8) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode() + data


@pytest.mark.parametrize(
    "content",
    [
        header('{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 800]}}'),
        header('{"a": {"dtype": "F32", "shape": [200], "data_offsets": [0, 8]}}'),
        header('{"a": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 8]}}'),
        header('{"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}'),
        header('{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}'),
        header(
            '{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},'
            ' "b": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
        ),
        header('{"a": {"dtype": "X9", "shape": [2], "data_offsets": [0, 8]}}'),
        header('{"a": 3}'),
        header('{"a'),
        struct.pack("<Q", 2**31) + b'{"a": 1}',
    ],
)
def test_a_safetensors_header_that_is_wrong_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"a\.safetensors cannot be read"):
        read_checkpoint(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"vocabulary": "cat"}, r"has 'cat' \(str\) in its entry 'vocabulary', expected a list of names"),
        ({"vocabulary": ["cat", 3]}, r"\(list\) in its entry 'vocabulary'"),
        ({"vocabulary": ["cat", "dog"]}, "damaged training vocabulary: The vocabulary has 2 classes but 1 thing"),
        ({"vocabulary": [""]}, "damaged training vocabulary: Class 1 .* has an empty name"),
        ({"vocabulary": []}, "damaged training vocabulary: The vocabulary is empty"),
        ({"isthing": [1]}, r"has \[1\] \(list\) in its entry 'isthing', expected a list of True and False"),
        ({"isthing": []}, "damaged training vocabulary"),
        ({"config": 3}, r"has 3 \(int\) in its entry 'config', expected str"),
        ({"trainer": [3]}, "in its entry 'trainer', expected dict"),
    ],
)
def test_a_description_of_other_types_is_refused(entries: dict[str, Any], message: str, tmp_path: Path) -> None:
    ours = {"model": {"a": torch.ones(1)}, "frozen": {}, "vocabulary": ["cat"], "isthing": [True]}
    torch.save({**ours, **entries}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize("metadata", ["[]", "{}", '{"format": "1"}', "3"])
def test_metadata_of_another_form_are_refused(metadata: str, tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "a.safetensors", {"frozenseg": metadata})
    with pytest.raises(CheckpointError, match="in its entry 'frozenseg', expected a description with a format"):
        read_checkpoint(tmp_path / "a.safetensors")
