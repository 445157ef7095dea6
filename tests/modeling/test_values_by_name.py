"""Models with common parameters start with equal values of them, and draw equal points from equal batches."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from frozenseg.modeling.build import build_model
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.values_by_name import build_with_values_by_name
from tests.tiny import TRAINING, tiny_config, training_batch

BY_NAME = ("MODEL.INITIAL_VALUES_BY_NAME", True)
ARMS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "fcclip": ("FCCLIP", ()),
    "query_injector": ("FrozenSeg", ("MODEL.MASK_FORMER.SAM_FEATURE_FUSE_LAYER", -1)),
    "released_sam_branch": ("FrozenSeg", ("MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS", 3)),
}


def built(meta_arch: str = "FrozenSeg", *options: Any, seed: int = 3) -> MaskClassifier:
    return build_model(tiny_config(meta_arch, "SEED", seed, *options), TRAINING)


def trained(model: nn.Module) -> dict[str, Tensor]:
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


@pytest.fixture(scope="module")
def reference() -> MaskClassifier:
    return built("FrozenSeg", *BY_NAME)


def of_equal_shape(model: nn.Module, reference: nn.Module) -> list[tuple[str, Tensor, Tensor]]:
    others = trained(reference)
    return [
        (name, value, others[name])
        for name, value in trained(model).items()
        if name in others and others[name].shape == value.shape
    ]


@pytest.mark.parametrize("arm", ARMS)
def test_arms_start_with_equal_values(arm: str, reference: MaskClassifier) -> None:
    meta_arch, options = ARMS[arm]
    pairs = of_equal_shape(built(meta_arch, *options, *BY_NAME), reference)
    assert len(pairs) > 60
    assert [name for name, value, other in pairs if not torch.equal(value, other)] == []


def test_without_the_key_an_additional_part_changes_the_others() -> None:
    torch.manual_seed(3)
    with_sam = built("FrozenSeg")
    torch.manual_seed(3)
    pairs = of_equal_shape(built("FCCLIP"), with_sam)
    assert sum(not torch.equal(value, other) for _, value, other in pairs) > 20


def test_another_seed_changes_every_drawn_value_and_no_other(reference: MaskClassifier) -> None:
    torch.manual_seed(0)
    plain = built("FrozenSeg")
    torch.manual_seed(1)
    drawn = {name for name, value, other in of_equal_shape(built("FrozenSeg"), plain) if not torch.equal(value, other)}
    changed = of_equal_shape(built("FrozenSeg", *BY_NAME, seed=4), reference)
    assert {name for name, value, other in changed if not torch.equal(value, other)} == drawn
    for name, value, other in of_equal_shape(plain, reference):
        if name not in drawn:
            assert torch.equal(value, other), name


def test_frozen_values_and_the_global_generator_do_not_change(reference: MaskClassifier) -> None:
    torch.manual_seed(9)
    state = torch.get_rng_state()
    again = built("FrozenSeg", *BY_NAME)
    assert torch.equal(torch.get_rng_state(), state)
    assert again.frozen_hashes() == built("FrozenSeg").frozen_hashes() == reference.frozen_hashes()


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(200, 200), nn.Linear(200, 200)
        self.bare = nn.Parameter(torch.randn(10_000))
        nn.init.xavier_uniform_(self.second.weight[:100])  # a part of a parameter, after its first draw


def test_values_have_the_distribution_of_their_initialiser() -> None:
    model = build_with_values_by_name(Two, seed=0)
    assert not torch.equal(model.first.weight, model.second.weight)
    for linear in (model.first, model.second):
        assert linear.weight[100:].abs().max() <= 200**-0.5  # uniform: kaiming with a = sqrt(5)
        assert float(linear.weight[100:].detach().std()) == pytest.approx(200**-0.5 / 3**0.5, rel=0.03)
    of_xavier = (6 / 300) ** 0.5
    assert float(model.second.weight[:100].detach().std()) == pytest.approx(of_xavier / 3**0.5, rel=0.03)
    assert float(model.bare.detach().mean()) == pytest.approx(0.0, abs=0.03)
    assert float(model.bare.detach().std()) == pytest.approx(1.0, abs=0.03)


def test_a_training_step_draws_nothing_from_the_global_generator(reference: MaskClassifier) -> None:
    """So arms have equal random numbers in every step: those of the images come from the seed of each image."""
    batch = [{**element, "seed": 5 + index} for index, element in enumerate(training_batch())]
    state = torch.get_rng_state()
    torch.stack(list(reference.train()(batch).values())).sum().backward()
    assert torch.equal(torch.get_rng_state(), state)
