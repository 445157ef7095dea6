"""Trained weights: round trip, and every refusal by name."""

from pathlib import Path

import pytest
import torch

from frozenseg.errors import CheckpointError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.weights import load_trained, read_checkpoint, trained_tensors, trained_vocabulary
from tests.tiny import TRAINING, tiny_config


def model(name: str = "FCCLIP", seed: int = 0, *options: object) -> MaskClassifier:
    torch.manual_seed(seed)
    return build_model(tiny_config(name, *options), TRAINING)


def save(trained: MaskClassifier, path: Path) -> Path:
    vocabulary = {"vocabulary": ["cat,kitten", "dog", "sky"], "isthing": [True, True, False]}
    torch.save({"model": trained_tensors(trained), "frozen": trained.frozen_hashes(), **vocabulary}, path)
    return path


def test_round_trip(tmp_path: Path) -> None:
    trained, fresh = model(seed=0), model(seed=1)
    checkpoint = load_trained(fresh, save(trained, tmp_path / "model.pth"))
    for name, value in trained_tensors(trained).items():
        assert torch.equal(trained_tensors(fresh)[name], value)
    assert trained_vocabulary(checkpoint) == TRAINING


def test_only_trained_tensors_are_kept() -> None:
    names = trained_tensors(model("FrozenSeg"))
    assert not [name for name in names if name.startswith(("backbone.", "sam."))]
    assert "void_embedding.weight" in names


def test_another_architecture_is_refused_with_the_first_differences(tmp_path: Path) -> None:
    path = save(model("FCCLIP"), tmp_path / "fcclip.pth")
    with pytest.raises(CheckpointError, match=r"another architecture.*fpn3.* is missing.* more"):
        load_trained(model("FrozenSeg"), path)
    with pytest.raises(CheckpointError, match=r"query_feat\.weight is \(6, 64\), the model's is \(9, 64\)"):
        load_trained(model("FCCLIP", 0, "MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", 9), path)
    with pytest.raises(CheckpointError, match="is unknown to the model"):
        load_trained(model("FCCLIP"), save(model("FrozenSeg"), tmp_path / "frozenseg.pth"))


def test_other_frozen_weights_are_refused(tmp_path: Path) -> None:
    path = save(model("FCCLIP"), tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match="trained with another frozen 'backbone'"):
        load_trained(model("FCCLIP", 0, "MODEL.FC_CLIP.CLIP_PRETRAINED_WEIGHTS", "random:9"), path)


def test_what_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint .*missing\.pth"):
        read_checkpoint(tmp_path / "missing.pth")
    whole = save(model(), tmp_path / "model.pth").read_bytes()
    (tmp_path / "short.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"short\.pth cannot be read"):
        read_checkpoint(tmp_path / "short.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="holds no 'model'"):
        read_checkpoint(tmp_path / "list.pth")


class Harmful:
    """Would run code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (Path.touch, (Path("ran"),))


def test_nothing_foreign_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": {}, "extra": Harmful()}, "harmful.pth")
    with pytest.raises(CheckpointError, match="holds more than tensors"):
        read_checkpoint("harmful.pth")
    assert not Path("ran").exists()
