"""SAM's own masks vote in the semantic output of the model, whatever the sizes, by labels and by scores."""

from dataclasses import replace

import pytest
import torch

from frozenseg.errors import ConfigError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.ensemble.mask_proposals import mask_proposal_ensemble
from frozenseg.modeling.layers import row_strips
from frozenseg.modeling.meta_arch import frozenseg as module
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.automatic_masks.proposal_cache import ProposalCache
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals, propose_masks
from tests.tiny import TEST, TRAINING, tiny_config

SIZES = ((64, 96), (80, 48))
WANTED = ((40, 60), (80, 48))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    # a threshold of 0: every mask votes; FC-CLIP's own scores, so that classes differ
    options = ("TEST.USE_SAM_MASKS", True, "TEST.SAM_MASK_THRESHOLD", 0.0, "TEST.SAM_MASK_PRED_ALPHA", 0.4)
    built = build_model(tiny_config("FrozenSeg", *options), TRAINING).eval()
    built.set_vocabulary(TEST)
    return built


@pytest.fixture
def proposals(monkeypatch):
    """Five masks of any image, from a generator, and what SAM was shown."""
    shown = []

    def propose(sam, image, settings):
        shown.append(image)
        coarse = 3 * torch.randn((1, 5, 4, 4), generator=torch.Generator().manual_seed(image.shape[1]))
        logits = torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear")[0]
        ones = torch.ones(5)
        placement = Placement.of(image.shape[1], image.shape[2], sam.image_size)
        return Proposals(logits, ones, ones, ones.long(), placement, 0)

    monkeypatch.setattr(module, "propose_masks", propose)
    return shown


def batch():
    generator = torch.Generator().manual_seed(1)
    return [
        {
            "image": torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8),
            "original_image": torch.randint(0, 256, (3, *wanted), generator=generator, dtype=torch.uint8),
            "height": wanted[0],
            "width": wanted[1],
        }
        for size, wanted in zip(SIZES, WANTED, strict=True)
    ]


def run(model, proposals_on=True, **postprocessor):
    defaults = model.inference_settings
    ensemble = defaults.ensemble if proposals_on else defaults.ensemble._replace(proposals=None)
    settings = replace(defaults, postprocessor=replace(defaults.postprocessor, **postprocessor), ensemble=ensemble)
    with torch.no_grad():
        return [output["sem_seg"] for output in model(batch(), settings=settings)]


@pytest.mark.parametrize("masks_first", [True, False])
def test_scores_are_the_formula_and_labels_their_argmax(model, proposals, masks_first, monkeypatch):
    monkeypatch.setattr(row_strips, "VALUES_PER_STRIP", 4 * 48 * 7)  # strips of a few rows
    kept = []
    votes = model.proposal_votes
    monkeypatch.setattr(model, "proposal_votes", lambda *given: kept.append(votes(*given)) or kept[-1])
    mixed, plain = (run(model, on, masks_first=masks_first, labels=False) for on in (True, False))
    labels = run(model, masks_first=masks_first, labels=True)
    for index, wanted in enumerate(WANTED):
        more = kept[0][index]
        full = more.placement.at_image_size(more.masks)
        assert full.shape == (5, *wanted)
        expected = mask_proposal_ensemble(plain[index], more.logits, full, more.seen, 0.4, 0.0)
        torch.testing.assert_close(mixed[index], expected)
        assert (mixed[index] != plain[index]).any()
        assert torch.equal(mixed[index][more.seen], plain[index][more.seen])
        agree = (labels[index] == mixed[index].argmax(dim=0)).float().mean()
        assert agree > 0.99  # resizing and voting change places: ties may turn
    assert [tuple(image.shape[1:]) for image in proposals[:2]] == list(WANTED)  # the pictures at their own size


def test_clip_names_a_mask_by_what_lies_under_it(model, proposals):
    images = model.preprocess(batch(), model.pixel_mean, model.pixel_std)
    clip = model.backbone(images.tensor)
    votes = model.proposal_votes(batch(), images, clip, model.text_embeddings(), model.inference_settings)
    for index, more in enumerate(votes):
        assert more.logits.shape == (5, 5)  # four classes and void
        size = images.sizes[index]
        masks = replace(more.placement, size=tuple(size)).at_image_size(more.masks)
        padded = torch.full((5, *images.padded_size), -100.0)
        padded[:, : size.height, : size.width] = masks
        vectors = model.backbone.project(clip.dense[index : index + 1], padded[None])
        logits = module.class_logits(vectors, model.text_embeddings(), model.backbone.logit_scale)[0]
        # a quarter of the size on the way moves the borders of a mask by less than a cell of CLIP's map
        torch.testing.assert_close(logits, more.logits, atol=0.35 * logits.std().item() + 1e-3, rtol=0.5)


def test_without_masks_the_scores_are_plain(model, monkeypatch):
    def nothing(sam, image, settings):
        none = torch.zeros(0)
        placement = Placement.of(image.shape[1], image.shape[2], sam.image_size)
        return Proposals(torch.zeros(0, 32, 32), none, none, none.long(), placement, 0)

    monkeypatch.setattr(module, "propose_masks", nothing)
    for with_masks, plain in zip(run(model, labels=False), run(model, False, labels=False), strict=True):
        assert torch.equal(with_masks, plain)


def test_sam_is_not_asked_where_every_class_is_seen(model, proposals):
    model.set_vocabulary(TRAINING)
    try:
        votes = run(model, labels=False)
        assert proposals == []
        for scores, plain in zip(votes, run(model, False, labels=False), strict=True):
            assert torch.equal(scores, plain)
        run(model, recall=True)  # how many regions the masks find is asked of all
        assert len(proposals) == 2
    finally:
        model.set_vocabulary(TEST)


def test_votes_become_candidates_for_the_other_read_outs(model, proposals):
    images = model.preprocess(batch(), model.pixel_mean, model.pixel_std)
    clip, text = model.backbone(images.tensor), model.text_embeddings()
    more = model.proposal_votes(batch(), images, clip, text, model.inference_settings)[0]
    named = more.voting_proposals()
    probabilities = more.logits.softmax(dim=-1)
    assert torch.equal(named.probabilities[:, :-1][:, ~more.seen], probabilities[:, :-1][:, ~more.seen])
    assert not named.probabilities[:, :-1][:, more.seen].any()
    torch.testing.assert_close(named.probabilities.sum(dim=-1), torch.ones(5))
    sure = replace(more, ensemble=more.ensemble._replace(vote_threshold=1.0)).voting_proposals()
    assert len(sure.probabilities) == len(sure.masks) == 0
    assert torch.equal(more.binary_masks(), more.placement.at_image_size(more.masks) > 0)


def test_all_outputs_take_them_where_asked(model, proposals):
    everywhere = replace(model.postprocessor, proposals_in_panoptic=True, proposals_in_instances=True, recall=True)
    with torch.no_grad():
        outputs = model(batch(), settings=replace(model.inference_settings, postprocessor=everywhere))
    for output, wanted in zip(outputs, WANTED, strict=True):
        assert output["sam_masks"].shape == (5, *wanted)
        assert output["panoptic_seg"][0].shape == output["instances"].pred_masks.shape[1:] == wanted


def test_masks_are_kept_and_found_again(model, proposals, tmp_path, monkeypatch):
    monkeypatch.setattr(model, "proposal_cache", ProposalCache(tmp_path))
    first = run(model, labels=False)
    assert len(proposals) == len(list(tmp_path.rglob("*.npz"))) == 2
    second = run(model, labels=False)
    assert len(proposals) == 2  # SAM was not asked again
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, atol=0.02, rtol=0)


def test_sam_itself_proposes(model, monkeypatch):
    found = []
    everything = ProposalSettings(points_per_side=2, pred_iou_threshold=0, stability_threshold=0, min_region_area=0)

    def propose(sam, image, settings):
        found.append(propose_masks(sam, image, everything))
        return found[-1]

    monkeypatch.setattr(module, "propose_masks", propose)
    assert all(scores.isfinite().all() for scores in run(model, labels=False))
    assert any(len(masks) for masks in found)


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="FC-CLIP has no SAM"):
        build_model(tiny_config("FCCLIP", "TEST.USE_SAM_MASKS", True), TRAINING)
    with pytest.raises(ConfigError, match=r"TEST\.SAM_MASK_PRED_ALPHA is 2\.0, expected a number from 0 to 1"):
        build_model(tiny_config("FrozenSeg", "TEST.USE_SAM_MASKS", True, "TEST.SAM_MASK_PRED_ALPHA", 2.0), TRAINING)
