"""Frozen encoders in lower precision, and decoder layers that are computed twice instead of kept."""

import pytest
import torch
from torch import Tensor, nn

from frozenseg.errors import ConfigError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.frozen import Frozen, precision_named
from frozenseg.modeling.layers.recompute import run_layer
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.segmentation_model import SegmentationModel
from tests.tiny import TRAINING, tiny_config, training_batch


def model(*options: object) -> MaskClassifier:
    torch.manual_seed(0)
    return build_model(tiny_config("FrozenSeg", *options), TRAINING).train()


def losses_and_gradients(made: MaskClassifier) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    torch.manual_seed(1)
    losses = made(training_batch())
    torch.stack(list(losses.values())).sum().backward()
    return losses, {name: value.grad for name, value in made.named_parameters() if value.grad is not None}


def kept_for_backward(made: MaskClassifier) -> int:
    """Return the bytes that a forward pass leaves for the backward pass, but for the weights."""
    weights = {value.data_ptr() for value in made.parameters()}
    kept = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        made(training_batch())
    return sum(size for place, size in kept.items() if place not in weights)


def test_recomputed_layers_give_the_same_losses_and_gradients_for_less_memory() -> None:
    plain, thrifty = model(), model("MODEL.SEM_SEG_HEAD.RECOMPUTE", True)
    losses, gradients = losses_and_gradients(plain)
    same_losses, same_gradients = losses_and_gradients(thrifty)
    assert gradients.keys() == same_gradients.keys()
    assert all(torch.equal(losses[name], same_losses[name]) for name in losses)
    assert all(torch.equal(gradients[name], same_gradients[name]) for name in gradients)
    assert kept_for_backward(thrifty) < 0.5 * kept_for_backward(plain)


def test_recomputed_dropout_falls_on_the_same_places() -> None:
    dropped, x = nn.Dropout(0.5), torch.ones(1000, requires_grad=True)
    run_layer(dropped, x, recompute=True).sum().backward()
    torch.manual_seed(3)
    y = run_layer(dropped, x, recompute=True)
    x.grad = None
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


@pytest.mark.parametrize(("name", "tolerance"), [("bfloat16", 0.05), ("float16", 0.005)])
def test_frozen_trunks_in_lower_precision(name: str, tolerance: float) -> None:
    layers = ("MODEL.MASK_FORMER.DEC_LAYERS", 4)  # these weights leave no tie that rounding would match otherwise
    exact, lower = model(*layers), model("MODEL.FROZEN_DTYPE", name, *layers)
    assert {value.dtype for value in lower.parameters()} == {torch.float32}  # until weights have been loaded
    losses, _ = losses_and_gradients(exact)
    near, gradients = losses_and_gradients(lower)
    assert all(near[key].item() == pytest.approx(losses[key].item(), abs=tolerance) for key in losses)
    assert any(near[key].item() != losses[key].item() for key in losses)
    assert {value.dtype for value in gradients.values()} == {torch.float32}
    assert lower.sam.image_encoder.pos_embed.dtype == getattr(torch, name)
    assert lower.backbone.clip_model.text_projection.dtype == torch.float32  # words are encoded as ever
    assert lower.frozen_hashes() == exact.frozen_hashes()
    with torch.no_grad():
        assert lower.eval()(training_batch())[0]["sem_seg"].dtype == torch.float32


def test_frozen_weights_that_are_loaded_after_building_count() -> None:
    source, lower = model("MODEL.SAM_WEIGHTS", "random:5"), model("MODEL.FROZEN_DTYPE", "bfloat16")
    lower.load_state_dict(source.state_dict())
    lower(training_batch())
    assert lower.frozen_hashes() == source.frozen_hashes()


def test_an_unknown_precision() -> None:
    with pytest.raises(ConfigError, match="MODEL.FROZEN_DTYPE is 'float8', expected 'float32' or 'bf.* Did you mean"):
        model("MODEL.FROZEN_DTYPE", "float8")
    with pytest.raises(ConfigError, match="Unknown MODEL.FROZEN_DTYPE 'float8'. Did you mean .*Available: float32, bf"):
        precision_named("float8")


class WithoutTrunk(Frozen):
    """Does not name its trunk."""


class WithoutProjection(FrozenCLIP):
    """Does not project masks."""

    supports = staticmethod(bool)
    image_trunk = tuple
    forward = torch.nn.Identity.forward


class WithoutHashes(SegmentationModel):
    """Does not name its frozen encoders."""

    forward = torch.nn.Identity.forward


@pytest.mark.parametrize(
    ("incomplete", "missing"),
    [
        (Frozen, "image_trunk"),
        (WithoutTrunk, "image_trunk"),
        (WithoutProjection, "project"),
        (WithoutHashes, "frozen_hashes"),
        (MaskClassifier, "forward.*from_config"),
    ],
)
def test_incomplete_subclasses_cannot_be_built(incomplete: type, missing: str) -> None:
    with pytest.raises(TypeError, match=f"abstract.*{missing}"):
        incomplete()


@pytest.mark.parametrize("name", ["toy_convnext", "toy_resnet"])
def test_every_clip_works_in_lower_precision(name: str) -> None:
    clip, images = build_clip(name, "random:1"), torch.randn(1, 3, 64, 64)
    exact = clip(images)
    clip.precision = torch.bfloat16
    near = clip(images)
    for one, other in zip(near, exact, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 0.05 * other.norm()
    assert clip.project(near.dense, torch.ones(1, 2, 16, 16)).dtype == torch.float32
