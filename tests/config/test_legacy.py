"""Released configs with every key of their code: they load, and one warning lists the keys without effect.

``tests/data/released_config_keys.tsv`` has the resolved values of both main configs, as JSON; empty if a code does not
have the key.
"""

import csv
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from frozenseg.config import load_config
from frozenseg.config.defaults import KEYS
from frozenseg.config.legacy import FIXED, IGNORED, is_legacy
from frozenseg.errors import ConfigError

PUBLISHED = ("MODEL.FROZEN_SEG.", "MODEL.FC_CLIP.")  # names of the CLIP section
OURS = {key.name.replace("MODEL.CLIP.", section) for key in KEYS for section in (*PUBLISHED, "MODEL.CLIP.")}
with (Path(__file__).parents[1] / "data/released_config_keys.tsv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def released(column: str) -> dict[str, Any]:
    return {row["key"]: json.loads(row[column]) for row in ROWS if row[column]}


@pytest.mark.parametrize(("column", "architecture"), [("FrozenSeg", "FrozenSeg"), ("FC-CLIP", "FCCLIP")])
def test_a_whole_released_config_loads(
    column: str, architecture: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "released.yaml"
    path.write_text(json.dumps(released(column)), encoding="utf-8")
    with caplog.at_level(logging.WARNING, logger="frozenseg"):
        cfg = load_config(path)
    assert architecture == cfg.MODEL.META_ARCHITECTURE
    for name, value in released(column).items():
        if name in OURS:
            assert value_of(cfg, name) == value, name
    [record] = caplog.records
    named = set(record.getMessage().split(": ", 1)[1].rstrip(".").split(", "))
    assert named == set(released(column)) - OURS


def value_of(cfg: Any, name: str) -> Any:
    for part in name.split("."):
        cfg = cfg[part]
    return cfg


def test_no_key_is_both_ours_and_legacy() -> None:
    assert [name for name in OURS if is_legacy(name)] == []
    assert set(FIXED) & IGNORED == set()


@pytest.mark.parametrize("name", FIXED)
def test_what_the_model_does_is_accepted_and_nothing_else(name: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    for value in FIXED[name]:
        path.write_text(json.dumps({name: value}), encoding="utf-8")
        load_config(path)
        load_config(path, [name, str(value)])
    path.write_text(json.dumps({name: "something else"}), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"config.yaml: {name} is 'something else', but this model supports only"):
        load_config(path)
