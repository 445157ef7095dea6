"""Published rows: every config resolves to model, protocol and expected scores, and every model builds."""

import logging
from functools import cache

import pytest

from frozenseg.config import CfgNode, config_names, find_config, load_config, with_protocol
from frozenseg.data import MetadataCatalog, vocabulary_of
from frozenseg.evaluation.expected import read_expected
from frozenseg.modeling.build import build_model
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.meta_device import on_meta_device
from frozenseg.modeling.model_zoo.weights import zoo_benchmarks, zoo_models

NAMES = [name for name in config_names() if name.startswith("published/")]
ON = {"panoptic_seg": "PANOPTIC_ON", "segm": "INSTANCE_ON", "sem_seg": "SEMANTIC_ON"}
RANDOM = ["MODEL.SAM_WEIGHTS", "random", "MODEL.CLIP.CLIP_PRETRAINED_WEIGHTS", "random"]
COCO = "openvocab_coco_2017_train_panoptic_with_sem_seg"


def test_every_score_of_the_zoo_has_a_config() -> None:
    keys = {(model.name, score.benchmark, score.sam_masks) for model in zoo_models() for score in model.scores}
    assert set(NAMES) == {f"published/{model}/{name}{'_sam_masks' * masks}" for model, name, masks in keys}


@pytest.mark.parametrize("name", NAMES)
def test_a_row_resolves_to_protocol_and_expected_scores(name: str, caplog: pytest.LogCaptureFixture) -> None:
    _, model_name, file = name.split("/")
    masks = file.endswith("_sam_masks")
    benchmark = zoo_benchmarks()[file.removesuffix("_sam_masks")]
    with caplog.at_level(logging.WARNING):
        cfg = load_config(name)
    assert caplog.messages == []
    assert [benchmark.dataset] == cfg.DATASETS.TEST
    assert MetadataCatalog.get(benchmark.dataset).protocol == benchmark.name
    expected = read_expected(cfg.TEST.EXPECTED_RESULTS, cfg.DATASETS.TEST)
    model = next(model for model in zoo_models() if model.name == model_name)
    scores = [score for score in model.scores if (score.benchmark, score.sam_masks) == (benchmark.name, masks)]
    assert [row[1:] for row in expected] == [(row.task, row.metric, row.value, row.tolerance) for row in scores]
    assert all(cfg.MODEL.MASK_FORMER.TEST[ON[row.task]] for row in expected)
    assert (cfg.TEST.USE_SAM_MASKS, cfg.TEST.SAM_MASK_POOLING == "released", cfg.TEST.SAM_MASK_BGR) == (masks,) * 3
    assert with_protocol(model_config(model.config), find_config(f"eval/{benchmark.name}")).MODEL == cfg.MODEL


@cache
def model_config(config: str) -> CfgNode:
    return load_config(config)


# tests/modeling/test_state_dict_keys.py builds the others
@pytest.mark.parametrize(
    "config", ["fcclip/r50x4", "fcclip/r50x16", "frozenseg/r50x64", "fcclip/ovrcoat_convnext_large"]
)
def test_a_released_model_builds(config: str) -> None:
    assert config in {model.config for model in zoo_models()}
    with on_meta_device():
        assert isinstance(build_model(load_config(config, RANDOM), vocabulary_of(COCO)), MaskClassifier)


def test_the_table_has_the_published_scores() -> None:
    scores = {
        (model.title, row.benchmark, row.metric, row.sam_masks): row.value
        for model in zoo_models()
        for row in model.scores
    }
    assert len(scores) == sum(len(model.scores) for model in zoo_models()) == 145
    assert scores["FC-CLIP ResNet50", "ade20k", "PQ", False] == 17.9
    assert scores["FC-CLIP ResNet50x16", "pas20", "mIoU", False] == 94.5
    assert scores["FC-CLIP ConvNeXt-L", "coco", "AP", False] == 44.57
    assert scores["FrozenSeg ConvNeXt-L", "a847", "mIoU", True] == 14.8
    assert scores["FrozenSeg ConvNeXt-L", "a847", "mIoU", False] == 14.39
    assert scores["FrozenSeg ResNet50x64", "lvis", "APr", False] == 23.5
    assert scores["OVRCOAT ConvNeXt-L", "mapillary_vistas", "PQ", False] == 19.6
