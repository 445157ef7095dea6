"""Test-time augmentation: means that can be worked out by hand, then the model itself."""

import pytest
import torch

from frozenseg.errors import ConfigError
from frozenseg.modeling.augmentation import AugmentedModel, augmented
from frozenseg.modeling.build import build_model
from frozenseg.modeling.ensemble.geometric import EnsembleWeights
from frozenseg.modeling.inference_settings import EnsembleSettings
from frozenseg.modeling.meta_arch import frozenseg as module
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.vocabulary import Vocabulary
from tests.tiny import TEST, TRAINING, tiny_config

SEMANTIC = ("MODEL.MASK_FORMER.TEST.PANOPTIC_ON", False, "MODEL.MASK_FORMER.TEST.INSTANCE_ON", False)


class Copies(SegmentationModel):
    """Gives a picture's first two channels as the scores of two classes."""

    def __init__(self, labels: bool = False) -> None:
        super().__init__(
            vocabulary=Vocabulary.parse("cat; dog"),
            postprocessor=Postprocessor(panoptic=False, instance=False, labels=labels),
            ensemble=EnsembleSettings(EnsembleWeights(0.4, 0.8), on_valid_mask=False),
        )

    def forward(self, batch, masks_of_step=None, settings=None):
        assert not settings.postprocessor.labels
        return [{"sem_seg": element["image"][:2].float()} for element in batch]

    def frozen_hashes(self):
        return {}


def pixels(*rows):
    return torch.tensor([[row] for row in rows], dtype=torch.uint8)  # (3, 1, W)


def test_scores_are_the_mean_of_sizes_and_mirror_images_turned_back():
    element = {"views": [pixels([2, 4], [0, 8], [0, 0]), pixels([4, 4], [0, 0], [0, 0])]}
    [output] = AugmentedModel(Copies())([element])
    assert output["sem_seg"].tolist() == [[[3, 4]], [[0, 4]]]
    [labels] = AugmentedModel(Copies(labels=True), flip=False)([element])
    assert labels["sem_seg"].tolist() == [[0, 0]]  # the first of equal ones


def batch():
    generator = torch.Generator().manual_seed(1)
    sizes = ((64, 96), (40, 60))
    views = [torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8) for size in sizes]
    return [{"views": views, "image": views[0], "original_image": views[1], "height": 40, "width": 60}]


def test_the_model_looks_at_every_view_and_sam_once_at_each_side(monkeypatch):
    torch.manual_seed(0)
    votes = ("TEST.USE_SAM_MASKS", True, "TEST.SAM_MASK_THRESHOLD", 0.0)
    cfg = tiny_config("FrozenSeg", *SEMANTIC, *votes, "TEST.AUG.ENABLED", True)
    model = build_model(cfg, TRAINING).eval()
    model.set_vocabulary(TEST)
    shown = []

    def propose(sam, image, settings):
        shown.append(image)
        logits = image[:, :32, :32].float() / 32 - 4  # three masks that depend on the picture
        placement = Placement.of(*image.shape[1:], sam.image_size)
        return Proposals(logits, torch.ones(3), torch.ones(3), torch.ones(3).long(), placement, 0)

    monkeypatch.setattr(module, "propose_masks", propose)
    [element] = batch()
    with torch.no_grad():
        [output] = augmented(model, cfg)([element])
        assert [tuple(image.shape) for image in shown] == [(3, 40, 60)] * 2
        assert torch.equal(shown[0], shown[1].flip(-1))
        expected = 0
        for view in element["views"]:
            expected += model([{**element, "image": view}])[0]["sem_seg"]
            flipped = {"image": view.flip(-1), "original_image": element["original_image"].flip(-1)}
            expected += model([element | flipped])[0]["sem_seg"].flip(-1)
        torch.testing.assert_close(output["sem_seg"], expected / 4)
        model.return_labels()
        [labels] = augmented(model, cfg)([element])
    assert torch.equal(labels["sem_seg"], output["sem_seg"].argmax(dim=0))
    assert model.postprocessor.labels
    model.set_vocabulary(TRAINING)
    shown.clear()
    augmented(model, cfg)(batch())
    assert shown == []  # where every class is seen there is nothing to vote for


def test_the_mode_and_the_read_out_stay_as_they_were():
    model = Copies(labels=True).eval()
    assert not AugmentedModel(model).training
    before = model.inference_settings
    with pytest.raises(KeyError):
        AugmentedModel(model)([{}])
    assert model.inference_settings is before


def test_an_image_without_views_is_refused():
    with pytest.raises(ValueError, match="The image has no views"):
        AugmentedModel(Copies())([{"views": []}])


def test_masks_have_no_mean():
    with pytest.raises(
        ConfigError, match=r"only semantic scores can be averaged over several views.*PANOPTIC,INSTANCE,RECALL"
    ):
        Postprocessor.from_config(tiny_config("FCCLIP", "TEST.AUG.ENABLED", True))
    cfg = tiny_config("FCCLIP", *SEMANTIC)
    model = build_model(cfg, TRAINING)
    assert augmented(model, cfg) is model
