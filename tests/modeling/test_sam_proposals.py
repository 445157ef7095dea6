"""SAM's proposals: the package's masks on the same image, the order of its steps, and bounded memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from segment_anything.modeling import Sam

from frozenseg.errors import ConfigError, ShapeError
from frozenseg.modeling.sam.automatic_masks.candidates import (
    ScoredMasks,
    find_candidates,
    suppress_duplicates,
    without_small_regions,
)
from frozenseg.modeling.sam.automatic_masks.mask_filters import pixel_boxes, remove_small_regions
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals, embed_image, propose_masks, shares_embedding
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.build import build_sam
from frozenseg.modeling.sam.tiny_vit import TinyViTEncoder, tiny_sam
from lab.proposal_timing.comparison import matched_ious, package_generator, synthetic_image
from lab.proposal_timing.random_sam import draw_around_points

SETTINGS = ProposalSettings(points_per_side=6, min_region_area=20, max_masks=1000, points_per_batch=18)
PLACED_1_TO_1 = Placement((8, 8), (8, 8), 8)


def lively(sam: FrozenSAM, height: int, width: int) -> tuple[FrozenSAM, torch.Tensor]:
    image = synthetic_image(height, width)
    draw_around_points(sam, image, passing=0.9)
    return sam, image


@pytest.fixture(scope="module")
def scene() -> tuple[FrozenSAM, torch.Tensor]:
    return lively(build_sam("vit_toy", "random:1"), 96, 128)


def records_of(sam: FrozenSAM, image: torch.Tensor, settings: ProposalSettings) -> list[dict]:
    records = package_generator(sam, settings).generate(image.permute(1, 2, 0).numpy())
    return sorted(records, key=lambda record: -record["area"])


def check_equal(proposals: Proposals, records: list[dict]) -> None:
    assert len(proposals) == len(records)
    assert proposals.areas.tolist() == pytest.approx([record["area"] for record in records], abs=2)
    masks = np.stack([record["segmentation"] for record in records])
    assert matched_ious(proposals.masks(), masks).min() >= 0.999
    for ours, theirs in ((proposals.predicted_ious, "predicted_iou"), (proposals.stability, "stability_score")):
        torch.testing.assert_close(ours, torch.tensor([record[theirs] for record in records]), atol=1e-3, rtol=0,
                                   equal_nan=True)  # fmt: skip


@pytest.mark.parametrize("size", [(96, 128), (150, 70), (128, 128)], ids=str)
def test_masks_are_those_of_the_package(size):
    sam, image = lively(build_sam("vit_toy", "random:1"), *size)
    settings = replace(SETTINGS, points_per_side=10, nms_threshold=0.9, stability_threshold=0.4, min_region_area=9)
    records = records_of(sam, image, settings)
    assert len({record["area"] for record in records}) >= 12  # something to compare
    check_equal(propose_masks(sam, image, settings), records)


@pytest.mark.parametrize(
    "other",
    [
        {"pred_iou_threshold": 0.0, "stability_threshold": 0.0},
        {"min_region_area": 0, "nms_threshold": 0.4},
        {"min_region_area": 400, "nms_threshold": 0.9},
        {"stability_threshold": 0.9, "stability_offset": 2.0},
    ],
    ids=str,
)
def test_other_settings_give_the_packages_masks_too(other):
    sam, image = lively(build_sam("vit_toy", "random:1"), 96, 128)
    settings = replace(SETTINGS, points_per_side=4, **other)
    check_equal(propose_masks(sam, image, settings), records_of(sam, image, settings))


def test_mobile_sam_proposes_as_the_package_would_with_it():
    torch.manual_seed(0)
    encoder = TinyViTEncoder(
        widths=(8, 8, 16, 16), depths=(1, 1, 1, 1), heads=(1, 1, 2, 2), windows=(7, 7, 3, 7), channels=32
    )
    sam, image = lively(tiny_sam(encoder=encoder, image_size=64, channels=32), 48, 64)
    settings = replace(SETTINGS, points_per_side=4, stability_threshold=0.2)
    check_equal(propose_masks(sam, image, settings), records_of(sam, image, settings))


def test_the_number_of_points_at_once_changes_nothing(scene):
    sam, image = scene
    one, many = (propose_masks(sam, image, replace(SETTINGS, points_per_batch=batch)) for batch in (5, 64))
    assert one.areas.tolist() == many.areas.tolist()
    torch.testing.assert_close(one.logits, many.logits, atol=1e-2, rtol=1e-4)


def test_logits_are_the_packages_at_image_size(scene):
    sam, image = scene
    proposals = propose_masks(sam, image, SETTINGS)
    package = Sam(sam.image_encoder, sam.prompt_encoder, sam.mask_decoder)
    wanted = package.postprocess_masks(proposals.logits[None], proposals.placement.inside, proposals.placement.size)[0]
    torch.testing.assert_close(torch.cat([logits for _, logits in proposals.strips()], dim=1), wanted)


def test_the_largest_masks_are_kept_largest_first(scene):
    sam, image = scene
    every, three = propose_masks(sam, image, SETTINGS), propose_masks(sam, image, replace(SETTINGS, max_masks=3))
    assert every.areas.tolist() == sorted(every.areas.tolist(), reverse=True)
    assert three.areas.tolist() == every.areas[:3].tolist()
    assert every.masks().sum(axis=(1, 2)).tolist() == every.areas.tolist()


def test_bfloat16_is_near(scene):
    sam, image = scene
    exact, rounded = (list(points_of(sam, image, bf16)) for bf16 in (False, True))
    for one, other in zip(exact, rounded, strict=True):
        assert torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0) > 0.99


def points_of(sam: FrozenSAM, image: torch.Tensor, bf16: bool) -> tuple[torch.Tensor, torch.Tensor]:
    everything = replace(
        SETTINGS, pred_iou_threshold=0.0, stability_threshold=0.0, nms_threshold=1.0, min_region_area=0, bf16=bf16
    )
    placement = Placement.of(*image.shape[1:], sam.image_size)
    with torch.no_grad():
        found = list(find_candidates(sam, embed_image(sam, image, everything), placement, everything))
    return torch.cat([some.predicted_ious for some in found]), torch.cat([some.logits for some in found])


def test_an_embedding_is_taken_where_it_agrees():
    sam, image = lively(build_sam("vit_toy", "random:1"), 80, 128)
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (sam.PIXEL_MEAN, sam.PIXEL_STD))
    own = torch.nn.functional.pad((image - mean) / deviation, (0, 0, 0, 48))  # as the model pads a batch
    assert shares_embedding((80, 128), (128, 128), sam.image_size)
    torch.testing.assert_close(sam(own[None]), embed_image(sam, image, SETTINGS))
    given = propose_masks(sam, image, SETTINGS, sam(own[None]))
    assert given.areas.tolist() == propose_masks(sam, image, SETTINGS).areas.tolist()


@pytest.mark.parametrize(
    ("image", "padded"),
    [((80, 128), (96, 128)), ((64, 64), (64, 64)), ((256, 256), (256, 256)), ((80, 96), (128, 128))],
)
def test_an_embedding_that_was_resized_otherwise_is_not_shared(image, padded):
    assert not shares_embedding(image, padded, 128)


def test_red_and_blue_are_swapped_on_demand():
    sam, image = lively(build_sam("vit_toy", "random:1"), 64, 96)
    swapped = replace(SETTINGS, swap_red_and_blue=True)
    assert torch.equal(embed_image(sam, image, swapped), embed_image(sam, image.flip(0), SETTINGS))
    with pytest.raises(ConfigError, match="swap_red_and_blue needs the embedding of the swapped image"):
        propose_masks(sam, image, swapped, embed_image(sam, image, swapped))


def test_nothing_good_gives_no_masks():
    sam, image = lively(build_sam("vit_toy", "random:1"), 64, 96)
    none = propose_masks(
        sam, image, replace(SETTINGS, points_per_side=2, stability_threshold=1.0, stability_offset=1e6)
    )
    assert (len(none), none.masks().shape, none.areas.dtype) == (0, (0, 64, 96), torch.int64)
    assert sum(logits.numel() for _, logits in none.strips()) == 0


def test_the_image_is_as_it_was_read():
    sam = build_sam("vit_toy", "random")
    with pytest.raises(ShapeError, match=r"image has shape \(1, 3, 8, 8\), expected \(3, H, W\)"):
        propose_masks(sam, torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ShapeError, match=r"image is torch.float32, expected torch.uint8"):
        propose_masks(sam, torch.zeros(3, 8, 8))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"points_per_side": 0}, "points_per_side of SAM's proposals is 0; set it to 1 or more"),
        ({"points_per_batch": 0}, "points_per_batch of SAM's proposals is 0"),
        ({"max_masks": 0}, "max_masks of SAM's proposals is 0"),
        ({"min_region_area": -1}, "set it to 0 or more"),
        ({"nms_threshold": 1.5}, "nms_threshold of SAM's proposals is 1.5; set it to a number from 0 to 1"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, told):
    with pytest.raises(ConfigError, match=told):
        ProposalSettings(**wrong)


def test_settings_are_equal_where_they_propose_the_same():
    assert ProposalSettings(points_per_batch=3) == ProposalSettings()
    assert ProposalSettings(bf16=True) != ProposalSettings()


def test_points_lie_in_the_middle_of_their_squares_of_the_input():
    halves = np.array([[0.25, 0.75]])
    assert Placement.of(100, 200, 1024).to_input(halves).tolist() == [[256.0, 384.0]]
    assert Placement.of(100, 200, 1024).inside == (512, 1024)


def test_strips_hold_no_more_than_they_may():
    proposals = Proposals(
        logits=torch.randn(3, 4, 4), predicted_ious=torch.ones(3), stability=torch.ones(3), areas=torch.ones(3),
        placement=Placement.of(50, 40, 16), min_region_area=0,
    )  # fmt: skip
    rows = list(proposals.strips(values=3 * 40 * 7))
    assert [logits.shape[1] for _, logits in rows] == [7, 7, 7, 7, 7, 7, 7, 1]
    assert max(logits.numel() for _, logits in rows) <= 3 * 40 * 7
    assert (rows[0][0], rows[-1][0]) == (slice(0, 7), slice(49, 50))
    whole = next(iter(proposals.strips()))[1]
    torch.testing.assert_close(torch.cat([logits for _, logits in rows], dim=1), whole)
    assert len(list(proposals.strips(values=1))) == 50


def test_boxes_end_at_the_last_pixel():
    masks = torch.zeros(3, 5, 6, dtype=torch.bool)
    masks[0, 1:3, 2:5] = True
    masks[1, 4, 5] = True
    assert pixel_boxes(masks).tolist() == [[2, 1, 4, 2], [5, 4, 5, 4], [0, 0, 0, 0]]


def squares(*corners: tuple[int, int, int]) -> torch.Tensor:
    """Return logits (M, 8, 8), 1 inside: top, left, side of each."""
    logits = torch.full((len(corners), 8, 8), -1.0)
    for mask, (top, left, side) in zip(logits, corners, strict=True):
        mask[top : top + side, left : left + side] = 1.0
    return logits


def candidates(logits: torch.Tensor, *quality: float) -> ScoredMasks:
    return ScoredMasks(logits, torch.tensor(quality), torch.ones(len(logits)), pixel_boxes(logits > 0))


def test_of_duplicates_in_any_batch_the_best_stays():
    first = candidates(squares((0, 0, 6), (4, 4, 3)), 0.8, 0.85)
    second = candidates(squares((0, 0, 7), (0, 0, 6)), 0.7, 0.9)
    kept = suppress_duplicates([first, second], threshold=0.6)
    assert kept.predicted_ious.tolist() == pytest.approx([0.9, 0.85])
    assert torch.equal(kept.logits, squares((0, 0, 6), (4, 4, 3)))


def test_masks_without_small_regions_give_way_to_intact_duplicates():
    logits = squares((0, 0, 5), (0, 0, 5))
    logits[0, 7, 7] = 1.0  # an island; the box without it is the other's
    settings = ProposalSettings(min_region_area=2)
    kept, areas = without_small_regions(candidates(logits, 0.9, 0.8), PLACED_1_TO_1, settings)
    assert (kept.predicted_ious.tolist(), areas.tolist()) == (pytest.approx([0.8]), [25])
    kept, areas = without_small_regions(
        candidates(logits, 0.9, 0.8), PLACED_1_TO_1, replace(settings, min_region_area=0)
    )
    assert areas.tolist() == [26, 25]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("least", [1, 3, 12, 1000])
def test_small_regions_are_the_packages(seed, least):
    pytest.importorskip("cv2")
    from segment_anything.utils.amg import remove_small_regions as usual

    for share in (0.3, 0.45, 0.6, 0.9):
        mask = np.random.default_rng(seed).random((24, 31)) < share
        filled, with_holes = usual(mask, least, "holes")
        wanted, with_islands = usual(filled, least, "islands")
        got, changed = remove_small_regions(mask, least)
        assert np.array_equal(got, wanted)
        assert changed == (with_holes or with_islands)


@pytest.mark.parametrize("full", [False, True])
def test_nothing_and_everything_have_no_small_regions(full):
    mask = np.full((3, 4), full)
    kept, changed = remove_small_regions(mask, 5)
    assert (np.array_equal(kept, mask), changed) == (True, False)


def test_the_only_regions_are_not_all_removed():
    mask = np.zeros((4, 8), dtype=bool)
    mask[0, 0] = mask[2, 4:7] = True
    kept, changed = remove_small_regions(mask, 5)
    assert (changed, kept.sum(), kept[2, 4:7].all()) == (True, 3, True)
