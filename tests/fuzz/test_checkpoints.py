"""Files of weights: other bytes, cut off, with other objects inside; nothing in them is executed."""

import io
import json
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from safetensors.torch import save as save_safetensors
from torch import Tensor

from frozenseg.config import config_from_text
from frozenseg.errors import CheckpointError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import METADATA, read_checkpoint, trained_vocabulary
from frozenseg.modeling.load_weights import load_checkpoint, trained_tensors
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.mutations import damaged, odd_values
from tests.fuzz.use_of_files import refusal
from tests.tiny import TRAINING, tiny_config

CONTENT: dict[str, Any] = {
    "model": {"layer.weight": [[0.0, 1.0], [2.0, 3.0]], "layer.bias": [1.0, 1.0]},
    "frozen": {"backbone": "0123"},
    "vocabulary": ["cat,kitten", "dog", "sky"],
    "isthing": [True, True, False],
    "config": "SEED: 1\n",
}
PREFIXES = ("", "module.", "_orig_mod.", "module._orig_mod.", "model.")
TENSORS: tuple[Callable[[list[Any]], Any], ...] = (
    torch.tensor,
    np.array,
    lambda values: torch.tensor(values).half(),
    lambda values: torch.tensor(values).double(),
    lambda values: torch.tensor(values).bfloat16(),
    lambda values: torch.tensor(values).int(),
    lambda values: torch.tensor(values).bool(),
    lambda values: torch.tensor(values) * float("nan"),
    lambda values: torch.tensor(values) / 0,
    lambda values: torch.tensor(values).to_sparse(),
    lambda values: torch.tensor(values).to("meta"),
    lambda values: torch.tensor(values).cfloat(),
    lambda values: torch.tensor(values)[:0],
    lambda values: torch.nn.Parameter(torch.tensor(values)),
    lambda values: values,
    lambda values: None,
)


written: dict[str, bytes] = {}  # by form and content


@st.composite
def checkpoint_cases(draw: DrawFn) -> dict[str, Any]:
    """Draw the bytes of a file of weights; ``weights`` are the tensors where it is undamaged."""
    content = {**CONTENT}
    form = draw(st.sampled_from(("torch", "torch", "legacy", "pickle", "safetensors")))
    make = draw(st.sampled_from((torch.tensor,) * 6 + TENSORS)) if form != "safetensors" else torch.tensor
    prefix = draw(st.sampled_from(PREFIXES))
    content["model"] = {f"{prefix}{name}": make(values) for name, values in CONTENT["model"].items()}
    changes = draw(st.lists(st.tuples(st.sampled_from(sorted(CONTENT)), odd_values()), max_size=1))
    for key, value in changes:
        content[key] = value
    # written once: the legacy form holds addresses, and its length changes with them
    whole = written.get(key := repr((form, content))) or written.setdefault(key, _written(content, form))
    data = draw(st.one_of(st.just(whole), damaged(whole)))
    known = data == whole and make is torch.tensor and not changes and prefix != "model."
    return {"data": data, "weights": CONTENT["model"] if known else None}


def _written(content: dict[str, Any], form: str) -> bytes:
    if form == "safetensors":
        rest = {key: value for key, value in content.items() if key != "model"}
        model = content["model"] if isinstance(content["model"], dict) else {}
        tensors = {name: value for name, value in model.items() if isinstance(value, Tensor)}
        return save_safetensors(tensors, {METADATA: json.dumps({"format": 1, **rest})})
    if form == "pickle":
        return pickle.dumps(content, protocol=2)
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=form == "torch")
    return buffer.getvalue()


@cache
def model() -> Any:
    """Return the narrow FC-CLIP."""
    torch.manual_seed(0)
    return build_model(tiny_config("FCCLIP"), TRAINING)


@fuzz("checkpoints", checkpoint_cases(), examples=100)
def test_checkpoints(case: dict[str, Any], folder: Path) -> None:
    path = folder / "weights.pth"
    path.write_bytes(case["data"])
    checkpoint = read_checkpoint(path)
    weights = checkpoint["model"]
    assert weights
    assert all(isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items())
    if case["weights"] is not None:
        assert {name: value.tolist() for name, value in weights.items()} == case["weights"]
    trained_vocabulary(checkpoint)
    if "config" in checkpoint:
        config_from_text(checkpoint["config"], f"the config in {path}")
    names = list(trained_tensors(model()))  # the names fit the model, the shapes do not
    renamed = dict(zip(names, weights.values(), strict=False))
    assert isinstance(
        refusal(lambda: load_checkpoint(model(), {**checkpoint, "model": renamed}, path)), CheckpointError
    )
