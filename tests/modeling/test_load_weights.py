"""Weights into models: what is needed, what may be there too, the report, and every refusal by name."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from frozenseg.errors import CheckpointError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import read_checkpoint, trained_vocabulary
from frozenseg.modeling.load_weights import (
    LoadReport,
    Reshaped,
    checkpoint_content,
    compare,
    load_checkpoint,
    load_trained,
    trained_tensors,
)
from frozenseg.modeling.meta_arch.base import MaskClassifier
from tests.tiny import TRAINING, tiny_config

OTHER_CLIP = ("MODEL.FC_CLIP.CLIP_PRETRAINED_WEIGHTS", "random:9")
RESNET = ("MODEL.FC_CLIP.CLIP_MODEL_NAME", "toy_resnet")


def model(name: str = "FCCLIP", seed: int = 0, *options: object) -> MaskClassifier:
    torch.manual_seed(seed)
    return build_model(tiny_config(name, *options), TRAINING)


def save(trained: MaskClassifier, path: Path) -> Path:
    torch.save(checkpoint_content(trained, trained.frozen_hashes(), "SEED: 1\n"), path)
    return path


def released(whole: MaskClassifier) -> dict[str, Any]:
    return {"model": dict(whole.state_dict())}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def test_round_trip(tmp_path: Path) -> None:
    trained, fresh = model(seed=0), model(seed=1)
    path = save(trained, tmp_path / "model.pth")
    report = load_trained(fresh, path)
    assert equal(trained_tensors(fresh), trained_tensors(trained))
    assert trained_vocabulary(read_checkpoint(path)) == TRAINING
    assert report.complete
    assert sorted(report.loaded) == sorted(trained_tensors(trained))


def test_only_trained_tensors_are_kept() -> None:
    names = trained_tensors(model("FrozenSeg"))
    assert not [name for name in names if name.startswith(("backbone.", "sam."))]
    assert "void_embedding.weight" in names


@pytest.mark.parametrize("options", [OTHER_CLIP, (*OTHER_CLIP, *RESNET)])
def test_frozen_weights_of_a_released_file_are_loaded_too(options: tuple[str, ...]) -> None:
    whole = model("FCCLIP", 0, *options)
    fresh = model("FCCLIP", 1, *(option.replace("random:9", "random") for option in options))
    assert fresh.frozen_hashes() != whole.frozen_hashes()
    report = load_checkpoint(fresh, released(whole), "fcclip.pkl")
    assert fresh.frozen_hashes() == whole.frozen_hashes()
    assert equal(trained_tensors(fresh), trained_tensors(whole))
    assert report.ignored == ("criterion.empty_weight",)


def test_what_follows_from_config_and_vocabulary_is_ignored() -> None:
    fresh = model()
    content = released(model(seed=1))
    content["model"] |= {
        "criterion.empty_weight": torch.full((134,), 7.0),  # of 133 classes
        "pixel_mean": torch.zeros(3, 1, 1),
        "backbone.clip_model.attn_mask": torch.zeros(77, 77),
    }
    report = load_checkpoint(fresh, content, "fcclip.pth")
    assert sorted(report.ignored) == ["backbone.clip_model.attn_mask", "criterion.empty_weight", "pixel_mean"]
    assert fresh.criterion.empty_weight.tolist() == pytest.approx([1, 1, 1, 0.1])
    counted = released(model("FCCLIP", 0, *RESNET))["model"]
    without = {name: value for name, value in counted.items() if not name.endswith("num_batches_tracked")}
    assert len(without) < len(counted)
    assert compare(model("FCCLIP", 1, *RESNET), without).complete


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_the_models(dtype: torch.dtype) -> None:
    trained, fresh = model(seed=0), model(seed=1)
    given = {name: value.to(dtype) for name, value in trained_tensors(trained).items()}
    load_checkpoint(fresh, {"model": given}, "half.pth")
    assert equal(trained_tensors(fresh), {name: value.to(dtype).float() for name, value in given.items()})


def test_the_report_counts_by_part(caplog: pytest.LogCaptureFixture) -> None:
    report = LoadReport(
        loaded=("void_embedding.weight", "sem_seg_head.predictor.a", "sem_seg_head.predictor.b"),
        missing=("sem_seg_head.pixel_decoder.c", "sem_seg_head.predictor.d"),
        unexpected=("sam.e",),
        reshaped=(Reshaped("sem_seg_head.predictor.f", (1, 2), (3,)),),
        ignored=("criterion.empty_weight",),
    )
    assert str(report).splitlines() == [
        "  criterion: 1 ignored",
        "  sam: 1 unexpected",
        "  sem_seg_head.pixel_decoder: 1 missing",
        "  sem_seg_head.predictor: 2 loaded, 1 missing, 1 reshaped",
        "  void_embedding: 1 loaded",
    ]
    assert not report.complete
    assert report.differences()[-1] == "sem_seg_head.predictor.f is (1, 2), the model's is (3,)"
    with caplog.at_level(logging.INFO):
        load_checkpoint(model(), released(model(seed=1)), "fcclip.pth")
    assert "Weights of fcclip.pth:\n  backbone: " in caplog.text
    assert "\n  sem_seg_head.predictor: " in caplog.text


def test_another_architecture_is_refused_with_the_first_differences(tmp_path: Path) -> None:
    path = save(model("FCCLIP"), tmp_path / "fcclip.pth")
    with pytest.raises(
        CheckpointError,
        match=r"another architecture.*fpn3.* is missing.* more\. .*ALLOW_PARTIAL_WEIGHTS to True",
    ):
        load_trained(model("FrozenSeg"), path)
    with pytest.raises(CheckpointError, match=r"query_feat\.weight is \(6, 64\), the model's is \(9, 64\)"):
        load_trained(model("FCCLIP", 0, "MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", 9), path)
    with pytest.raises(CheckpointError, match="is unknown to the model"):
        load_trained(model("FCCLIP"), save(model("FrozenSeg"), tmp_path / "frozenseg.pth"))


def test_a_refused_file_leaves_the_model_as_it_was() -> None:
    fresh = model(seed=1)
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    content = released(model("FCCLIP", 0, *OTHER_CLIP))
    del content["model"]["void_embedding.weight"]
    with pytest.raises(
        CheckpointError, match=r"Use the config that it was .* Differences: void_embedding\.weight is missing\."
    ):
        load_checkpoint(fresh, content, "fcclip.pth")
    assert equal(dict(fresh.state_dict()), before)


def test_a_part_of_a_frozen_encoder_is_refused() -> None:
    content = released(model())
    del content["model"]["backbone.clip_model.text_projection"]
    del content["model"]["backbone.clip_model.ln_final.bias"]
    with pytest.raises(
        CheckpointError, match=r"2 weights of the frozen 'backbone' are missing: save all of them, or n"
    ):
        load_checkpoint(model(), content, "fcclip.pth")


def test_other_frozen_weights_are_refused(tmp_path: Path) -> None:
    path = save(model("FCCLIP"), tmp_path / "model.pth")
    message = (
        r"trained with another frozen 'backbone' \(hash \w+, here \w+\), which it does not contain: set "
        r"CLIP_MODEL_NAME and CLIP_PRETRAINED_WEIGHTS to those that it was trained with\."
    )
    with pytest.raises(CheckpointError, match=message):
        load_trained(model("FCCLIP", 0, *OTHER_CLIP), path)


def test_what_fits_is_loaded_where_that_is_allowed(caplog: pytest.LogCaptureFixture) -> None:
    trained, fresh = model("FCCLIP", 0), model("FrozenSeg", 1)
    before = {name: value.clone() for name, value in trained_tensors(fresh).items()}
    content = checkpoint_content(trained, trained.frozen_hashes(), "")
    del content["model"]["void_embedding.weight"]
    with caplog.at_level(logging.INFO):
        report = load_checkpoint(fresh, content, "fcclip.pth", allow_partial=True)
    assert "Loaded partially: fcclip.pth is of another architecture" in caplog.text
    assert "Loaded partially: fcclip.pth was trained with another frozen 'sam'" in caplog.text
    assert set(report.loaded) == set(content["model"])
    for name, value in trained_tensors(fresh).items():
        assert torch.equal(value, content["model"].get(name, before[name])), name
    with pytest.raises(CheckpointError, match="another architecture"):
        load_checkpoint(fresh, {"model": {"conv1.weight": torch.ones(1)}}, "resnet.pkl", allow_partial=True)


def ovrcoat(seed: int = 0) -> tuple[MaskClassifier, dict[str, Any]]:
    """Return a tiny model with another CLIP than its config's, and its file in OVRCOAT's form."""
    tuned = model("FCCLIP", seed, *OTHER_CLIP)
    original = model("FCCLIP").backbone.state_dict()
    copy = {f"frozen_backbone.{name}": value for name, value in original.items()}
    return tuned, {"model": {**tuned.state_dict(), **copy}}


def test_ovrcoats_form_is_loaded_without_its_copy_of_clip(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="frozenseg")
    (tuned, content), fresh = ovrcoat(), model("FCCLIP", 1)
    count = len(tuned.backbone.state_dict())
    report = load_checkpoint(fresh, content, "ovrcoat.pth")
    assert report.complete
    assert len(report.left_out) == count
    assert f"  frozen_backbone: {count} left out" in str(report)
    assert equal(dict(fresh.state_dict()), dict(tuned.state_dict()))
    assert fresh.frozen_hashes() == tuned.frozen_hashes()
    assert (
        f"ovrcoat.pth: {count} weights of 'frozen_backbone' are left out: a copy of the original CLIP that only "
        "OVRCOAT's training uses."
    ) in caplog.text
    assert "ovrcoat.pth: the frozen 'backbone' in the file differs from that of the config and repl" in caplog.text


def test_text_embeddings_follow_the_clip_of_the_file(tmp_path: Path) -> None:
    cached = ("MODEL.TEXT_CACHE_DIR", str(tmp_path))
    (tuned, content), fresh = ovrcoat(), model("FCCLIP", 1, *cached)
    before = fresh.eval().text_embeddings().embeddings
    load_checkpoint(fresh, content, "ovrcoat.pth")
    expected = tuned.eval().text_embeddings().embeddings
    assert torch.equal(fresh.text_embeddings().embeddings, expected)
    assert not torch.equal(before, expected)
    again = model("FCCLIP", 2, *cached, *OTHER_CLIP)
    load_checkpoint(again, content, "ovrcoat.pth")
    assert torch.equal(again.eval().text_embeddings().embeddings, expected)  # from the cache of its weights


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_checkpoint_keeps_the_clip_that_replaced_that_of_the_config(tmp_path: Path, precision: str) -> None:
    (tuned, content), fresh = ovrcoat(), model("FCCLIP", 1, "MODEL.FROZEN_DTYPE", precision)
    load_checkpoint(fresh, content, "ovrcoat.pth")
    fresh.backbone(torch.zeros(1, 3, 64, 64))
    path = save(fresh, tmp_path / "model.pth")  # after a step of training
    resumed = model("FCCLIP", 2)
    assert load_trained(resumed, path).complete
    assert resumed.frozen_hashes() == tuned.frozen_hashes() == read_checkpoint(path)["frozen"]
    assert read_checkpoint(save(resumed, tmp_path / "next.pth"))["frozen"] == tuned.frozen_hashes()
    assert "backbone.clip_model.text_projection" in read_checkpoint(tmp_path / "next.pth")["model"]


def test_the_clip_of_the_config_is_not_kept(tmp_path: Path) -> None:
    fresh = model("FCCLIP", 1)
    load_checkpoint(fresh, released(model("FCCLIP", 0)), "fcclip.pth")
    assert not [name for name in read_checkpoint(save(fresh, tmp_path / "a.pth"))["model"] if "backbone" in name]
