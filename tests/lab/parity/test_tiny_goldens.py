"""Our small goldens: the model still computes them, and a mistake is found where it is."""

import numpy as np
import pytest
import torch

from lab.parity.compare import Row, first_difference
from lab.parity.goldens import Golden, read_golden
from lab.parity.models import Models
from lab.parity.run import run_golden
from lab.parity.segmentation import Segmentation
from lab.parity.training import Training
from tests.lab.parity.record import FOLDER, cases

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
    model = Models().model_of(golden("tiny_frozenseg").metadata)
    with torch.no_grad():
        model.get_parameter(weight)[0] += 0.05
    first = first_difference(list(Segmentation(golden("tiny_frozenseg"), model).run()))
    assert first is not None
    assert first.stage == stage


def test_a_wrong_loss_and_a_wrong_gradient_are_found() -> None:
    case = golden("tiny_training")
    case.metadata["losses"]["seeded"]["loss_mask_2"] += 0.01
    case.metadata["indices"]["stateless"][0][0][0][0] += 1
    case.arrays["grad_l2"][5] *= 1.01
    rows = list(Training(case, Models().model_of(case.metadata)).run())
    assert failed(rows) == ["losses seeded", "matching stateless final", "gradient norms (relative)"]


@pytest.mark.parametrize(
    ("array", "stage"), [("panoptic0", "panoptic0"), ("inst_masks0", "instances0"), ("sem_seg_mean0", "sem_seg_mean0")]
)
def test_wrong_outputs_are_found(array: str, stage: str) -> None:
    case = golden("tiny_fcclip_resnet")
    case.arrays[array][:3] = case.arrays[array][:3] + 1
    rows = list(Segmentation(case, Models().model_of(case.metadata)).run())
    assert failed(rows) == [stage]


def test_wrong_segments_are_found() -> None:
    case = golden("tiny_fcclip_resnet")
    case.metadata["images"][0]["segments_info"][0]["category_id"] += 1
    rows = list(Segmentation(case, Models().model_of(case.metadata)).run())
    assert failed(rows) == ["panoptic0"]


@pytest.mark.parametrize("name", ["panoptic0_st0.5", "trace/pixel/other", "something"])
def test_an_array_that_nothing_is_compared_with_fails(name: str) -> None:
    case = golden("tiny_frozenseg")
    case.arrays[name] = np.zeros(3)
    assert failed(list(run_golden(case, Models()))) == [f"{name} (not compared)"]


def test_a_golden_may_hold_less() -> None:
    case = golden("tiny_fcclip_resnet")
    optional = ("aux_pred", "pred_masks", "out_vocab", "text", "sem_seg", "final", "inst_", "trace/clip")
    for name in [name for name in case.arrays if name.startswith(optional)]:
        del case.arrays[name]
    for image in case.metadata["images"]:
        del image["sem_seg_argmax_hist"], image["crc32"], image["inst_masks_shape"]
    del case.metadata["tensors_filled"], case.metadata["weight_checksum"]
    rows = list(run_golden(case, Models()))
    assert failed(rows) == []
    assert {"pred_logits", "panoptic0", "panoptic1", "pixel/mask_features"} <= {row.stage for row in rows}


def test_models_are_kept_only_where_all_is_the_same() -> None:
    models, case = Models(), golden("tiny_frozenseg")
    first = models.model_of(case.metadata)
    case.metadata["config"]["MASK_FORMER"]["TEST"]["OVERLAP_THRESHOLD"] = 0.5
    assert models.model_of(case.metadata) is first
    assert first.postprocessor.overlap_threshold == 0.5
    case.metadata["config"]["PIXEL_STD"] = [50.0, 50.0, 50.0]
    other = models.model_of(case.metadata)
    assert other is not first
    assert other.pixel_std.flatten().tolist() == [50.0, 50.0, 50.0]
