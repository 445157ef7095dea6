"""Matching and losses on numbers that a hand can check."""

import math
from functools import partial

import pytest
import torch

from frozenseg.errors import ShapeError
from frozenseg.modeling.criterion import set_criterion as module
from frozenseg.modeling.criterion.losses import class_loss, mask_losses, random_points, uncertain_points
from frozenseg.modeling.criterion.matcher import HungarianMatcher
from frozenseg.modeling.criterion.set_criterion import SetCriterion
from frozenseg.modeling.layers.mask_product import mask_product
from frozenseg.modeling.types import MaskFactors, MaskPredictions, Prediction, Target


def matcher(points: int = 256) -> HungarianMatcher:
    return HungarianMatcher(class_weight=2.0, mask_weight=5.0, dice_weight=5.0, points=points)


def criterion(**changes: object) -> SetCriterion:
    settings = {"classes": 2, "matcher": matcher(), "weights": (2.0, 5.0, 5.0), "void_weight": 0.1}
    return SetCriterion(**(settings | {"points": 64, "oversample": 3.0, "importance": 0.75} | changes))


def halves(size: int = 8) -> torch.Tensor:
    left = torch.zeros(size, size, dtype=torch.bool)
    left[:, : size // 2] = True
    return torch.stack([left, ~left])


def perfect(order: tuple[int, int]) -> tuple[Prediction, list[Target]]:
    """Three queries; the first two predict target ``order[0]`` and ``order[1]``, the third predicts void."""
    masks, labels = halves(), torch.tensor([0, 1])
    logits = torch.full((1, 3, 3), -20.0)
    for query, target in enumerate(order):
        logits[0, query, labels[target]] = 20.0
    logits[0, 2, 2] = 20.0
    predicted = torch.full((1, 3, 8, 8), -20.0)
    for query, target in enumerate(order):
        predicted[0, query][masks[target]] = 20.0
    return Prediction(logits, predicted), [Target(labels, masks)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_right_queries_are_matched(order: tuple[int, int]) -> None:
    [match] = matcher()(*perfect(order))
    assert dict(zip(match.queries.tolist(), match.targets.tolist(), strict=True)) == dict(enumerate(order))


def test_a_tensor_of_another_shape_is_named() -> None:
    prediction, [target] = perfect((0, 1))
    with pytest.raises(ShapeError, match=r"logits has shape \(1, 3, 3\), expected \(B=2, Q, C=3\)"):
        criterion()(MaskPredictions(prediction, ()), [target, target])
    with pytest.raises(ShapeError, match=r"logits has shape \(1, 3, 3\), expected \(B=1, Q, C=5\)"):
        criterion(classes=4)(MaskPredictions(prediction, ()), [target])
    with pytest.raises(ShapeError, match=r"target masks has shape \(1, 8, 8\), expected \(n=2, H, W\)"):
        criterion()(MaskPredictions(prediction, ()), [target._replace(masks=target.masks[:1])])
    with pytest.raises(ShapeError, match=r"masks has shape \(1, 2, 8, 8\), expected \(B=1, Q=3, H, W\)"):
        matcher()(prediction._replace(masks=prediction.masks[:, :2]), [target])


def test_statistics_are_of_the_final_prediction_alone() -> None:
    prediction, targets = perfect((0, 1))
    module = criterion()
    module(MaskPredictions(prediction, (prediction, prediction)), targets)
    assert module.statistics.take()["queries_matched"] == pytest.approx(2 / 3)
    assert module.statistics.take() == {}


def test_nan_costs_do_not_stop_the_matching() -> None:
    prediction, targets = perfect((0, 1))
    prediction.masks[0, 2] = float("nan")
    [match] = matcher()(prediction, targets)
    assert match.queries.tolist() == [0, 1]


def test_perfect_predictions_cost_almost_nothing_and_supervision_is_deep() -> None:
    prediction, targets = perfect((1, 0))
    uniform = criterion(importance=0.0)  # uncertain points would all lie on the border
    losses = uniform(MaskPredictions(prediction, (prediction, prediction)), targets)
    kinds = ("loss_ce", "loss_mask", "loss_dice")
    assert set(losses) == {f"{kind}{suffix}" for kind in kinds for suffix in ("", "_0", "_1")}
    assert all(loss < 1e-3 for name, loss in losses.items() if name.startswith("loss_ce"))
    blank = Prediction(prediction.logits, torch.full_like(prediction.masks, -20.0))
    worse = uniform(MaskPredictions(blank, ()), targets)
    assert losses["loss_dice"] < 0.5 * worse["loss_dice"]
    assert losses["loss_mask"] < 0.5 * worse["loss_mask"]
    shallow = criterion(deep_supervision=False)(MaskPredictions(prediction, (prediction,)), targets)
    assert set(shallow) == set(kinds)


def test_an_image_without_targets_trains_the_void_class_only() -> None:
    logits = torch.zeros(1, 4, 3, requires_grad=True)
    masks = torch.zeros(1, 4, 8, 8, requires_grad=True)
    nothing = [Target(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 8, 8, dtype=torch.bool))]
    losses = criterion()(MaskPredictions(Prediction(logits, masks), ()), nothing)
    assert losses["loss_ce"].item() == pytest.approx(2 * math.log(3))
    assert losses["loss_mask"].item() == 0.0
    sum(losses.values()).backward()
    assert masks.grad is not None  # every parameter stays in the graph
    assert not masks.grad.any()


def test_class_loss_weighs_void_down() -> None:
    logits = torch.zeros(1, 2, 2)
    logits[0, 1, 1] = math.log(3)  # predicts void with probability 3/4
    loss = class_loss(logits, torch.tensor([[0, 1]]), torch.tensor([1.0, 0.1]))
    assert loss.item() == pytest.approx((math.log(2) + 0.1 * math.log(4 / 3)) / 1.1)


def test_mask_losses_by_hand() -> None:
    logits, target = torch.zeros(1, 4), torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    cross_entropy, dice = mask_losses(logits, target, torch.tensor(2.0))
    assert cross_entropy.item() == pytest.approx(math.log(2) / 2)
    assert dice.item() == pytest.approx((1 - (2 * 1 + 1) / (2 + 2 + 1)) / 2)


def test_uncertain_points_lie_where_the_mask_turns() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(-9, 9, 64).expand(1, 1, 64, 64)  # uncertain at x = 0.5
    draw = partial(random_points, counts=[1], generators=[None], like=ramp)
    points = uncertain_points(ramp, 100, 8.0, 0.75, draw)
    assert points.shape == (1, 100, 2)
    distance = (points[0, :, 0] - 0.5).abs()
    assert (distance[:75] < 0.1).all()
    assert distance[75:].max() > 0.3  # the rest is drawn from everywhere


def batch_of(counts: list[int], queries: int = 3) -> tuple[Prediction, list[Target]]:
    """Return images with so many targets, and predictions of noise; the points of each image depend on it alone."""
    noise = torch.Generator().manual_seed(0)
    logits = torch.randn(len(counts), queries, 3, generator=noise)
    masks = torch.randn(len(counts), queries, 8, 8, generator=noise)
    targets = [
        Target(torch.arange(n) % 2, halves().repeat(3, 1, 1)[:n], torch.Generator().manual_seed(7 + image))
        for image, n in enumerate(counts)
    ]
    return Prediction(logits, masks), targets


def part_of(prediction: Prediction, images: slice | list[int]) -> Prediction:
    return Prediction(prediction.logits[images], prediction.masks[images])


@pytest.mark.parametrize("counts", [[2, 0, 1, 3], [2, 2, 2, 2], [0, 0, 0, 0]])
def test_factors_of_the_masks_give_the_same_losses_and_gradients(counts: list[int]) -> None:
    noise = torch.Generator().manual_seed(1)
    factors = [torch.randn(shape, generator=noise, requires_grad=True) for shape in ((4, 3, 5), (4, 5, 8, 8))]
    losses, gradients = [], []
    for known in (None, MaskFactors(*factors)):
        prediction, targets = batch_of(counts)
        prediction = Prediction(prediction.logits, mask_product(*factors), known)
        loss = sum(criterion()(MaskPredictions(prediction, ()), targets).values())
        losses.append(loss)
        gradients.append(torch.autograd.grad(loss, factors))
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*gradients)
    assert gradients[0][0].any() == any(counts)


@pytest.mark.parametrize("void_weight", [0.1, 0.0, 1e-300])  # the last one is 0 in float32
@pytest.mark.parametrize("counts", [[2, 0, 1, 3], [0, 5, 2, 0], [0, 0, 0, 0]])  # one image has more than 3 queries
def test_losses_of_the_parts_of_a_step_add_up_to_those_of_all_images(counts: list[int], void_weight: float) -> None:
    prediction, targets = batch_of(counts)
    whole = criterion(void_weight=void_weight)(MaskPredictions(prediction, ()), targets)
    _, targets = batch_of(counts)
    parts = [
        criterion(void_weight=void_weight)(MaskPredictions(part_of(prediction, rows), ()), targets[rows], counts)
        for rows in (slice(0, 1), slice(1, 4))
    ]
    for name, loss in whole.items():
        assert math.isfinite(loss.item()), name
        assert sum(part[name].item() for part in parts) == pytest.approx(loss.item(), rel=1e-5), name


def test_without_void_weight_only_matched_queries_have_a_class_loss() -> None:
    prediction, targets = batch_of([2, 0])
    logits = prediction.logits.requires_grad_()
    losses = criterion(void_weight=0.0)(MaskPredictions(Prediction(logits, prediction.masks), ()), targets)
    [pairs, _] = matcher()(*batch_of([2, 0]))  # with the same random points
    log_probabilities = logits.detach().log_softmax(dim=-1)
    matched = log_probabilities[0, pairs.queries, targets[0].labels[pairs.targets]]
    assert losses["loss_ce"].item() == pytest.approx(-2.0 * matched.mean().item(), rel=1e-5)
    losses["loss_ce"].backward()
    assert not logits.grad[1].any()
    nothing = criterion(void_weight=0.0)(MaskPredictions(Prediction(logits[1:], prediction.masks[1:]), ()), targets[1:])
    assert [loss.item() for loss in nothing.values()] == [0.0, 0.0, 0.0]
    nothing["loss_ce"].backward()  # every parameter stays in the graph


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": (0.0, 0.0, 0.0)},
        {"importance": 0.0},
        {"importance": 1.0, "oversample": 1.0},
        {"points": 1},
        {"points": 1, "importance": 1.0, "oversample": 1.0},
        {"matcher": HungarianMatcher(class_weight=0.0, mask_weight=0.0, dice_weight=0.0, points=1)},
    ],
)
def test_settings_at_the_ends_of_their_bounds_give_finite_losses(changes: dict[str, object]) -> None:
    prediction, targets = batch_of([2, 0, 5])
    losses = criterion(**changes)(MaskPredictions(prediction, ()), targets)
    assert all(math.isfinite(loss.item()) for loss in losses.values())
    assert ("weights" in changes) == all(loss.item() == 0.0 for loss in losses.values())


@pytest.mark.parametrize("void_weight", [0.1, 0.0])
def test_losses_of_two_processes_average_to_those_of_one(void_weight: float, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [0, 1]  # half a mask a process
    loss_of = criterion(void_weight=void_weight)
    prediction, targets = batch_of(counts)
    whole = loss_of(MaskPredictions(prediction, ()), targets)
    monkeypatch.setattr(module, "world_size", lambda: 2)
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(module, "sum_over_ranks", lambda tensor: seen.append(tensor) or tensor)
    for image in range(2):  # to learn what each process brings
        loss_of(MaskPredictions(part_of(prediction, [image]), ()), [targets[image]])
    monkeypatch.setattr(module, "sum_over_ranks", lambda tensor: sum(seen))
    _, targets = batch_of(counts)
    parts = [loss_of(MaskPredictions(part_of(prediction, [image]), ()), [targets[image]]) for image in range(2)]
    for name, loss in whole.items():
        assert sum(part[name].item() for part in parts) / 2 == pytest.approx(loss.item(), rel=1e-5), name


def test_points_of_an_image_do_not_depend_on_those_beside_it() -> None:
    def drawn(counts: list[int], seeds: list[int]) -> torch.Tensor:
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        return random_points(4, counts, generators, torch.zeros(1))

    together = drawn([2, 0, 3], [1, 2, 3])
    assert together.shape == (5, 4, 2)
    assert torch.equal(together[:2], drawn([2], [1]))
    assert torch.equal(together[2:], drawn([3], [3]))
    torch.manual_seed(5)
    everywhere = random_points(4, [2, 3], [None, None], torch.zeros(1))
    torch.manual_seed(5)
    assert torch.equal(everywhere, torch.rand(5, 4, 2))
