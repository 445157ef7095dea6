"""Both models, whole and tiny: the contract in, the contract out, what trains and what never does."""

import copy

import pytest
import torch

from frozenseg.errors import ConfigError, ShapeError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.registry import META_ARCH
from tests.tiny import TEST, TRAINING, tiny_config, training_batch


@pytest.fixture(scope="module", params=["FrozenSeg", "FCCLIP"])
def model(request: pytest.FixtureRequest) -> MaskClassifier:
    torch.manual_seed(0)
    return build_model(tiny_config(request.param), TRAINING)


def test_both_are_registered() -> None:
    assert META_ARCH.names() == ["FCCLIP", "FrozenSeg"]


def test_training_gives_losses_and_gradients_to_every_trainable_parameter(model: MaskClassifier) -> None:
    losses = model.train()(training_batch())
    assert len(losses) == 3 * 5  # the kinds, of four layers and of the queries themselves
    assert all(loss.ndim == 0 and loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    missing = [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None]
    assert missing == []
    model.zero_grad(set_to_none=True)


@pytest.mark.parametrize(("feature_scale", "query_scale"), [(-1, 2), (0, -1), (-1, -1), (2, 0)])
def test_no_switch_leaves_a_parameter_without_gradient(feature_scale: int, query_scale: int) -> None:
    """Several processes wait for every gradient, so a part that is not used must not be built."""
    keys = ("MODEL.MASK_FORMER.SAM_FEATURE_FUSE_LAYER", "MODEL.MASK_FORMER.SAM_QUERY_FUSE_LAYER")
    options = [item for pair in zip(keys, (feature_scale, query_scale), strict=True) for item in pair]
    model = build_model(tiny_config("FrozenSeg", *options), TRAINING).train()
    sum(model(training_batch()).values()).backward()
    assert [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None] == []


def test_frozen_parts_hold_still_through_a_training_step(model: MaskClassifier) -> None:
    hashes = model.frozen_hashes()
    assert set(hashes) == ({"backbone", "sam"} if hasattr(model, "sam") else {"backbone"})
    model.train()
    for part in model.frozen_parts().values():
        assert not any(module.training for module in part.modules())
        assert not any(parameter.requires_grad for parameter in part.parameters())
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad], lr=1e-3)
    sum(model(training_batch()).values()).backward()
    optimizer.step()
    model.zero_grad(set_to_none=True)
    assert model.frozen_hashes() == hashes


def test_outputs_have_the_wanted_size_and_the_contracts_fields(model: MaskClassifier) -> None:
    model.eval().set_vocabulary(TEST)
    batch = [{"image": torch.randint(0, 256, (3, 40, 70), dtype=torch.uint8), "height": 80, "width": 140}]
    with torch.no_grad():
        [output] = model(batch)
    assert output["sem_seg"].shape == (4, 80, 140)
    ids, segments = output["panoptic_seg"]
    assert ids.shape == (80, 140)
    assert ids.dtype == torch.int32
    assert all(set(segment) == {"id", "isthing", "category_id", "label_id", "score"} for segment in segments)
    assert set(ids.unique().tolist()) <= {0, *(segment["id"] for segment in segments)}
    instances = output["instances"]
    assert instances.image_size == (80, 140)
    assert instances.pred_masks.shape == (len(instances), 80, 140)
    assert instances.pred_masks.dtype == torch.bool
    assert set(instances.get_fields()) == {"pred_masks", "pred_boxes", "scores", "pred_classes"}
    assert all(TEST.isthing[label] for label in instances.pred_classes.tolist())


def test_an_image_of_a_mixed_batch_gets_what_it_gets_alone(model: MaskClassifier) -> None:
    """The image that fills the batch is padded like alone; the smaller one is not (DETR-style padding is seen)."""
    model.eval().set_vocabulary(TEST)
    large, small = training_batch(((64, 96), (32, 64)))
    with torch.no_grad():
        [alone], together = model([large]), model([large, small])
    assert torch.allclose(together[0]["sem_seg"], alone["sem_seg"], atol=1e-4)
    assert together[1]["sem_seg"].shape == (4, 32, 64)


def test_an_image_without_targets_can_be_trained_on(model: MaskClassifier) -> None:
    batch = training_batch()
    batch[0]["instances"] = batch[0]["instances"][:0]
    assert all(loss.isfinite() for loss in model.train()(batch).values())


def test_words_can_be_swapped_and_training_keeps_its_own(model: MaskClassifier) -> None:
    model.set_vocabulary(TEST)
    assert model.seen == (True, False, False, True)  # kitten is a synonym of cat, sky of sky
    names = {mode: model.train(mode).text_embeddings().classes for mode in (True, False)}
    assert names == {True: len(TRAINING) + 1, False: len(TEST) + 1}


def test_swapping_words_swaps_their_scores(model: MaskClassifier) -> None:
    batch = training_batch()[:1]
    model.eval()
    with torch.no_grad():
        model.set_vocabulary(TRAINING)
        scores = model(batch)[0]["sem_seg"]
        reordered = type(TRAINING)(TRAINING.classes[::-1], TRAINING.isthing[::-1])
        model.set_vocabulary(reordered)
        assert torch.allclose(model(batch)[0]["sem_seg"], scores.flip(0), atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("MODEL.META_ARCHITECTURE", "FrozenSegg"), "Unknown meta-architecture 'FrozenSegg'. Did you mean 'FrozenSeg'"),
        (("MODEL.FROZEN_SEG.EMBED_DIM", 768), "EMBED_DIM is 768, but the joint space of toy_convnext has 64"),
        (("INPUT.FORMAT", "BGR"), "INPUT.FORMAT is 'BGR', expected 'RGB'"),
    ],
)
def test_contradictions_are_refused(options: tuple[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_model(tiny_config("FrozenSeg", *options), TRAINING)


def test_a_vocabulary_may_be_text() -> None:
    assert build_model(tiny_config("FCCLIP"), "cat,kitten; dog").training_vocabulary.names == ("cat", "dog")


def test_tensors_of_another_shape_are_named(model: MaskClassifier) -> None:
    model.eval()
    with pytest.raises(ShapeError, match=r"image has shape \(64, 64\), expected \(3, h, w\)"):
        model([{"image": torch.zeros(64, 64, dtype=torch.uint8)}])
    with pytest.raises(ShapeError, match=r"images has shape \(3, 64, 64\), expected \(B, 3, H, W\)"):
        model.backbone(torch.zeros(3, 64, 64))
    clip, text = model.backbone(torch.zeros(1, 3, 64, 64)), model.text_embeddings()
    with pytest.raises(ShapeError, match=r"mask_logits has shape \(2, 1, 8, 8\), expected \(B=1, Q, "):
        model.backbone.project(clip.dense, torch.zeros(2, 1, 8, 8))
    with pytest.raises(ShapeError, match=r"text embeddings has shape .*, expected \(N, E=3\)"):
        class_logits(torch.zeros(1, 2, 3), text, model.backbone.logit_scale)
    with pytest.raises(ShapeError, match=r"tokens has shape \(4,\), expected \(N, T\)"):
        model.backbone.encode_text(torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ShapeError, match=r"sam_embedding has shape \(64, 16, 16\), expected \(B=1, c, h, w\)"):
        model.sem_seg_head(clip, torch.zeros(64, 16, 16), text)


def test_there_is_one_flag_of_seen_classes_for_each_class(model: MaskClassifier) -> None:
    with pytest.raises(ConfigError, match="The vocabulary has 4 classes, but there are 1 flags of seen classes"):
        model.set_vocabulary(TEST, [True])


def test_settings_apply_inside_a_block_and_are_restored(model: MaskClassifier) -> None:
    model.train()
    before = model.inference_settings
    settings = model.settings_for(TEST)
    with model.using(settings):
        assert (model.inference_settings, model.training) == (settings, False)
    assert (model.inference_settings, model.training) == (before, True)
    with pytest.raises(KeyError), model.using(settings):
        model([{}])
    assert model.inference_settings is before
    assert model.training


def test_a_model_can_be_copied(model: MaskClassifier) -> None:
    twin = copy.deepcopy(model)
    assert twin.frozen_hashes() == model.frozen_hashes()
