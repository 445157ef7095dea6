"""Semantic, panoptic and instance post-processing on maps of a few pixels."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frozenseg.errors import ConfigError, ShapeError
from frozenseg.modeling.ensemble.mask_proposals import ClassifiedProposals
from frozenseg.modeling.layers import row_strips
from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.postprocess.chunked_masks import MaskCandidates
from frozenseg.modeling.postprocess.instance import DISTINCT_OBJECTS, InstanceRule, instance_inference
from frozenseg.modeling.postprocess.panoptic import panoptic_inference
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.modeling.postprocess.restore_size import RestoredMasks, restore_size
from frozenseg.modeling.postprocess.semantic import semantic_inference, semantic_labels
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.structures.image_list import ImageSize
from tests.tiny import tiny_config

IN, OUT = 9.0, -9.0
THING, STUFF = True, False
KINDS = ("SEMANTIC", "PANOPTIC", "INSTANCE")
OFF = [item for kind in KINDS for item in (f"MODEL.MASK_FORMER.TEST.{kind}_ON", False)]


def says(*labels: int, classes: int = 2) -> torch.Tensor:
    """One row a query, nearly certain of its label (``classes`` is void)."""
    return 20 * torch.nn.functional.one_hot(torch.tensor(labels), classes + 1).float()


def row(*pixels: float) -> torch.Tensor:
    return torch.tensor(pixels)[None]  # (1, W)


def test_semantic_adds_votes_under_masks() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.25], [0.0001, 0.5, 0.4999]]).log()
    masks = torch.stack([row(0.0, 0.0), row(100.0, -100.0)])  # a half everywhere; the left pixel
    scores = semantic_inference(logits, masks)
    assert torch.allclose(scores[:, 0], torch.tensor([[0.2501, 0.25], [0.625, 0.125]]), atol=1e-4)


@pytest.mark.parametrize("at_once", [1, 100, 10**9])
def test_labels_are_the_best_class_of_every_pixel(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_strips, "VALUES_PER_STRIP", at_once)
    generator = torch.Generator().manual_seed(0)
    logits, masks = torch.randn(5, 8, generator=generator), torch.randn(5, 9, 11, generator=generator)
    labels = semantic_labels(logits, masks)
    assert labels.dtype == torch.int64
    assert torch.equal(labels, semantic_inference(logits, masks).argmax(dim=0))


@pytest.mark.parametrize("queries", [5, 20])
@pytest.mark.parametrize("masks_first", [True, False])
def test_labels_and_scores_are_of_one_map(masks_first: bool, queries: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, masks = torch.randn(queries, 8, generator=generator), 3 * torch.randn(queries, 12, 16, generator=generator)
    sizes = {"true_size": ImageSize(10, 13), "target_size": ImageSize(23, 29)}
    postprocessor = Postprocessor(panoptic=False, instance=False, masks_first=masks_first)
    scores = postprocessor(logits, masks, (True,) * 7, **sizes)["sem_seg"]
    labels = replace(postprocessor, labels=True)(logits, masks, (True,) * 7, **sizes)["sem_seg"]
    best = scores.topk(2, dim=0).values
    sure = best[0] - best[1] > 1e-5
    assert torch.equal(labels[sure], scores.argmax(dim=0)[sure])
    assert sure.float().mean() > 0.99


def test_panoptic_things_stay_apart_and_stuff_is_merged() -> None:
    masks = torch.stack(
        [row(IN, OUT, OUT, OUT), row(OUT, IN, OUT, OUT), row(OUT, OUT, IN, OUT), row(OUT, OUT, OUT, IN)]
    )
    ids, segments = panoptic_inference(MaskCandidates(says(0, 1, 0, 1), masks), (THING, STUFF), 0.0, 0.8)
    assert ids.tolist() == [[1, 2, 3, 2]]
    assert ids.dtype == torch.int32
    scores = [segment.pop("score") for segment in segments]
    assert scores == pytest.approx([says(0).softmax(dim=-1).max().item()] * 3, abs=1e-3)
    assert segments == [
        {"id": 1, "isthing": True, "category_id": 0, "label_id": 0},
        {"id": 2, "isthing": False, "category_id": 1, "label_id": 1},
        {"id": 3, "isthing": True, "category_id": 0, "label_id": 0},
    ]


def test_panoptic_scores_are_class_times_mask_probability_over_the_pixels_of_the_segment() -> None:
    logits = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.6, 0.3], [0.1, 0.7, 0.2]]).log()
    half, most = 0.0, torch.tensor(0.9).logit().item()  # mask probabilities 0.5 and 0.9
    masks = torch.stack([row(most, half, OUT, OUT, OUT), row(OUT, OUT, most, OUT, OUT), row(OUT, OUT, OUT, most, half)])
    candidates = MaskCandidates(logits, masks)
    ids, segments = panoptic_inference(candidates, (THING, STUFF), 0.0, 0.8)
    assert ids.tolist() == [[1, 1, 2, 2, 2]]
    merged = (0.6 * 0.9 + 0.7 * 0.9 + 0.7 * 0.5) / 3
    assert [segment["score"] for segment in segments] == pytest.approx([0.8 * 0.7, merged], abs=1e-5)


def test_panoptic_drops_void_weak_and_overlapped_queries() -> None:
    logits = torch.cat([says(0, 0, 2), torch.tensor([[0.6, 0.3, 0.1]]).log()])
    masks = torch.stack([row(9, 9, OUT, OUT), row(8, 8, IN, OUT), row(OUT, OUT, OUT, IN), row(OUT, OUT, OUT, IN)])
    # query 0 wins its two pixels; query 1 wins one of its three; query 2 says void; query 3 scores only 0.6
    ids, segments = panoptic_inference(MaskCandidates(logits, masks), (THING, STUFF), 0.7, 0.8)
    assert ids.tolist() == [[1, 1, 0, 0]]
    assert [segment["id"] for segment in segments] == [1]
    ids, _ = panoptic_inference(MaskCandidates(logits, masks), (THING, STUFF), 0.0, 0.0)
    assert ids.tolist() == [[1, 1, 2, 3]]


@pytest.mark.parametrize("queries", [3, 64, 90])
@pytest.mark.parametrize("at_once", [1, 10**9])
def test_pixels_are_assigned_as_by_the_formula(queries: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_strips, "VALUES_PER_STRIP", at_once)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(queries, 4, generator=generator)
    masks = torch.randint(-3, 4, (queries, 9, 16), generator=generator) / 2  # many ties
    scores, labels = logits[:, :-1].softmax(dim=-1).max(dim=-1)
    logits = torch.cat([logits[:, :-1], torch.full((queries, 1), -torch.inf)], dim=1)
    probabilities = masks.sigmoid()
    winner = (scores[:, None, None] * probabilities).argmax(dim=0)
    inside = probabilities.gather(0, winner[None])[0] >= 0.5
    won, areas = winner.flatten().bincount(minlength=queries), (probabilities >= 0.5).sum(dim=(1, 2))
    survives = (won / areas >= 0.1) & winner[inside].bincount(minlength=queries).bool()
    ids, segments = panoptic_inference(MaskCandidates(logits, masks), (THING, THING, THING), 0.0, 0.1)
    assert torch.equal(ids, survives.int().cumsum(dim=0)[winner] * (inside & survives[winner]))
    assert [segment["category_id"] for segment in segments] == labels[survives].tolist()
    pixels = [probabilities[index][(winner == index) & inside] for index in survives.nonzero()[:, 0]]
    expected = [score * each.mean() for score, each in zip(scores[survives], pixels, strict=True)]
    assert [segment["score"] for segment in segments] == pytest.approx([each.item() for each in expected], abs=1e-5)


def test_panoptic_of_nothing() -> None:
    ids, segments = panoptic_inference(MaskCandidates(says(2, 2), torch.zeros(2, 3, 4)), (THING, STUFF), 0.0, 0.8)
    assert ids.shape == (3, 4)
    assert not ids.any()
    assert segments == []


def test_pixels_below_one_half_belong_to_no_segment() -> None:
    ids, _ = panoptic_inference(
        MaskCandidates(says(0), torch.stack([row(IN, IN, IN, IN, -0.1)])), (THING, STUFF), 0.0, 0.8
    )
    assert ids.tolist() == [[1, 1, 1, 1, 0]]


def test_instances_for_people_are_one_class_a_query_sorted_and_not_empty() -> None:
    logits = torch.tensor([[0.3, 0.4, 0.3], [0.6, 0.3, 0.1], [0.9, 0.05, 0.05], [0.5, 0.3, 0.2]]).log()
    masks = torch.stack(
        [row(IN, IN, OUT, OUT), row(OUT, OUT, IN, OUT), row(OUT, OUT, OUT, OUT), row(OUT, OUT, OUT, 1.0)]
    )
    candidates = MaskCandidates(logits, masks)
    assert len(instance_inference(candidates, 100, None)) == 8
    instances = instance_inference(candidates, 100, None, DISTINCT_OBJECTS)
    assert instances.pred_classes.tolist() == [0, 1, 0]
    certain = torch.tensor(1.0).sigmoid().item()
    assert instances.scores.tolist() == pytest.approx([0.6, 0.4, 0.5 * certain], abs=1e-3)
    assert instances.pred_masks.flatten(1).int().tolist() == [[0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]]
    strict = replace(DISTINCT_OBJECTS, min_score=0.39)
    assert instance_inference(candidates, 100, None, strict).pred_classes.tolist() == [0, 1]


@pytest.mark.parametrize("at_once", [1, 10**9])
@pytest.mark.parametrize(("threshold", "kept"), [(0.7, [0, 2]), (0.75, [0, 1, 2]), (1.0, [0, 1, 2])])
def test_mask_nms_drops_the_weaker_of_two_masks_of_any_class(
    threshold: float, kept: list[int], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_strips, "VALUES_PER_STRIP", at_once)
    masks = torch.stack(
        [row(IN, IN, IN, IN, OUT, OUT), row(OUT, IN, IN, IN, OUT, OUT), row(OUT, OUT, OUT, IN, IN, IN)]
    ).reshape(3, 2, 3)  # IoU of the first two: 3 / 4
    logits = torch.tensor([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1]]).log()
    rule = replace(DISTINCT_OBJECTS, mask_nms=threshold)
    instances = instance_inference(MaskCandidates(logits, masks), 100, None, rule)
    assert instances.pred_classes.tolist() == [[0, 1, 0][query] for query in kept]


def test_a_query_of_a_stuff_class_is_no_instance_for_people() -> None:
    candidates = MaskCandidates(torch.tensor([[0.4, 0.6, 0.0]]).log(), torch.stack([row(IN, IN)]))
    assert len(instance_inference(candidates, 100, (THING, STUFF))) == 1
    assert len(instance_inference(candidates, 100, (THING, STUFF), DISTINCT_OBJECTS)) == 0


def test_the_rule_for_people_has_the_defaults_of_the_config() -> None:
    assert InstanceRule.from_config(tiny_config("FCCLIP")) == DISTINCT_OBJECTS


def test_instance_scores_are_class_times_mask_certainty() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.6, 0.3]]).log()
    masks = torch.stack([row(0.0001, OUT), row(OUT, 100.0)])  # barely inside: certainty a half; surely inside: one
    instances = instance_inference(MaskCandidates(logits, masks), 3, None)
    assert sorted(instances.scores.tolist()) == pytest.approx([0.25, 0.25 * 0.5, 0.6][1::-1] + [0.6], abs=1e-3)
    best = instances[instances.scores.argmax().item()]
    assert best.pred_classes.tolist() == [1]
    assert best.pred_masks.tolist() == [[[False, True]]]
    assert best.pred_boxes.tolist() == [[1.0, 0.0, 2.0, 1.0]]


def test_instances_are_things_where_asked() -> None:
    instances = instance_inference(MaskCandidates(says(0, 1), torch.ones(2, 2, 2)), 4, (THING, STUFF))
    assert set(instances.pred_classes.tolist()) == {0}


def test_restored_masks_have_gradients() -> None:
    maps = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    sizes = {"padded_size": ImageSize(8, 10), "true_size": ImageSize(7, 9), "target_size": ImageSize(11, 70)}
    recorded = RestoredMasks(maps, **sizes).rows(slice(0, 6))
    assert torch.equal(recorded, RestoredMasks(maps.detach(), **sizes).rows(slice(0, 6)))
    [gradient] = torch.autograd.grad(recorded.sum(), maps)
    assert gradient.sum().item() == pytest.approx(recorded.numel(), rel=1e-5)  # each weighs its pixels by 1


def test_restore_size_crops_before_it_resizes() -> None:
    maps = torch.tensor([[[1.0, 1.0, 7.0], [1.0, 1.0, 7.0], [7.0, 7.0, 7.0]]])
    assert torch.equal(restore_size(maps, ImageSize(2, 2), ImageSize(4, 6)), torch.ones(1, 4, 6))
    with pytest.raises(ShapeError, match="The image of 2×4 pixels does not fit into maps of 3×3"):
        restore_size(maps, ImageSize(2, 4), ImageSize(4, 6))


def test_a_tensor_of_another_shape_is_named() -> None:
    sizes = {"true_size": ImageSize(4, 4), "target_size": ImageSize(4, 4)}
    with pytest.raises(ShapeError, match=r"logits has shape \(2, 3\), expected \(Q, C=4\)"):
        Postprocessor()(says(0, 1), torch.zeros(2, 4, 4), (THING,) * 3, **sizes)
    with pytest.raises(ShapeError, match=r"masks has shape \(3, 4, 4\), expected \(Q=2, h, w\)"):
        Postprocessor()(says(0, 1), torch.zeros(3, 4, 4), (THING, STUFF), **sizes)
    with pytest.raises(ShapeError, match=r"masks has shape \(3, 4, 4\), expected \(Q=2, H, W\)"):
        MaskCandidates(says(0, 1), torch.zeros(3, 4, 4))
    with pytest.raises(ShapeError, match="isthing has 1 flags, expected one for each of the 2 classes"):
        panoptic_inference(MaskCandidates(says(0, 1), torch.zeros(2, 4, 4)), (THING,), 0.0, 0.8)


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[st.integers(1, 9)] * 2), st.tuples(*[st.integers(1, 25)] * 2), st.data())
def test_rows_are_those_of_the_whole(
    true_size: tuple[int, int], target_size: tuple[int, int], data: st.DataObject
) -> None:
    maps = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(0))
    padded_size = ImageSize(*data.draw(st.sampled_from([(10, 11), (20, 24), (9, 9)])))
    true_size, target_size = ImageSize(*true_size), ImageSize(*target_size)
    whole = restore_size(resize(maps[None], padded_size)[0], true_size, target_size)
    by_rows = RestoredMasks(maps, padded_size=padded_size, true_size=true_size, target_size=target_size)
    assert by_rows.shape == whole.shape
    start = data.draw(st.integers(0, target_size[0] - 1))
    rows, chosen = slice(start, data.draw(st.integers(start + 1, target_size[0] + 3))), torch.tensor([2, 0, 2])
    torch.testing.assert_close(by_rows.rows(rows), whole[:, rows])
    torch.testing.assert_close(by_rows.rows(rows, chosen), whole[chosen][:, rows])


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("masks_first", [True, False])
def test_strips_of_rows_have_the_outputs_of_the_whole(
    masks_first: bool, labels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, masks = torch.randn(9, 12, generator=generator), 3 * torch.randn(9, 12, 16, generator=generator)
    sizes = {"true_size": ImageSize(10, 13), "target_size": ImageSize(23, 29)}
    postprocessor = Postprocessor(masks_first=masks_first, labels=labels, recall=True)
    if not masks_first:
        postprocessor = replace(postprocessor, panoptic=False, instance=False, recall=False)
    whole = postprocessor(logits, masks, (THING, STUFF) * 5 + (THING,), **sizes)
    monkeypatch.setattr(row_strips, "VALUES_PER_STRIP", 12 * 29 * 4)
    by_rows = postprocessor(logits, masks, (THING, STUFF) * 5 + (THING,), **sizes)
    torch.testing.assert_close(by_rows["sem_seg"], whole["sem_seg"])
    if masks_first:
        assert torch.equal(by_rows["panoptic_seg"][0], whole["panoptic_seg"][0])
        assert by_rows["panoptic_seg"][1] == whole["panoptic_seg"][1]
        assert torch.equal(by_rows["instances"].pred_masks, whole["instances"].pred_masks)
        torch.testing.assert_close(by_rows["instances"].scores, whole["instances"].scores)
        assert torch.equal(by_rows["recall_seg"], whole["recall_seg"])


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("masks_first", [True, False])
def test_masks_of_the_decoder_are_resized_to_the_padded_input(masks_first: bool, labels: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, masks = torch.randn(9, 12, generator=generator), 3 * torch.randn(9, 6, 8, generator=generator)
    padded_size = ImageSize(24, 32)
    sizes = {"true_size": ImageSize(21, 27), "target_size": ImageSize(15, 19)}
    postprocessor = Postprocessor(panoptic=False, instance=False, recall=masks_first, labels=labels)
    postprocessor = replace(postprocessor, masks_first=masks_first)
    small = postprocessor(logits, masks, (THING,) * 11, **sizes, padded_size=padded_size)
    full = postprocessor(logits, resize(masks[None], padded_size)[0], (THING,) * 11, **sizes)
    for name, values in full.items():
        torch.testing.assert_close(small[name], values)


def test_semantic_only_scores_are_restored_after_the_voting() -> None:
    logits, masks = torch.randn(3, 3), torch.randn(3, 8, 8)
    size, target_size = ImageSize(6, 8), ImageSize(12, 16)
    after = Postprocessor(panoptic=False, instance=False, masks_first=False)
    output = after(logits, masks, (THING, STUFF), true_size=size, target_size=target_size)
    assert set(output) == {"sem_seg"}
    expected = restore_size(semantic_inference(logits, masks), size, target_size)
    torch.testing.assert_close(output["sem_seg"], expected)


def test_recall_gives_every_mask_at_the_target_size_and_nothing_else() -> None:
    masks = torch.stack([row(-0.5, 0.25, 9.0), row(0.0, -1.0, 9.0)])  # the last column is padding
    cfg = tiny_config("FCCLIP", *OFF, "MODEL.MASK_FORMER.TEST.RECALL_ON", True)
    output = Postprocessor.from_config(cfg)(
        says(0, 1), masks, (THING, STUFF), true_size=ImageSize(1, 2), target_size=ImageSize(1, 4)
    )
    # resized: -0.5, -0.3125, 0.0625, 0.25 and 0, -0.25, -0.75, -1
    assert output.keys() == {"recall_seg"}
    assert output["recall_seg"].tolist() == [[[False, False, True, True]], [[False] * 4]]


def test_a_config_without_any_output_is_refused() -> None:
    with pytest.raises(ConfigError, match="No output is on: set one of"):
        Postprocessor.from_config(tiny_config("FCCLIP", *OFF))


def proposals(*labels: int, masks: torch.Tensor, certain: float = 1.0) -> ClassifiedProposals:
    """Proposals of 1×W masks that are enlarged to themselves, each with one class; the rest is void."""
    probabilities = torch.zeros(len(labels), 3)
    probabilities[range(len(labels)), labels] = certain
    probabilities[:, -1] = 1 - certain
    width = masks.shape[-1]
    square = masks.expand(-1, width, -1)  # low resolution is square; the image is its first row
    return ClassifiedProposals(probabilities, square, Placement((1, width), (1, width), width))


@pytest.mark.parametrize("at_once", [1, 10**9])
def test_proposals_compete_for_pixels(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_strips, "VALUES_PER_STRIP", at_once)
    masks = torch.stack([row(IN, IN, OUT, OUT)])
    proposal_votes = proposals(1, 1, masks=torch.stack([row(OUT, OUT, OUT, IN), row(OUT, OUT, IN, OUT)]))
    ids, segments = panoptic_inference(MaskCandidates(says(0), masks, proposal_votes), (THING, THING), 0.0, 0.8)
    assert ids.tolist() == [[1, 1, 3, 2]]
    assert [segment["category_id"] for segment in segments] == [0, 1, 1]
    weak = proposals(1, masks=torch.stack([row(IN, IN, OUT, OUT)]), certain=0.6)
    ids, segments = panoptic_inference(MaskCandidates(says(0), masks, weak), (THING, THING), 0.0, 0.8)
    assert ids.tolist() == [[1, 1, 0, 0]]
    assert [segment["category_id"] for segment in segments] == [0]


def test_proposals_are_instances_unless_a_query_has_the_same_mask() -> None:
    masks = torch.stack([row(IN, IN, OUT, OUT)])
    proposal_votes = proposals(0, 1, masks=torch.stack([row(IN, IN, OUT, OUT), row(OUT, OUT, IN, IN)]), certain=0.75)
    instances = instance_inference(MaskCandidates(says(0), masks, proposal_votes), 4, (THING, THING))
    confident = instances[instances.scores > 0.1]
    assert confident.pred_classes.tolist() == [0, 1]
    assert confident.scores.tolist() == pytest.approx([1, 0.75], abs=1e-3)
    assert confident.pred_masks.tolist() == [[[True, True, False, False]], [[False, False, True, True]]]
    assert confident.pred_boxes.tolist() == [[0, 0, 2, 1], [2, 0, 4, 1]]


def test_sam_masks_in_outputs_need_sam_masks() -> None:
    with pytest.raises(ConfigError, match=r"TEST\.SAM_MASKS_IN_PANOPTIC is True and TEST\.USE_SAM_MASKS False"):
        Postprocessor.from_config(tiny_config("FrozenSeg", "TEST.SAM_MASKS_IN_PANOPTIC", True))
    both = tiny_config("FrozenSeg", "TEST.SAM_MASKS_IN_INSTANCES", True, "TEST.USE_SAM_MASKS", True)
    assert Postprocessor.from_config(both).proposals_in_instances
    assert not replace(Postprocessor.from_config(both), semantic=False, instance=False).uses_proposals
