"""Config files and overrides: merging, and the message for every mistake."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest

from frozenseg.config import get_cfg, load_config, load_shared_config
from frozenseg.config.defaults import KEYS, ROLES
from frozenseg.errors import ConfigError
from tests.tiny import ROOT


def write(folder: Path, text: str, name: str = "config.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_has_a_default_a_role_and_a_meaning() -> None:
    cfg = get_cfg()
    assert cfg.MODEL.MASK_FORMER.NUM_OBJECT_QUERIES == 250
    assert cfg.SOLVER.STEPS == [327778, 355092]
    assert len({key.name for key in KEYS}) == len(KEYS)
    assert all(key.meaning and key.role in ROLES for key in KEYS)


def test_keys_of_somebody_else_are_given_back(tmp_path: Path) -> None:
    path = write(tmp_path, "SEED: 3\nSOLVER: {MAX_ITER: 7, CLOCK: 1}\n")
    cfg, others = load_shared_config(path, ["SOLVER.CLOCK", "2", "SEED", "4"], {"SOLVER.CLOCK"})
    assert (cfg.SEED, cfg.SOLVER.MAX_ITER, others) == (4, 7, ["SOLVER.CLOCK", "2"])
    with pytest.raises(ConfigError, match="unknown key 'SOLVER.CLOCK'"):
        load_config(path)


def test_defaults_are_not_shared() -> None:
    get_cfg().SOLVER.STEPS.append(1)
    assert get_cfg().SOLVER.STEPS == [327778, 355092]


def test_later_bases_win_and_the_file_itself_last(tmp_path: Path) -> None:
    write(tmp_path, "SEED: 1\nSOLVER: {MAX_ITER: 1, BASE_LR: 1}\n", "a.yaml")
    write(tmp_path, "SEED: 2\nSOLVER: {MAX_ITER: 2}\n", "b.yaml")
    cfg = load_config(write(tmp_path, "_BASE_: [a.yaml, b.yaml]\nSEED: 3\n"), ["TEST.EVAL_PERIOD", "7"])
    assert (cfg.SEED, cfg.SOLVER.MAX_ITER, cfg.SOLVER.BASE_LR, cfg.TEST.EVAL_PERIOD) == (3, 2, 1.0, 7)


def test_a_resolved_config_reads_back_the_same(tmp_path: Path) -> None:
    cfg = load_config(ROOT / "configs/toyworld/frozenseg_tiny.yaml", ["SEED", 5])
    assert load_config(write(tmp_path, cfg.dump())) == cfg


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["MODEL.MASK_FORMER.NUM_OBJECT_QUERYS", "5"],
            "unknown key .* Did you mean 'MODEL.MASK_FORMER.NUM_OBJECT_QUERIES'",
        ),
        (["SOLVER.MAX_ITER"], "'SOLVER.MAX_ITER' has no value"),
        (["SOLVER.MAX_ITER", "many"], r"SOLVER.MAX_ITER is 'many' \(str\), expected a whole number such as 368750"),
        (["SOLVER.MAX_ITER", "True"], "expected a whole number"),
        (["SOLVER", "5"], "SOLVER is a section of keys"),
        (["MODEL.MASK_FORMER.PRE_NORM", "True"], "PRE_NORM is .*, but this model supports only False: remove the key"),
    ],
)
def test_wrong_overrides(options: list[Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        get_cfg().merge_from_list(options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MODEL:\n  WEIGHT: x\n", r"config.yaml: unknown key 'MODEL.WEIGHT'. Did you mean 'MODEL.WEIGHTS'"),
        ("SEED: 1\nVERSION: 2\nSEED: 2\n", "key 'SEED' is set twice, in line 1 and in line 3"),
        ("MODEL:\n  SAM_NAME: a\n  SAM_NAME: b\n", "key 'SAM_NAME' is set twice, in line 2 and in line 3"),
        ("SEED: [1\n", "config.yaml (is not plain|cannot be read as) YAML"),
        ("SEED: !!python/object/apply:os.getcwd []\n", "config.yaml (is not plain|cannot be read as) YAML"),
        ("", "holds NoneType, expected keys with values"),
        ("- 1\n", "holds list, expected keys with values"),
        ("_BASE_: gone.yaml\n", r"no config file .*gone.yaml, which .*config.yaml names as its _BASE_"),
        ("SEED: one\n", r"config.yaml: SEED is 'one' \(str\), expected a whole number"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path, text))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no config file nowhere\.yaml"):
        load_config("nowhere.yaml")


def test_a_released_config_loads_with_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = """
MODEL:
  SEM_SEG_HEAD: {NAME: FrozenSegHead, NUM_CLASSES: 133, IN_FEATURES: ["res2", "res3", "res4", "res5"], CONVS_DIM: 128}
  RESNETS: {DEPTH: 50}
SOLVER: {WEIGHT_DECAY_BIAS: null}
"""
    with caplog.at_level(logging.WARNING, logger="frozenseg"):
        cfg = load_config(write(tmp_path, text))
    assert cfg.MODEL.SEM_SEG_HEAD.CONVS_DIM == 128
    [record] = caplog.records
    for name in ("NUM_CLASSES", "IN_FEATURES", "RESNETS.DEPTH", "WEIGHT_DECAY_BIAS"):
        assert name in record.getMessage()


def test_every_key_is_read_somewhere() -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("frozenseg", "tools")
        for path in (ROOT / folder).rglob("*.py")
        if "config" not in path.relative_to(ROOT).parts[1:-1]
    )
    unread = [key.name for key in KEYS if not re.search(rf"[.\"]{key.name.rsplit('.', 1)[-1]}\b", code)]
    assert unread == ["VERSION"]  # the config itself checks it
