"""Evidence of names: tiles of the image, ranking by the image and by masks."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from frozenseg.inference.name_evidence import TILES, image_evidence, name_evidence, names_with_evidence, tile_masks
from frozenseg.inference.predictor import Segmenter
from frozenseg.modeling.meta_arch.embedded_images import EmbeddedImages
from frozenseg.toyworld.samples import sample_scene


@pytest.mark.parametrize(
    ("evidence", "names"),
    [
        ([[0.1, 0.8, 0.0], [0.6, 0.3, 0.0]], [0, 1]),
        ([[0.1, 0.8, 0.0], [0.1, 0.6, 0.2]], [1]),  # one name of two masks
        ([[0.1, 0.8, 0.0], [0.3, 0.1, 0.0]], [1]),  # the second is too weak
        ([[0.1, 0.3, 0.0], [0.2, 0.1, 0.0]], [1]),  # the best, if none suffices
        ([[0.0, 0.6, 0.1], [0.7, 0.0, 0.0], [0.0, 0.0, 0.9]], [0, 2]),  # the first two of the ranking
    ],
)
def test_the_best_names_of_masks_are_used(evidence: list[list[float]], names: list[int]) -> None:
    assert names_with_evidence(torch.tensor(evidence), min_evidence=0.5, max_names=2).tolist() == names


@pytest.mark.parametrize(("size", "tiles"), [((2, 3), 6), ((25, 33), TILES * TILES), ((1, 40), TILES)])
def test_tiles_cover_the_feature_map_once(size: tuple[int, int], tiles: int) -> None:
    inside = tile_masks(*size) > 0  # (T, h, w)
    assert inside.shape == (tiles, *size)
    assert torch.equal(inside.sum(dim=0), torch.ones(size, dtype=torch.int64))
    areas = inside.flatten(1).sum(dim=1)
    assert areas.min() >= 1
    assert areas.max() <= 4 * areas.min()


def _mean_under_masks(dense: Tensor, masks: Tensor) -> Tensor:
    """Return the embedding under each mask for features that are in the joint space already."""
    inside = (masks > 0).float().flatten(2)  # (1, T, S)
    return inside @ dense.flatten(2).transpose(1, 2) / inside.sum(dim=-1, keepdim=True)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.from_pretrained("toyworld", device="cpu")


@pytest.fixture(scope="module")
def embedded(segmenter: Segmenter) -> EmbeddedImages:
    return segmenter.embed(sample_scene(size=128)).features


def test_a_name_of_a_small_part_has_evidence(
    segmenter: Segmenter, embedded: EmbeddedImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = segmenter.settings(segmenter.vocabulary_of("red circle; sand; gravel"))
    text = segmenter.model.text_embeddings(settings).embeddings  # (4, E)
    dense = text[1][None, :, None, None].repeat(1, 1, 4, 4)  # sand …
    dense[0, :, 3, 0] = text[0]  # … with a red circle in a corner
    monkeypatch.setattr(segmenter.model.backbone, "project", _mean_under_masks)
    evidence = image_evidence(segmenter.model, replace(embedded, dense=dense), settings)
    assert evidence[:2].min() > 0.5 > evidence[2]


def test_the_image_ranks_names_that_its_masks_leave_open(segmenter: Segmenter, embedded: EmbeddedImages) -> None:
    settings = segmenter.settings(segmenter.vocabulary_of("auto"))
    with torch.no_grad():
        masks_alone = name_evidence(segmenter.model, embedded, settings, 0.0)  # (Q, C)
        with_image = name_evidence(segmenter.model, embedded, settings, 1.0)
        in_image = image_evidence(segmenter.model, embedded, settings)  # (C,)
    is_object = masks_alone.sum(dim=1, keepdim=True)  # (Q, 1), 0 for an empty mask
    expected = torch.nan_to_num(masks_alone * in_image / (masks_alone @ in_image)[:, None]) * is_object
    assert torch.allclose(with_image, expected, atol=1e-5)
    assert 0.5 < float(is_object.max()) <= 1 + 1e-5


def test_training_classes_have_no_advantage(segmenter: Segmenter, embedded: EmbeddedImages) -> None:
    settings = segmenter.settings(segmenter.vocabulary_of("auto"))
    assert any(settings.seen)
    nothing_seen = replace(settings, seen=(False,) * len(settings.seen))
    with torch.no_grad():
        evidence, same = (name_evidence(segmenter.model, embedded, each, 0.5) for each in (settings, nothing_seen))
    assert torch.equal(evidence, same)
