"""Where CLIP's weights come from: tags, files, and a made-up cache of the Hugging Face hub. Nothing is fetched."""

import json
import zipfile
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from torch import nn

from frozenseg.errors import CheckpointError, ConfigError
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.build import OUR_MODELS, build_clip

MODEL = "toy_resnet"
DESCRIPTION = json.loads((OUR_MODELS / f"{MODEL}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trained() -> FrozenCLIP:
    return build_clip(MODEL, "random:5")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of ORG/toy in an otherwise empty cache, without a network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    folder = tmp_path / "models--ORG--toy"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text("0" * 40)
    snapshot = folder / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    return snapshot


def publish(clip: FrozenCLIP, folder: Path, **changes: Any) -> None:
    save_file(clip.clip_model.state_dict(), folder / "open_clip_model.safetensors")
    describe(folder, **changes)


def describe(folder: Path, **changes: Any) -> None:
    config = {"model_cfg": {**DESCRIPTION, **changes}, "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")


def has_quick_gelu(clip: FrozenCLIP) -> bool:
    return any(type(module).__name__ == "QuickGELU" for module in clip.clip_model.transformer.modules())


@pytest.mark.parametrize("name", ["clip.pt", "clip.bin", "clip.safetensors", "nested.pth", "module.pt"])
def test_local_files_of_every_kind(name: str, trained: FrozenCLIP, tmp_path: Path) -> None:
    state = trained.clip_model.state_dict()
    if name.endswith(".safetensors"):
        save_file(state, tmp_path / name)
    elif name == "nested.pth":
        torch.save({"epoch": 3, "state_dict": state}, tmp_path / name)
    else:
        prefix = "module." if name == "module.pt" else ""
        torch.save({f"{prefix}{key}": value for key, value in state.items()}, tmp_path / name)
    clip = build_clip(MODEL, str(tmp_path / name))
    assert clip.weights_hash() == trained.weights_hash()
    assert not has_quick_gelu(clip)


def test_weights_of_a_hub_repository(trained: FrozenCLIP, hub: Path) -> None:
    publish(trained, hub)
    assert build_clip(MODEL, "hf-hub:ORG/toy").weights_hash() == trained.weights_hash()


def test_an_architecture_of_a_hub_repository(trained: FrozenCLIP, hub: Path) -> None:
    publish(trained, hub)
    clip = build_clip("hf-hub:ORG/toy", "hf-hub:ORG/toy")
    assert clip.weights_hash() == trained.weights_hash()
    assert torch.equal(clip.tokenizer(["a cat"]), trained.tokenizer(["a cat"]))


def test_an_architecture_of_the_hub_with_other_weights(trained: FrozenCLIP, hub: Path, tmp_path: Path) -> None:
    describe(hub)  # the repository has no weights, and none are asked for
    torch.save(trained.clip_model.state_dict(), tmp_path / "clip.pt")
    assert build_clip("hf-hub:ORG/toy", str(tmp_path / "clip.pt")).weights_hash() == trained.weights_hash()
    assert build_clip("hf-hub:ORG/toy", "random:5").weights_hash() == trained.weights_hash()


def test_the_activation_is_the_one_that_weights_were_trained_with(
    trained: FrozenCLIP, hub: Path, tmp_path: Path
) -> None:
    publish(trained, hub, quick_gelu=True)
    assert has_quick_gelu(build_clip(MODEL, "hf-hub:ORG/toy"))  # the repository says so
    assert has_quick_gelu(build_clip(MODEL, str(hub / "open_clip_model.safetensors")))  # what lies beside says so
    torch.save(trained.clip_model.state_dict(), tmp_path / "RN50-OpenAI.pt")
    assert has_quick_gelu(build_clip(MODEL, str(tmp_path / "RN50-OpenAI.pt")))  # its name says so
    assert not has_quick_gelu(build_clip(MODEL, "random"))


def test_a_repository_of_weights_alone(trained: FrozenCLIP, hub: Path) -> None:
    save_file(trained.clip_model.state_dict(), hub / "open_clip_model.safetensors")
    assert not has_quick_gelu(build_clip(MODEL, "hf-hub:ORG/toy"))
    with pytest.raises(CheckpointError, match=r"open_clip_config\.json of hf-hub:ORG/toy cannot be downloaded"):
        build_clip("hf-hub:ORG/toy", "random")


@pytest.mark.parametrize("model", ["RN50", "RN50-quickgelu"])
def test_openais_tag_forces_quick_gelu(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[dict[str, Any]] = []

    def refuse(**config: Any) -> nn.Module:
        built.append(config)
        raise RuntimeError("seen enough")

    monkeypatch.setattr("frozenseg.modeling.clip.weights.tag_file", lambda _: tmp_path / "weights.safetensors")
    monkeypatch.setattr(open_clip, "CLIP", refuse)
    with pytest.raises(ConfigError, match="seen enough"):
        build_clip(model, "openai")
    assert built[0]["quick_gelu"] is True


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("opena", "Did you mean 'openai'.*Tags: openai.*'hf-hub:ORG/REPO'.*'random'"),
        ("gone.pt", "neither a file nor a tag of RN50"),
    ],
)
def test_unknown_weights(weights: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_clip("RN50", weights)


def test_a_tag_that_cannot_be_fetched_is_one_sentence(hub: Path) -> None:
    assert hub.is_dir()  # an empty cache and no network
    with pytest.raises(CheckpointError, match="'openai' of RN50 cannot be downloaded .*check the network") as error:
        build_clip("RN50", "openai")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("model", [MODEL, "hf-hub:ORG/gone"])
def test_a_repository_that_cannot_be_fetched_is_one_sentence(model: str, hub: Path) -> None:
    assert hub.is_dir()
    with pytest.raises(CheckpointError, match="of hf-hub:ORG/gone cannot be downloaded .*HF_HUB_CACHE") as error:
        build_clip(model, "hf-hub:ORG/gone")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "describes no CLIP"),
        ('{"embed_dim": 64}', "it needs a 'model_cfg'"),
        ('{"model_cfg": {"embed_dim": 64}}', "needs embed_dim, vision_cfg and text_cfg"),
    ],
)
def test_a_repository_that_describes_no_clip(content: str, message: str, hub: Path) -> None:
    (hub / "open_clip_config.json").write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        build_clip("hf-hub:ORG/toy", "random")


def test_a_description_that_open_clip_cannot_build(hub: Path) -> None:
    describe(hub, hidden_charm=3)
    with pytest.raises(ConfigError, match="cannot be built by open_clip .*hidden_charm"):
        build_clip("hf-hub:ORG/toy", "random")


class Harmful:
    """Would run code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (Path.touch, (Path("ran"),))


def test_files_that_cannot_be_loaded(trained: FrozenCLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(trained.clip_model.state_dict(), "whole.pt")
    whole = Path("whole.pt").read_bytes()
    Path("short.pt").write_bytes(whole[: len(whole) // 2])
    Path("damaged.pt").write_bytes(b"not weights")
    torch.save({"state_dict": {}, "extra": Harmful()}, "harmful.pt")
    torch.save([1, 2], "list.pt")
    for name in ("short.pt", "damaged.pt", "harmful.pt", "list.pt"):
        with pytest.raises(
            CheckpointError, match=f"'{name}' of {MODEL} cannot be loaded without running code .* damaged: download"
        ):
            build_clip(MODEL, name)
    assert not Path("ran").exists()
    Path("clip.npz").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"clip\.npz is a NumPy file"):
        build_clip(MODEL, "clip.npz")


def test_weights_of_another_architecture_are_refused_by_the_first_differences(
    trained: FrozenCLIP, tmp_path: Path
) -> None:
    torch.save(trained.clip_model.state_dict(), tmp_path / "resnet.pt")
    with pytest.raises(CheckpointError, match=r"Missing key.*visual\.trunk.*use weights of that architecture"):
        build_clip("toy_convnext", str(tmp_path / "resnet.pt"))


def test_a_torchscript_program_is_refused_with_the_tag_that_has_its_weights(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "RN50.pt", "w") as archive:  # what torch.jit.save writes
        for name in ("data.pkl", "code/__torch__.py", "constants.pkl"):
            archive.writestr(f"RN50/{name}", b"")
    with pytest.raises(CheckpointError, match=r"RN50\.pt is a TorchScript program.*'openai'"):
        build_clip("RN50", str(tmp_path / "RN50.pt"))
