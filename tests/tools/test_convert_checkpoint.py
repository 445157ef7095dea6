"""Conversion: round trips bit for bit, and refusals before anything is written."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from frozenseg.engine.checkpoints.checkpoint import read_training_checkpoint
from frozenseg.errors import CheckpointError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import read_checkpoint, trained_vocabulary
from frozenseg.modeling.load_weights import checkpoint_content
from frozenseg.modeling.meta_arch.base import MaskClassifier
from tests.tiny import NARROW, ROOT, TRAINING, tiny_config
from tools.convert_checkpoint import main


def built(name: str, seed: int = 0, *options: object) -> MaskClassifier:
    torch.manual_seed(seed)
    return build_model(tiny_config(name, *options), TRAINING)


def convert(name: str, given: Path, made: Path, *arguments: object) -> int:
    config = str(ROOT / f"configs/toyworld/{name.lower()}_tiny.yaml")
    files = ["--config-file", config, "--input", str(given), "--output", str(made)]
    return main([*files, *map(str, (*arguments, *NARROW))])


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name.startswith(prefix)}


@pytest.mark.parametrize("name", ["FrozenSeg", "FCCLIP"])
def test_ours_slim_released_and_back(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = built(name)
    content = checkpoint_content(model, model.frozen_hashes(), "SEED: 1\n")
    torch.save({**content, "trainer": {"iteration": 3}}, tmp_path / "ours.pth")
    assert convert(name, tmp_path / "ours.pth", tmp_path / "new/slim.safetensors") == 0
    slim = read_checkpoint(tmp_path / "new/slim.safetensors")
    assert equal(slim.pop("model"), content["model"])
    assert f"META_ARCHITECTURE: {name}" in slim.pop("config")  # of what is in it, whatever the input said
    assert slim == {key: value for key, value in content.items() if key not in ("model", "config")}

    assert convert(name, tmp_path / "new/slim.safetensors", tmp_path / "released.pth", "--to", "released") == 0
    released = torch.load(tmp_path / "released.pth", weights_only=True)
    assert list(released) == ["model"]
    assert equal(released["model"], dict(model.state_dict()))

    assert convert(name, tmp_path / "released.pth", tmp_path / "back.pth", "--to", "checkpoint") == 0
    back = torch.load(tmp_path / "back.pth", weights_only=True)
    assert equal(back["model"], content["model"])
    assert back["frozen"] == content["frozen"]
    assert "released.pth: " in capsys.readouterr().out


def test_a_pickle_of_arrays_becomes_slim(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = built("FCCLIP")
    arrays = {name: value.numpy() for name, value in model.state_dict().items()}
    (tmp_path / "fcclip.pkl").write_bytes(pickle.dumps({"model": arrays, "__author__": "somebody"}))
    made = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path in made:
        assert convert("FCCLIP", tmp_path / "fcclip.pkl", path) == 0
    assert made[0].read_bytes() == made[1].read_bytes()
    count = sum(value.numel() for value in model.parameters() if value.requires_grad)
    assert f"tensors, {count:,} numbers, " in capsys.readouterr().out
    with safe_open(made[0], framework="pt") as file:
        described = json.loads(file.metadata()["frozenseg"])
    assert described["frozen"] == model.frozen_hashes()
    assert "META_ARCHITECTURE: FCCLIP" in described["config"]
    assert trained_vocabulary(read_checkpoint(made[0])).names[0] != "cat"  # of DATASETS.TRAIN: the file does not say
    assert len(described["isthing"]) == len(described["vocabulary"])
    with pytest.raises(CheckpointError, match=r"a\.safetensors has trained weights only, .* use --weights"):
        read_training_checkpoint(made[0])


def test_half_precision_is_released_in_full(tmp_path: Path) -> None:
    state = {name: value.half() for name, value in built("FCCLIP").state_dict().items()}
    torch.save({"model": state}, tmp_path / "half.pth")
    assert convert("FCCLIP", tmp_path / "half.pth", tmp_path / "full.pth", "--to", "released") == 0
    full = torch.load(tmp_path / "full.pth", weights_only=True)["model"]
    assert {value.dtype for value in full.values()} == {torch.float32}
    assert torch.equal(full["void_embedding.weight"], state["void_embedding.weight"].float())


def test_frozen_weights_that_the_config_does_not_lead_to_are_kept(tmp_path: Path) -> None:
    other = built("FCCLIP", 0, "MODEL.FC_CLIP.CLIP_PRETRAINED_WEIGHTS", "random:9")
    torch.save({"model": other.state_dict()}, tmp_path / "fcclip.pth")
    assert convert("FCCLIP", tmp_path / "fcclip.pth", tmp_path / "slim.safetensors") == 0
    slim = read_checkpoint(tmp_path / "slim.safetensors")
    assert slim["frozen"] == other.frozen_hashes()
    tower = other.backbone.state_dict()
    assert equal({f"backbone.{name}": tower[name] for name in tower}, part(slim["model"], "backbone."))
    assert convert("FCCLIP", tmp_path / "fcclip.pth", tmp_path / "same.pth", "--to", "released") == 0
    same, expected = read_checkpoint(tmp_path / "same.pth")["model"], dict(other.state_dict())
    for state in (same, expected):
        state.pop("criterion.empty_weight")  # follows from the vocabulary, here DATASETS.TRAIN's
    assert equal(same, expected)


def test_a_part_only_where_that_is_allowed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"void_embedding.weight": torch.full((1, 64), 2.0)}, tmp_path / "part.pth")
    arguments = ("FCCLIP", tmp_path / "part.pth", tmp_path / "slim.safetensors")
    assert convert(*arguments) == 2
    assert "--allow-partial" in capsys.readouterr().err
    assert convert(*arguments, "--allow-partial") == 0
    made = read_checkpoint(tmp_path / "slim.safetensors")["model"]
    assert made["void_embedding.weight"].unique().tolist() == [2.0]
    assert len(made) > 100


def test_what_cannot_be_written_is_refused_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "here.safetensors").write_bytes(b"something")
    for made, arguments, message in (
        ("here.safetensors", [], r"here.safetensors exists: choose another name, or give --force to replace it"),
        ("slim.pth", [], "slim.pth does not fit --to slim: trained weights"),
        ("full.safetensors", ["--to", "released"], "full.safetensors does not fit --to released: all weights in fp32"),
        ("here.safetensors/a.safetensors", [], "here.safetensors is a file): choose another file"),
        ("new.safetensors", [], "There is no checkpoint"),
    ):
        assert convert("FCCLIP", tmp_path / "gone.pth", tmp_path / made, *arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("error: ") == 1
    assert (tmp_path / "here.safetensors").read_bytes() == b"something"


def test_force_replaces(tmp_path: Path) -> None:
    model = built("FCCLIP")
    path = tmp_path / "model.safetensors"
    torch.save({"model": model.state_dict()}, tmp_path / "model.pth")
    path.write_bytes(b"something")
    assert convert("FCCLIP", tmp_path / "model.pth", path, "--force") == 0
    assert convert("FCCLIP", path, path, "--force") == 0  # into itself
    assert torch.equal(read_checkpoint(path)["model"]["void_embedding.weight"], model.void_embedding.weight)
