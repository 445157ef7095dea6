"""Our small goldens: the model still computes them, and a mistake is found where it is."""

import pytest
import torch

from frozenseg.parity.compare import Row, first_difference
from frozenseg.parity.goldens import Golden, read_golden
from frozenseg.parity.models import Models
from frozenseg.parity.run import run_golden
from frozenseg.parity.segmentation import Segmentation
from frozenseg.parity.training import Training
from tests.parity.record import FOLDER, cases

CASES = sorted(cases())


def golden(name: str) -> Golden:
    return read_golden(FOLDER / f"{name}.json")


def failed(rows: list[Row]) -> list[str]:
    return [row.stage for row in rows if not row.passed]


@pytest.mark.parametrize("name", CASES)
def test_the_model_computes_them(name: str) -> None:
    rows = list(run_golden(golden(name), Models()))
    assert failed(rows) == []
    assert len(rows) > 50


def test_they_are_small() -> None:
    assert {path.stem for path in FOLDER.glob("*.npz")} == set(CASES)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_000_000


@pytest.mark.parametrize(
    ("weight", "stage"),
    [
        ("backbone.clip_model.visual.trunk.stages.1.blocks.0.mlp.fc2.weight", "clip/res3"),
        ("sam.image_encoder.neck.0.weight", "sam/embedding"),
        ("sem_seg_head.pixel_decoder.sam_transformer.encoder.layers.0.linear1.weight", "pixel/sam_out"),
        ("sem_seg_head.pixel_decoder.layer_1.weight", "pixel/mask_features"),
        ("sem_seg_head.predictor.transformer_cross_attention_layers_sam.2.norm.weight", "aux3_logits"),
        ("sem_seg_head.predictor.transformer_ffn_layers.4.linear2.weight", "aux5_logits"),
        ("backbone.clip_model.visual.head.proj.weight", "out_vocab_logits"),
        ("void_embedding.weight", "text_classifier"),
    ],
)
def test_a_wrong_weight_shows_first_where_it_acts(weight: str, stage: str) -> None:
    model = Models().model_of(golden("tiny_frozenseg").about)
    with torch.no_grad():
        model.get_parameter(weight)[0] += 0.05
    first = first_difference(list(Segmentation(golden("tiny_frozenseg"), model).run()))
    assert first is not None
    assert first.stage == stage


def test_a_wrong_loss_and_a_wrong_gradient_are_found() -> None:
    case = golden("tiny_training")
    case.about["losses"]["seeded"]["loss_mask_2"] += 0.01
    case.about["indices"]["stateless"][0][0][0][0] += 1
    case.arrays["grad_l2"][5] *= 1.01
    rows = list(Training(case, Models().model_of(case.about)).run())
    assert failed(rows) == ["losses seeded", "matching stateless final", "gradient norms (relative)"]


@pytest.mark.parametrize(
    ("array", "stage"), [("panoptic0", "panoptic0"), ("inst_masks0", "instances0"), ("sem_seg_mean0", "sem_seg_mean0")]
)
def test_wrong_outputs_are_found(array: str, stage: str) -> None:
    case = golden("tiny_fcclip_resnet")
    case.arrays[array][:3] = case.arrays[array][:3] + 1
    rows = list(Segmentation(case, Models().model_of(case.about)).run())
    assert failed(rows) == [stage]


def test_wrong_segments_are_found() -> None:
    case = golden("tiny_fcclip_resnet")
    case.about["images"][0]["segments_info"][0]["category_id"] += 1
    rows = list(Segmentation(case, Models().model_of(case.about)).run())
    assert failed(rows) == ["panoptic0"]
