"""Values in the type of their key, in all spellings; assignments; origins."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from frozenseg.config import get_cfg, load_config, protocol_differences, with_protocol
from frozenseg.config.values import coerce
from frozenseg.config.yaml_files import Setting
from frozenseg.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "default", "expected"),
    [
        ("1e-4", 0.1, 1e-4),  # YAML and the command line give it as text
        (3, 0.1, 3.0),
        ("3", 5, 3),
        ("true", False, True),
        ("False", True, False),
        ("123", "", "123"),  # text stays text
        ("('a', 'b')", [], ["a", "b"]),
        ("[a, b]", [], ["a", "b"]),  # a shell has taken the quotes away
        ((1, 2), [1.5], [1.0, 2.0]),
        ([], [1.5], []),
    ],
)
def test_spellings(given: Any, default: Any, expected: Any) -> None:
    value = coerce("KEY", Setting(given, "here"), default)
    assert value == expected
    assert type(value) is type(default)


@pytest.mark.parametrize(
    ("given", "default", "message"),
    [
        (1, False, r"here: KEY is 1 \(int\), expected True or False such as False"),
        (True, 1, r"KEY is True \(bool\), expected a whole number such as 1"),
        (1.5, 1, r"KEY is 1.5 \(float\), expected a whole number"),
        ("x", 0.5, r"KEY is 'x' \(str\), expected a number such as 0.5"),
        (None, "", "KEY is nothing, expected text such as ''"),
        (5, "", r"KEY is 5 \(int\), expected text"),
        ("toyworld_train", [], r'expected a list such as \["first", "second"\]'),
        (["a"], [1.5], "expected a list such as"),
        ("__import__('os').getcwd()", 1, "expected a whole number"),
    ],
)
def test_what_is_no_such_value(given: Any, default: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        coerce("KEY", Setting(given, "here"), default)


@pytest.mark.parametrize(
    "given", ["[['sem_seg', 'mIoU', 30, 0.5]]", [("sem_seg", "mIoU", 30, 0.5)], [["sem_seg", "mIoU", 30, 0.5]]]
)
def test_expected_results_are_lists_of_anything(given: Any) -> None:
    cfg = get_cfg()
    for _ in range(2):  # what is there already does not say what may come
        cfg.merge_from_list(["TEST.EXPECTED_RESULTS", given])
        assert cfg.TEST.EXPECTED_RESULTS == [["sem_seg", "mIoU", 30, 0.5]]
    with pytest.raises(
        ConfigError, match=r"EXPECTED_RESULTS is \['sem_seg', .*a list such as \[\['panoptic_seg', 'PQ', 30"
    ):
        cfg.TEST.EXPECTED_RESULTS = ["sem_seg", "mIoU", 30, 0.5]


def test_assignments_are_checked_too() -> None:
    cfg = get_cfg()
    cfg.SOLVER.BASE_LR = 1
    assert cfg.SOLVER.BASE_LR == 1.0
    with pytest.raises(ConfigError, match="Unknown key 'BASE_LRR'. Did you mean 'BASE_LR'"):
        cfg.SOLVER.BASE_LRR = 1
    with pytest.raises(ConfigError, match="MAX_ITER is 'x'"):
        cfg.SOLVER.MAX_ITER = "x"


def test_a_frozen_config_stays() -> None:
    cfg = get_cfg()
    cfg.freeze()
    with pytest.raises(AttributeError, match="frozen"):
        cfg.merge_from_list(["SEED", 1])
    with pytest.raises(AttributeError):
        cfg.SEED = 1
    thawed = cfg.clone()
    thawed.defrost()
    thawed.merge_from_list(["SEED", 1])
    assert (cfg.SEED, thawed.SEED) == (-1, 1)


def test_a_merge_that_fails_changes_nothing() -> None:
    cfg = get_cfg()
    with pytest.raises(ConfigError):
        cfg.merge_from_list(["SEED", 1, "SOLVER.MAX_ITER", "x"])
    assert cfg == get_cfg()


def test_configs_merge_with_each_other() -> None:
    cfg, other = get_cfg(), get_cfg()
    other.SEED = 4
    cfg.merge_from_other_cfg(other)
    assert cfg == other


@pytest.mark.parametrize(
    ("wrong", "offered"),
    [
        ("MODEL.MAX_ITER", "SOLVER.MAX_ITER"),  # the right name in the wrong section
        ("solver.max_iter", "SOLVER.MAX_ITER"),
        ("SOLVER.IMS_PER_BATCHES", "SOLVER.IMS_PER_BATCH"),
    ],
)
def test_the_nearest_key_is_offered(wrong: str, offered: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown key '{wrong}'. Did you mean '{offered}'"):
        get_cfg().merge_from_list([wrong, 1])


def test_the_description_is_a_config(tmp_path: Path) -> None:
    cfg = get_cfg()
    cfg.merge_from_list(["SEED", 3, "DATASETS.TEST", ["a", "b"], "MODEL.WEIGHTS", "x: #y"])
    (tmp_path / "all.yaml").write_text(cfg.describe(), encoding="utf-8")
    assert load_config(tmp_path / "all.yaml") == cfg
    assert "  MAX_ITER: 368750  # training: training steps\n" in cfg.describe()
    assert (
        "SEED: 3  # training: seed of weights, data order and augmentation; -1 draws one and logs it [command line]\n"
        in (cfg.describe())
    )
    assert yaml.safe_load(cfg.describe()) == yaml.safe_load(cfg.dump())


def test_the_origin_of_a_value_stays_with_clones_and_pickles_only(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("SOLVER: {MAX_ITER: 1, BASE_LR: 1}\n", encoding="utf-8")
    (tmp_path / "run.yaml").write_text("_BASE_: base.yaml\nSEED: 1\n", encoding="utf-8")
    cfg = load_config(tmp_path / "run.yaml", ["SOLVER.MAX_ITER", "7"])
    origins = {
        "SEED": str(tmp_path / "run.yaml"),
        "SOLVER.BASE_LR": str(tmp_path / "base.yaml"),
        "SOLVER.MAX_ITER": "command line",
    }
    thawed = pickle.loads(pickle.dumps(cfg.clone()))
    assert cfg.origins() == thawed.origins() == origins
    thawed.defrost()
    thawed.SEED = 2
    assert thawed.origins()["SEED"] == "assignment"
    assert cfg.origins() == origins
    (tmp_path / "dump.yaml").write_text(cfg.dump(), encoding="utf-8")
    again = load_config(tmp_path / "dump.yaml")
    assert again == cfg
    assert again.dump() == cfg.dump()


def test_a_protocol_leaves_the_command_line_alone(tmp_path: Path) -> None:
    protocol = tmp_path / "protocol.yaml"
    protocol.write_text("INPUT: {MIN_SIZE_TEST: 32, MAX_SIZE_TEST: 64}\nDATASETS: {TEST: [x]}\n", encoding="utf-8")
    cfg = get_cfg()
    cfg.merge_from_list(["INPUT.MIN_SIZE_TEST", "48"])
    changed = with_protocol(cfg, protocol)
    assert (changed.INPUT.MIN_SIZE_TEST, changed.INPUT.MAX_SIZE_TEST, changed.DATASETS.TEST) == (48, 64, [])
    assert changed.is_frozen()
    assert cfg.INPUT.MAX_SIZE_TEST == 1333
    assert protocol_differences(cfg, protocol) == ["INPUT.MAX_SIZE_TEST", "INPUT.MIN_SIZE_TEST"]
    assert protocol_differences(changed, protocol) == ["INPUT.MIN_SIZE_TEST"]


WINDOWS = [
    r"C:\data\new.json",
    r"coco-instances:C:\data\new.json?images=C:\temp\u00e4\x\U\N\1",
    r"\\server\share\folder.json",
    r"C:\data" + "\\",
    r"C:\\doubled\\",
]


@pytest.mark.parametrize("path", WINDOWS)
def test_backslashes_of_lists_stay_as_typed(path: str, tmp_path: Path) -> None:
    cfg = get_cfg()
    for text in (f"['{path}']", f'["{path}"]', f"('{path}',)", f"['{path}', \"{path}\"]", f"[{path}]", [path], (path,)):
        cfg.merge_from_list(["DATASETS.TRAIN", text])
        assert set(cfg.DATASETS.TRAIN) == {path}, text
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({"DATASETS": {"TRAIN": text}}), encoding="utf-8")
        assert set(load_config(tmp_path / "config.yaml").DATASETS.TRAIN) == {path}, text
    (tmp_path / "config.yaml").write_text(f"DATASETS: {{TRAIN: ['{path}']}}\n", encoding="utf-8")
    cfg = load_config(tmp_path / "config.yaml", ["OUTPUT_DIR", path])
    assert ([path], path) == (cfg.DATASETS.TRAIN, cfg.OUTPUT_DIR)
    (tmp_path / "dump.yaml").write_text(cfg.dump(), encoding="utf-8")
    assert load_config(tmp_path / "dump.yaml") == cfg


def test_escape_sequences_of_yaml_that_break_a_path_are_explained(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(r'DATASETS: {TRAIN: ["C:\new.json"]}', encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"config.yaml: DATASETS.TRAIN is .*In a YAML file, write a path .* in single"
    ):
        load_config(path)
    path.write_text(r'DATASETS: {TRAIN: ["C:\data.json"]}', encoding="utf-8")
    with pytest.raises(
        ConfigError, match="config.yaml is not plain YAML: found unknown escape character 'd' in line 1. W.* single"
    ):
        load_config(path)
