"""Folders of trained models: read to the same outputs, portable, and pushed to the hub."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors import safe_open

from frozenseg.errors import CheckpointError, ConfigError, DataError, DownloadError
from frozenseg.inference import publication
from frozenseg.inference.predictor import Segmenter
from frozenseg.inference.publication import ModelOrigin
from frozenseg.inference.result import Result
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.modeling.load_weights import checkpoint_content
from frozenseg.modeling.pretrained import weights_file
from frozenseg.toyworld import sample_scene
from frozenseg.vocabulary.files import read_vocabulary_lines
from tests.downloads.file_server import serving
from tests.tiny import NARROW, ROOT, TRAINING, tiny_config

WORDS = "green circle; water"
NAMES = {"model.safetensors", "config.yaml", "vocabulary.json", "README.md"}
SMALL = ("INPUT.MIN_SIZE_TEST", 96, "INPUT.MAX_SIZE_TEST", 128)
hub = pytest.importorskip("huggingface_hub")
errors = pytest.importorskip("huggingface_hub.errors")


@pytest.fixture(scope="module")
def toyworld() -> Segmenter:
    return Segmenter.from_pretrained("toyworld", device="cpu", options=SMALL)


@pytest.fixture(scope="module")
def folder(toyworld: Segmenter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toyworld.save_pretrained(tmp_path_factory.mktemp("saved") / "toy")


def outputs(segmenter: Segmenter) -> Result:
    return segmenter(sample_scene(), WORDS, stuff=["water"])


@pytest.fixture(scope="module")
def expected(toyworld: Segmenter) -> Result:
    return outputs(toyworld)


def assert_equal_outputs(result: Result, expected: Result) -> None:
    assert torch.equal(result.panoptic[0], expected.panoptic[0])
    assert result.panoptic[1] == expected.panoptic[1]
    assert torch.equal(result.semantic, expected.semantic)
    assert torch.equal(result.instances.scores, expected.instances.scores)
    assert torch.equal(result.instances.pred_masks, expected.instances.pred_masks)


def test_a_folder_is_read_to_the_same_outputs(folder: Path, expected: Result) -> None:
    assert {path.name for path in folder.iterdir()} == NAMES
    assert_equal_outputs(outputs(Segmenter.from_pretrained(f"local-dir:{folder}", device="cpu")), expected)


def test_a_repository_of_the_hub_is_read_to_the_same_outputs(
    folder: Path, expected: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, tmp_path / "remote/org/toy/resolve/main")
    monkeypatch.setenv("FROZENSEG_CACHE", str(tmp_path / "cache"))
    with serving(tmp_path / "remote") as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        built = Segmenter.from_pretrained("hf-hub:org/toy", device="cpu")
    assert_equal_outputs(outputs(built), expected)


def test_frozen_encoders_with_a_name_are_not_in_the_file(folder: Path) -> None:
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        assert {name.split(".")[0] for name in file.keys()} == {"sem_seg_head", "void_embedding"}  # noqa: SIM118
    assert weights_file(folder) == weights_file(f"local-dir:{folder}") == folder / "model.safetensors"


def test_config_and_vocabulary_are_readable_copies(toyworld: Segmenter, folder: Path) -> None:
    config = (folder / "config.yaml").read_text(encoding="utf-8")
    assert config.strip() == read_checkpoint(f"local-dir:{folder}")["config"].strip()
    lines = read_vocabulary_lines(folder / "vocabulary.json")
    assert [line.names for line in lines] == list(toyworld.model.training_vocabulary.classes)
    assert [line.isthing for line in lines] == list(toyworld.model.training_vocabulary.isthing)


def test_a_changed_copy_of_the_config_is_refused(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "config.yaml").open("a") as file:
        file.write("SEED: 7\n")
    with pytest.raises(ConfigError, match=r"config\.yaml differs from the config in the weights beside it.*as options"):
        Segmenter.from_pretrained(f"local-dir:{tmp_path}")


def test_a_folder_made_by_hand_takes_its_config_file(toyworld: Segmenter, folder: Path, tmp_path: Path) -> None:
    torch.save({"model": read_checkpoint("toyworld")["model"]}, tmp_path / "weights.pth")
    with pytest.raises(ConfigError, match="holds no config: pass the config file"):
        Segmenter.from_pretrained(f"local-dir:{tmp_path}")
    (tmp_path / "config.yaml").write_text((folder / "config.yaml").read_text())
    built = Segmenter.from_pretrained(f"local-dir:{tmp_path}", device="cpu")
    assert len(built.model.training_vocabulary) == len(toyworld.model.training_vocabulary)


def tiny_segmenter(*options: Any) -> Segmenter:
    torch.manual_seed(3)
    cfg = tiny_config("FrozenSeg", *options)
    segmenter = Segmenter(build_model(cfg, TRAINING), None)  # type: ignore[arg-type]
    segmenter.origin = ModelOrigin(cfg, "")
    return segmenter


def test_a_model_is_portable_without_the_files_of_this_machine(tmp_path: Path) -> None:
    sam = tmp_path / "here/sam.pth"
    sam.parent.mkdir()
    torch.save(tiny_segmenter("MODEL.SAM_WEIGHTS", "random:5").model.sam.state_dict(), sam)
    options = ("MODEL.SAM_WEIGHTS", str(sam), "MODEL.TEXT_CACHE_DIR", str(tmp_path / "here/cache"))
    segmenter = tiny_segmenter(*options, "OUTPUT_DIR", str(tmp_path / "here/output"), "MODEL.DEVICE", "cpu")
    folder = segmenter.save_pretrained(tmp_path / "saved")
    sam.unlink()
    config = (folder / "config.yaml").read_text(encoding="utf-8")
    assert "here" not in config
    assert yaml.safe_load(config)["MODEL"]["SAM_WEIGHTS"] == "random"
    built = Segmenter.from_pretrained(f"local-dir:{folder}", device="cpu")
    assert built.model.sam.replaced
    expected, state = segmenter.model.state_dict(), built.model.state_dict()
    assert expected.keys() == state.keys()
    assert all(torch.equal(state[name], value) for name, value in expected.items())
    again = built.save_pretrained(tmp_path / "again")
    assert (again / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_a_quick_clip_without_the_name_of_one_is_refused(tmp_path: Path) -> None:
    segmenter = tiny_segmenter()
    assert segmenter.origin is not None
    cfg = segmenter.origin.config.clone()
    cfg.defrost()
    cfg.MODEL.CLIP.CLIP_PRETRAINED_WEIGHTS = "/data/openai.pt"
    segmenter.origin = ModelOrigin(cfg, "")
    from open_clip.transformer import QuickGELU

    segmenter.model.backbone.activation = QuickGELU()
    with pytest.raises(ConfigError, match=r"'/data/openai\.pt' were trained with QuickGELU.* set it to 'toy_convnext"):
        segmenter.save_pretrained(tmp_path)


def test_a_segmenter_without_its_config_cannot_be_saved(toyworld: Segmenter, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="from a model without its config.*Segmenter.from_config or"):
        Segmenter(toyworld.model, toyworld.resize).save_pretrained(tmp_path)


def test_a_folder_that_is_a_file_is_refused(toyworld: Segmenter, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="save_pretrained .*file"):
        toyworld.save_pretrained(tmp_path / "file")


def test_the_card_has_licence_use_and_scores(toyworld: Segmenter, tmp_path: Path) -> None:
    results = {"val": {"panoptic_seg": {"PQ": 43.04, "SQ": 71.0}, "about": {"images": 100}, "per_class": {}}}
    (tmp_path / "results.json").write_text(json.dumps(results))
    card = (toyworld.save_pretrained(tmp_path / "a", tmp_path / "results.json") / "README.md").read_text()
    assert yaml.safe_load(card.split("---")[1])["license"] == "apache-2.0"
    assert 'Segmenter.from_pretrained("local-dir:a")' in card
    assert re.search(r"\| val +\| panoptic_seg +\| PQ +\| 43\.0 +\|", card)
    assert "SQ" not in card
    assert "images" not in card.split("## Scores")[1]
    other = toyworld.save_pretrained(tmp_path / "b", licence="MIT") / "README.md"
    assert "license: mit" in other.read_text()
    assert "No scores were recorded" in other.read_text()


@pytest.mark.parametrize("content", [[1], {"val": 3}, {"val": {"PQ": 3}}])
def test_results_of_another_form_are_refused(toyworld: Segmenter, tmp_path: Path, content: Any) -> None:
    (tmp_path / "r.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"r\.json has no scores by benchmark and task: pass results\.json"):
        toyworld.save_pretrained(tmp_path / "out", tmp_path / "r.json")
    assert not (tmp_path / "out").exists()


class FakeHub:
    """Stands for huggingface_hub.HfApi; keeps what is uploaded."""

    calls: list[tuple[str, Any]]
    files: dict[str, bytes]
    error: Exception | None = None

    def __init__(self, endpoint: str, library_name: str) -> None:
        assert (endpoint, library_name) == ("https://hub.test", "frozenseg")

    def create_repo(self, repository: str, private: bool, exist_ok: bool) -> None:
        if self.error:
            raise self.error
        self.calls.append((repository, private))

    def upload_folder(self, repo_id: str, folder_path: str, commit_message: str) -> None:
        self.calls.append((repo_id, commit_message))
        self.files.update({path.name: path.read_bytes() for path in Path(folder_path).iterdir()})


@pytest.fixture
def fake_hub(monkeypatch: pytest.MonkeyPatch) -> type[FakeHub]:
    fake = type("FakeHubOfTest", (FakeHub,), {"calls": [], "files": {}})
    monkeypatch.setattr(hub, "HfApi", fake)
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.test/")
    return fake


def test_a_pushed_model_is_the_saved_one(
    toyworld: Segmenter, folder: Path, fake_hub: type[FakeHub], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert toyworld.push_to_hub("org/toy", private=True) == "https://hub.test/org/toy"
    assert fake_hub.calls == [("org/toy", True), ("org/toy", publication.COMMIT_MESSAGE)]
    assert set(fake_hub.files) == NAMES
    assert fake_hub.files["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    assert b'Segmenter.from_pretrained("hf-hub:org/toy")' in fake_hub.files["README.md"]


@pytest.mark.parametrize(
    ("repository", "message"),
    [("toy", "names no repository: expected hf-hub:ORG/REPO"), ("org/toy@v1", "names a revision.*pass 'org/toy'")],
)
def test_wrong_repositories_are_refused(
    toyworld: Segmenter, fake_hub: type[FakeHub], repository: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        toyworld.push_to_hub(repository)
    assert fake_hub.calls == []


def test_weights_without_a_licence_are_not_pushed(fake_hub: type[FakeHub]) -> None:
    segmenter = tiny_segmenter()
    assert segmenter.origin is not None
    segmenter.origin = segmenter.origin._replace(weights="frozenseg_r50x64")
    with pytest.raises(ConfigError, match="FrozenSeg ResNet50x64 has no published licence, so its weights are not"):
        segmenter.push_to_hub("org/toy")
    segmenter.push_to_hub("org/toy", licence="other")
    assert b"license: other" in fake_hub.files["README.md"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            errors.LocalTokenNotFoundError("…"),
            "Nothing was pushed to org/toy, as there is no token: run 'hf",
        ),
        (
            OSError("No route to host"),
            r"Nothing was pushed to org/toy \(No route to host\): check the name",
        ),
    ],
)
def test_failures_of_the_hub_are_one_sentence(
    toyworld: Segmenter, fake_hub: type[FakeHub], error: Exception, message: str
) -> None:
    fake_hub.error = error
    with pytest.raises(DownloadError, match=message):
        toyworld.push_to_hub("org/toy")


def test_a_zoo_model_brings_its_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FC-CLIP's name selects its config; here the file is a tiny model, refused as another architecture."""
    monkeypatch.setenv("FROZENSEG_CACHE", str(tmp_path))
    file = tmp_path / "weights/fcclip_r50.pth"
    file.parent.mkdir()
    model = build_model(tiny_config("FCCLIP"), TRAINING)
    torch.save({"model": checkpoint_content(model, {}, "")["model"]}, file)
    cfg = str(ROOT / "configs/toyworld/fcclip_tiny.yaml")
    monkeypatch.setattr("frozenseg.inference.model_source.load_config", lambda name, *_: loaded(name, cfg))
    built = Segmenter.from_pretrained("fcclip_r50", device="cpu")
    assert built.origin is not None
    assert built.origin.weights == "fcclip_r50"
    with pytest.raises(CheckpointError, match="is of another architecture"):
        Segmenter.from_config(ROOT / "configs/toyworld/frozenseg_tiny.yaml", "fcclip_r50", options=NARROW)


def loaded(name: str, path: str) -> Any:
    """Load a tiny config in place of the one that a model's name selects."""
    from frozenseg.config import load_config

    assert name == "fcclip/r50"
    return load_config(path, NARROW)
