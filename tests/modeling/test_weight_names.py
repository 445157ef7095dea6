"""Weights inside the containers and wrapper modules of other programs."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from frozenseg.errors import CheckpointError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.modeling.weight_names import WRAPPERS, find_weights, plain_names
from tests.tiny import TRAINING, tiny_config

WEIGHTS = {"head.weight": torch.arange(6.0).view(2, 3), "head.bias": torch.ones(2)}
OTHER = {name: torch.zeros_like(value) for name, value in WEIGHTS.items()}


def renamed(prefix: str, inner: str = "") -> dict[str, Tensor]:
    return {prefix + name.replace("head.", f"head.{inner}"): value for name, value in WEIGHTS.items()}


@pytest.mark.parametrize(
    "state",
    [
        renamed("module."),
        renamed("_orig_mod."),
        renamed("_orig_mod.module."),
        renamed("module._orig_mod."),
        renamed("module._orig_mod.module."),
        renamed("module.module._orig_mod._orig_mod."),
        renamed("", "_orig_mod."),
        renamed("module.", "_orig_mod.module."),
        renamed("model."),
        renamed("model._orig_mod.module."),
        renamed("_fsdp_wrapped_module.", "_checkpoint_wrapped_module."),
        {"module.head.weight": WEIGHTS["head.weight"], "head.bias": WEIGHTS["head.bias"]},
    ],
)
def test_wrapper_modules_are_removed_in_any_order_and_number(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({"model": state}, tmp_path / "a.pth")
    weights = read_checkpoint(tmp_path / "a.pth")["model"]
    assert weights.keys() == WEIGHTS.keys()
    assert all(torch.equal(weights[name], value) for name, value in WEIGHTS.items())


def test_torchs_wrappers_have_these_names() -> None:
    layer = nn.Sequential()
    layer.add_module("head", nn.Linear(3, 2))
    names = set(plain_names(list(nn.DataParallel(layer).state_dict())).values())
    assert names == WEIGHTS.keys()
    assert set(plain_names(list(AveragedModel(layer).state_dict())).values()) == {*WEIGHTS, "n_averaged"}


@pytest.mark.parametrize("name", ["FrozenSeg", "FCCLIP"])
def test_no_module_of_this_library_has_the_name_of_a_wrapper(name: str) -> None:
    names = list(build_model(tiny_config(name), TRAINING).state_dict())
    assert not WRAPPERS & {part for each in names for part in each.split(".")}
    assert plain_names(names) == {each: each for each in names}


@pytest.mark.parametrize(
    ("content", "container"),
    [
        (WEIGHTS, ""),
        ({"model": WEIGHTS, "iteration": torch.tensor(3)}, "model"),
        ({"state_dict": WEIGHTS}, "state_dict"),
        ({"model_state_dict": WEIGHTS}, "model_state_dict"),
        ({"module": WEIGHTS}, "module"),
        ({"model": {"state_dict": WEIGHTS}}, "model.state_dict"),
        ({"model": {"module": {"state_dict": WEIGHTS}}}, "model.module.state_dict"),
        ({"ema_model": WEIGHTS}, "ema_model"),
        ({"state_dict": {}, "state_dict_ema": WEIGHTS}, "state_dict_ema"),
        ({"model": {**WEIGHTS, "ema": {"decay": 0.9}}}, "model"),
    ],
)
def test_containers(content: Any, container: str) -> None:
    contained = find_weights(content)
    assert contained.container == container
    assert WEIGHTS.items() <= contained.state.items() or contained.state is WEIGHTS


def test_averaged_weights_beside_others_are_mentioned(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.save({"model": WEIGHTS, "model_ema": OTHER}, tmp_path / "a.pth")
    assert torch.equal(read_checkpoint(tmp_path / "a.pth")["model"]["head.bias"], WEIGHTS["head.bias"])
    assert "a.pth: the weights in 'model' are read, those in 'model_ema' are not" in caplog.text


def test_two_weights_of_one_name_are_refused(tmp_path: Path) -> None:
    torch.save({**WEIGHTS, "module.head.bias": torch.zeros(2)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="has several weights named 'head.bias' after"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize("name", [0, ("a", 1), None])
def test_names_are_text(name: Any, tmp_path: Path) -> None:
    torch.save({name: torch.zeros(2)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=f"a weight whose name is of type {type(name).__name__}, expected text"):
        read_checkpoint(tmp_path / "a.pth")
