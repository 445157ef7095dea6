"""Masks on disk: what comes back, what counts as the same picture, and how large the folder may grow."""

import os

import pytest
import torch

from frozenseg.cache import GIB
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.automatic_masks.proposal_cache import ProposalCache
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals

SETTINGS = ProposalSettings(points_per_side=4)


def picture(seed=0):
    return torch.randint(0, 256, (3, 6, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def masks(count=3):
    logits = 6 * torch.randn((count, 16, 16), generator=torch.Generator().manual_seed(0))
    if count:
        logits[0, 0, :4] = torch.tensor([0.0, 1e-6, 50.0, -50.0])
    values = torch.linspace(0.9, 0.8, count)
    return Proposals(logits, values, values / 2, torch.arange(count) + 7, Placement((6, 8), (48, 64), 64), 100)


@pytest.mark.parametrize("count", [3, 0])
def test_masks_come_back_with_their_signs_and_nearly_their_logits(tmp_path, count):
    cache, found = ProposalCache(tmp_path / "masks"), masks(count)
    assert cache.load(picture(), "sam", SETTINGS) is None
    cache.save(found, picture(), "sam", SETTINGS)
    again = cache.load(picture(), "sam", SETTINGS)
    inside = found.logits.abs() < 8
    assert ((again.logits > 0) == (found.logits > 0)).all()
    torch.testing.assert_close(again.logits[inside], found.logits[inside], atol=1 / 32 + 1e-6, rtol=0)
    error = (again.logits.sigmoid() - found.logits.sigmoid()).abs()
    assert error.max() < 0.008 if count else error.numel() == 0
    assert not count or error[~inside].max() < 0.0004
    for name in ("predicted_ious", "stability", "areas"):
        torch.testing.assert_close(getattr(again, name), getattr(found, name))
    assert (again.placement, again.min_region_area, len(again)) == (found.placement, 100, count)


def test_another_picture_sam_or_setting_is_another_file(tmp_path):
    cache = ProposalCache(tmp_path)
    paths = {
        cache.save(masks(), *content)
        for content in (
            (picture(), "sam", SETTINGS),
            (picture(1), "sam", SETTINGS),
            (picture(), "other", SETTINGS),
            (picture(), "sam", ProposalSettings(points_per_side=5)),
            (picture().reshape(3, 8, 6), "sam", SETTINGS),
        )
    }
    assert len(paths) == 5
    assert cache.load(picture(), "sam", ProposalSettings(points_per_side=4, points_per_batch=7)) is not None


def test_a_folder_that_cannot_be_written_can_be_read(tmp_path, monkeypatch):
    cache = ProposalCache(tmp_path)
    cache.save(masks(), picture(), "sam", SETTINGS)

    def refuse(path):
        raise PermissionError(path)

    monkeypatch.setattr(os, "utime", refuse)
    assert len(cache.load(picture(), "sam", SETTINGS)) == 3


def test_a_damaged_file_is_made_anew(tmp_path, caplog):
    cache = ProposalCache(tmp_path)
    path = cache.save(masks(), picture(), "sam", SETTINGS)
    for content in (b"", b"PK", path.read_bytes()[:200]):
        path.write_bytes(content)
        assert cache.load(picture(), "sam", SETTINGS) is None


def test_what_was_not_used_for_longest_goes_first(tmp_path, monkeypatch):
    monkeypatch.setattr("frozenseg.cache.CHECK_EVERY", 1)
    unlimited = ProposalCache(tmp_path)
    paths = [unlimited.save(masks(), picture(seed), "sam", SETTINGS) for seed in range(3)]
    for age, path in enumerate(paths):
        os.utime(path, (1000 + age, 1000 + age))
    assert unlimited.load(picture(0), "sam", SETTINGS) is not None  # used: the youngest now
    size = paths[0].stat().st_size
    newest = ProposalCache(tmp_path, limit=2.5 * size / GIB)
    monkeypatch.setattr("frozenseg.cache.CHECK_EVERY", 2)
    newest.save(masks(), picture(3), "sam", SETTINGS)
    assert [path.exists() for path in paths] == [True, False, False]
