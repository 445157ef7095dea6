"""One benchmark is run as the config says, several each by their protocol."""

import logging
import pickle
from pathlib import Path

import pytest

from frozenseg.config import CfgNode, configs_folder, load_config
from frozenseg.data import DatasetCatalog, MetadataCatalog, resolve
from frozenseg.engine.evaluation import protocol
from frozenseg.errors import ConfigError
from tests.tiny import ROOT

ADE, CITYSCAPES = "openvocab_ade20k_panoptic_val", "openvocab_cityscapes_fine_panoptic_val"
CLASSES = {"stuff_classes": ["sky"], "thing_dataset_id_to_contiguous_id": {}}
PROTOCOLS = configs_folder() / "eval"
MODEL = ROOT / "configs/frozenseg/convnext_large.yaml"


def benchmark_configs(cfg: CfgNode) -> dict[str, CfgNode]:
    datasets = [resolve(name) for name in cfg.DATASETS.TEST]
    configs = protocol.benchmark_configs(cfg, datasets)
    return {dataset.name: config for dataset, config in zip(datasets, configs, strict=True)}


def test_several_benchmarks_are_run_by_their_protocols() -> None:
    cfg = load_config(MODEL, ["DATASETS.TEST", f"['{ADE}', '{CITYSCAPES}', 'toyworld_val_seen']", "SEED", "5"])
    configs = benchmark_configs(cfg)
    assert list(configs) == [ADE, CITYSCAPES, "toyworld_val_seen"]
    assert configs[ADE].INPUT.MIN_SIZE_TEST == 800
    assert configs[CITYSCAPES].INPUT.MIN_SIZE_TEST == 1024
    assert configs[CITYSCAPES].INPUT.MAX_SIZE_TEST == 2560
    assert configs[CITYSCAPES].SEED == 5
    assert configs[CITYSCAPES].DATASETS == cfg.DATASETS
    assert configs["toyworld_val_seen"] == cfg


def test_the_command_line_wins() -> None:
    cfg = load_config(MODEL, ["DATASETS.TEST", f"['{ADE}', '{CITYSCAPES}']", "INPUT.MIN_SIZE_TEST", "640"])
    configs = benchmark_configs(pickle.loads(pickle.dumps(cfg.clone())))  # as in a spawned process
    assert [own.INPUT.MIN_SIZE_TEST for own in configs.values()] == [640, 640]
    assert configs[CITYSCAPES].INPUT.MAX_SIZE_TEST == 2560


def test_one_benchmark_is_run_as_the_config_says(caplog: pytest.LogCaptureFixture) -> None:
    cfg = load_config(MODEL, ["DATASETS.TEST", f"['{CITYSCAPES}']"])
    with caplog.at_level(logging.WARNING):
        assert benchmark_configs(cfg) == {CITYSCAPES: cfg}
    [message] = caplog.messages
    assert f"{CITYSCAPES} is evaluated with other settings than its protocol" in message
    assert "INPUT.MAX_SIZE_TEST, INPUT.MIN_SIZE_TEST" in message
    assert "DATASETS.TEST" not in message


def test_by_its_protocol_there_is_nothing_to_say(caplog: pytest.LogCaptureFixture) -> None:
    published = ROOT / "configs/coco/panoptic-segmentation/frozenseg/convnext_large_eval_cityscapes.yaml"
    with caplog.at_level(logging.WARNING):
        benchmark_configs(load_config(published))
    assert caplog.messages == []


def test_protocols_are_found_from_any_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    configs = benchmark_configs(load_config(MODEL, ["DATASETS.TEST", f"['{ADE}', '{CITYSCAPES}']"]))
    assert configs[CITYSCAPES].INPUT.MIN_SIZE_TEST == 1024


def test_an_unknown_protocol_is_refused() -> None:
    MetadataCatalog.register("of_another_protocol", lambda: {"protocol": "ade20", **CLASSES})
    try:
        with pytest.raises(ConfigError, match=r"no config file eval/ade20.*Did you mean 'eval/ade20k'"):
            benchmark_configs(load_config(MODEL, ["DATASETS.TEST", f"['{ADE}', 'of_another_protocol']"]))
    finally:
        MetadataCatalog.remove("of_another_protocol")


def test_every_protocol_that_a_data_set_names_is_there() -> None:
    named = {MetadataCatalog.get(name).get("protocol") for name in DatasetCatalog.list()} - {"", None}
    assert {path.stem for path in PROTOCOLS.glob("*.yaml")} == named


@pytest.mark.parametrize("path", sorted(PROTOCOLS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_protocol_names_a_data_set_that_names_it(path: Path) -> None:
    [name] = load_config(path).DATASETS.TEST
    assert MetadataCatalog.get(name).protocol == path.stem
