"""Frozen SAMs: every one on a small stand-in with the real code path, full-size names, weights and their errors."""

import gzip
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from frozenseg.errors import CheckpointError, ConfigError
from frozenseg.modeling.meta_device import on_meta_device
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.build import build_sam
from frozenseg.modeling.sam.tiny_vit import TinyViTEncoder, tiny_sam
from frozenseg.modeling.sam.vit import vit_sam
from frozenseg.modeling.sam.weights import sam_name_of
from frozenseg.registry import SAM
from tests.tiny import ROOT

KEYS = ROOT / "tests/data/keys"


def small_vit() -> FrozenSAM:
    return vit_sam(width=16, depth=2, heads=2, global_attention=(1,), image_size=64, patch=8, window=3, channels=16)


def small_tiny_vit() -> FrozenSAM:
    encoder = TinyViTEncoder(
        widths=(8, 8, 16, 16), depths=(1, 1, 1, 1), heads=(1, 1, 2, 2), windows=(7, 7, 3, 7), channels=16
    )
    return tiny_sam(encoder=encoder, image_size=64, channels=16)


STAND_INS = {
    **dict.fromkeys(("vit_b", "vit_l", "vit_h", "vit_toy"), small_vit),
    **dict.fromkeys(("vit_t", "vit_t_toy"), small_tiny_vit),
}


@pytest.fixture(scope="module", params=["vit_b", "vit_t"])
def sam(request: pytest.FixtureRequest) -> FrozenSAM:
    torch.manual_seed(0)
    return STAND_INS[request.param]()


def test_every_sam_has_a_stand_in() -> None:
    assert SAM.names() == sorted(STAND_INS)


def test_the_embedding_of_any_image_has_one_size(sam: FrozenSAM) -> None:
    side = sam.prompt_encoder.image_embedding_size[0]
    for height, width in ((64, 64), (96, 160), (33, 20)):
        assert sam(torch.randn(2, 3, height, width)).shape == (2, sam.channels, side, side)


def test_an_image_gets_the_same_embedding_in_any_batch(sam: FrozenSAM) -> None:
    images = torch.randn(3, 3, 64, 64)
    assert torch.allclose(sam(images)[1:2], sam(images[1:2]), atol=1e-5)


def test_masks_of_a_point_have_four_times_the_embeddings_side(sam: FrozenSAM) -> None:
    embedding = sam(torch.randn(1, 3, 64, 64))
    point = (torch.tensor([[[20.0, 30.0]]]), torch.ones(1, 1))
    sparse, dense = sam.prompt_encoder(points=point, boxes=None, masks=None)
    masks, scores = sam.mask_decoder(embedding, sam.prompt_encoder.get_dense_pe(), sparse, dense, multimask_output=True)
    assert masks.shape == (1, 3, 4 * embedding.shape[-2], 4 * embedding.shape[-1])
    assert scores.shape == (1, 3)


def test_it_stays_frozen(sam: FrozenSAM) -> None:
    sam.train()
    assert not any(module.training for module in sam.modules())
    assert not any(parameter.requires_grad for parameter in sam.parameters())


def table(name: str, prefix: str = "") -> dict[str, tuple[int, ...]]:
    lines = gzip.decompress((KEYS / f"{name}.tsv.gz").read_bytes()).decode().splitlines()[1:]
    rows = (line.split("\t")[:2] for line in lines)
    return {
        key.removeprefix(prefix): () if shape == "scalar" else tuple(map(int, shape.split("x")))
        for key, shape in rows
        if key.startswith(prefix)
    }


def full_size(name: str) -> FrozenSAM:
    with on_meta_device():
        return SAM.look_up(name)()


def shapes(state: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in state.items()}


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_the_packages_models_have_the_packages_weights(name: str) -> None:
    segment_anything = pytest.importorskip("segment_anything")
    with on_meta_device():
        theirs = segment_anything.sam_model_registry[name]()
    assert shapes(full_size(name).state_dict()) == shapes(theirs.state_dict())


def test_vit_b_is_the_one_in_the_released_frozenseg() -> None:
    assert shapes(full_size("vit_b").state_dict()) == table("frozenseg_convnext_large", "sam.")


@pytest.mark.parametrize(("name", "stride"), [("vit_t", 16), ("vit_b", 16), ("vit_l", 16), ("vit_h", 16)])
def test_full_size_models_embed_1024_pixels_in_64(name: str, stride: int) -> None:
    sam = full_size(name)
    assert (sam.image_size, sam.channels, sam.image_size // stride) == (1024, 256, 64)
    if name == "vit_t":  # the others take a second even without values
        assert sam(torch.zeros(1, 3, 1024, 1024, device="meta")).shape == (1, 256, 64, 64)


def test_a_tiny_vit_has_the_stride_that_it_says() -> None:
    sam = full_size("vit_t_toy")
    assert (sam.image_size, sam.prompt_encoder.image_embedding_size) == (128, (16, 16))
    assert sam.image_encoder(torch.zeros(2, 3, 128, 128, device="meta")).shape == (2, 64, 16, 16)


@pytest.mark.parametrize("kind", ["pth", "safetensors", "nested"])
def test_weights_round_trip(kind: str, tmp_path: Path) -> None:
    trained = build_sam("vit_toy", "random:3")
    file = tmp_path / f"sam.{kind}"
    if kind == "safetensors":
        save_file(trained.state_dict(), file)
    else:
        torch.save({"model": trained.state_dict()} if kind == "nested" else trained.state_dict(), file)
    assert build_sam("vit_toy", str(file)).weights_hash() == trained.weights_hash()


def first_convolution(key: str, shape: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {f"image_encoder.patch_embed.{key}": torch.zeros(shape)}


@pytest.mark.parametrize(
    ("state", "held"),
    [
        (first_convolution("seq.0.c.weight", (32, 3, 3, 3)), "vit_t"),
        (first_convolution("conv1.conv.weight", (32, 3, 3, 3)), "vit_t"),
        (first_convolution("proj.weight", (768, 3, 16, 16)), "vit_b"),
        (first_convolution("proj.weight", (1024, 3, 16, 16)), "vit_l"),
        (first_convolution("proj.weight", (1280, 3, 16, 16)), "vit_h"),
    ],
)
def test_a_file_of_another_sam_is_called_by_its_name(state: dict[str, torch.Tensor], held: str, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=f"holds SAM '{held}', but the config names 'vit_toy': set MODEL.S"):
        build_sam("vit_toy", str(tmp_path / "other.pth"))


def test_every_full_size_sam_is_known_by_its_own_weights() -> None:
    assert {name: sam_name_of(full_size(name).state_dict()) for name in SAM.names()} == {
        name: name for name in SAM.names()
    }


def test_an_unknown_sam_is_refused_by_the_first_difference(tmp_path: Path) -> None:
    state = build_sam("vit_toy", "random").state_dict()
    state["image_encoder.pos_embed"] = torch.zeros(1, 8, 8, 64)
    torch.save(state, tmp_path / "other.pth")
    message = r"does not hold SAM 'vit_toy'.*image_encoder\.pos_embed' \(\(1, 8, 8, 64\) in the file, \(1, 16, 16, 64\)"
    with pytest.raises(CheckpointError, match=message):
        build_sam("vit_toy", str(tmp_path / "other.pth"))


class Harmful:
    """Would run code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (Path.touch, (Path("ran"),))


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(build_sam("vit_toy", "random").state_dict(), "whole.pth")
    whole = Path("whole.pth").read_bytes()
    Path("short.pth").write_bytes(whole[: len(whole) // 2])
    Path("short.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    Path("empty.pth").write_bytes(b"")
    Path("damaged.pth").write_bytes(b"nothing")
    torch.save({"model": {}, "extra": Harmful()}, "harmful.pth")
    torch.save({"weight": 3}, "numbers.pth")
    names = ("short.pth", "short.safetensors", "empty.pth", "damaged.pth", "harmful.pth", "numbers.pth")
    for name in names:
        with pytest.raises(CheckpointError, match=f"{name} cannot be read as SAM weights"):
            build_sam("vit_toy", name)
    assert not Path("ran").exists()


def test_wrong_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'vit_b'"):
        build_sam("vitb", "random")
    with pytest.raises(CheckpointError, match="is not a file"):
        build_sam("vit_toy", str(tmp_path / "missing.pth"))
    with pytest.raises(ConfigError, match="no released weights to download for SAM 'vit_toy': set MODEL.SAM_WEIGHTS"):
        build_sam("vit_toy", "")
