"""MobileSAM: its file's names lead to timm's one by one, and the encoder computes what MobileSAM's own does."""

import math
from pathlib import Path

import pytest
import torch

from frozenseg.errors import CheckpointError
from frozenseg.modeling.meta_device import on_meta_device
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.build import build_sam
from frozenseg.modeling.sam.tiny_vit import timm_names
from frozenseg.registry import SAM
from tests.modeling.test_sam import shapes, table

UNUSED = {f"image_encoder.{part}.{kind}" for part in ("norm_head", "head") for kind in ("weight", "bias")}
# What MobileSAM's own encoder gives for the weights and the image below; its fixed 64×64 lifted to 14×14.
GOLDEN = {"mean": -0.0123903, "std": 1.0381845, "corner": [0.9737859, -0.7838210, -2.8258967]}


@pytest.fixture(scope="module")
def released() -> dict[str, tuple[int, ...]]:
    return table("mobile_sam")


def noise(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Return values in -1 … 1 without order, the same on every machine."""
    angle = torch.arange(math.prod(shape), dtype=torch.float64) * 12.9898 + 78.233 * seed
    return ((angle.sin() * 43758.5453).frac()).view(shape).float()


def made_up_weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Return weights that keep activations near one."""
    state = {}
    for seed, (name, shape) in enumerate(shapes.items()):
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(0)
        elif len(shape) > 1 and "attention_biases" not in name:
            state[name] = noise(shape, seed) * (3 / math.prod(shape[1:])) ** 0.5
        else:
            state[name] = (1 if name.endswith(("running_var", "weight")) else 0) + 0.3 * noise(shape, seed)
    return state


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("patch_embed.seq.0.c.weight", "patch_embed.conv1.conv.weight"),
        ("patch_embed.seq.2.bn.running_mean", "patch_embed.conv2.bn.running_mean"),
        ("layers.0.blocks.1.conv3.c.weight", "stages.0.blocks.1.conv3.conv.weight"),
        ("layers.0.downsample.conv1.c.weight", "stages.1.downsample.conv1.conv.weight"),
        ("layers.1.blocks.0.attn.attention_biases", "stages.1.blocks.0.attn.attention_biases"),
        ("layers.1.blocks.0.local_conv.bn.weight", "stages.1.blocks.0.local_conv.bn.weight"),
        ("layers.1.downsample.conv2.bn.num_batches_tracked", "stages.2.downsample.conv2.bn.num_batches_tracked"),
        ("layers.2.blocks.5.mlp.fc1.bias", "stages.2.blocks.5.mlp.fc1.bias"),
        ("layers.2.downsample.conv3.c.weight", "stages.3.downsample.conv3.conv.weight"),
        ("layers.3.blocks.1.attn.qkv.weight", "stages.3.blocks.1.attn.qkv.weight"),
        ("neck.0.weight", "neck.0.weight"),
    ],
)
def test_names(theirs: str, ours: str) -> None:
    assert [*timm_names({f"image_encoder.{theirs}": torch.zeros(0)})] == [f"image_encoder.{ours}"]


def test_every_released_name_leads_to_one_of_ours_with_its_shape(released: dict[str, tuple[int, ...]]) -> None:
    state = timm_names({name: torch.empty(shape, device="meta") for name, shape in released.items()})
    assert len(state) == len(released) - len(UNUSED)  # no two names lead to the same
    with on_meta_device():
        assert shapes(state) == shapes(SAM.look_up("vit_t")().state_dict())


def test_the_classifier_and_tables_of_indices_are_left_out(released: dict[str, tuple[int, ...]]) -> None:
    assert set(released) >= UNUSED
    index_table = "image_encoder.layers.1.blocks.0.attn.attention_bias_idxs"
    assert timm_names(dict.fromkeys([*UNUSED, index_table], torch.zeros(0))) == {}


def test_our_own_names_stay() -> None:
    with on_meta_device():
        state = SAM.look_up("vit_t")().state_dict()
    assert [*timm_names(state)] == [*state]


@pytest.fixture(scope="module")
def loaded(released: dict[str, tuple[int, ...]], tmp_path_factory: pytest.TempPathFactory) -> FrozenSAM:
    file = tmp_path_factory.mktemp("sam") / "mobile_sam.pt"
    torch.save(made_up_weights(released), file)
    return build_sam("vit_t", str(file))


def test_it_computes_what_mobile_sam_computes(loaded: FrozenSAM) -> None:
    image = noise((1, 3, 224, 224), seed=0)
    with torch.no_grad():
        embedding = loaded.image_encoder(image)
    assert embedding.shape == (1, 256, 14, 14)
    found = {"mean": embedding.mean(), "std": embedding.std(), "corner": embedding[0, :3, 0, 0].tolist()}
    assert found == {name: pytest.approx(value, rel=1e-3, abs=1e-4) for name, value in GOLDEN.items()}


def test_attention_biases_that_are_loaded_after_a_picture_act(loaded: FrozenSAM) -> None:
    image = noise((1, 3, 64, 64), seed=1)
    sam = build_sam("vit_t", "random")
    sam.image_encoder(image)
    sam.load_state_dict(loaded.state_dict())
    assert torch.allclose(sam.image_encoder(image), loaded.image_encoder(image), atol=1e-5)


def test_a_damaged_name_is_refused(released: dict[str, tuple[int, ...]], tmp_path: Path) -> None:
    state = made_up_weights(released)
    state["image_encoder.layers.3.blocks.1.extra"] = torch.zeros(1)
    torch.save(state, tmp_path / "mobile_sam.pt")
    with pytest.raises(
        CheckpointError, match=r"stages\.3\.blocks\.1\.extra' \(\(1,\) in the file, missing in the model"
    ):
        build_sam("vit_t", str(tmp_path / "mobile_sam.pt"))
