"""Every shipped config resolves; the published names resolve to the published values; the tiny ones build."""

import csv
import json
import re
from pathlib import Path

import pytest

from frozenseg.config import CfgNode, load_config
from frozenseg.config.yaml_files import flatten
from frozenseg.modeling.build import build_model
from tests.tiny import ROOT, TRAINING

CONFIGS = sorted(
    path
    for path in (ROOT / "configs").rglob("*.yaml")
    if path.parent.name not in ("_base_", "eval") and "published" not in path.parts  # test_published_rows.py
)
PUBLISHED = ROOT / "configs/coco"
with (Path(__file__).parents[1] / "data/published_configs.tsv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT / "configs")))
def test_every_config_resolves_and_says_how_to_run_it(path: Path) -> None:
    load_config(path)
    opening = " ".join(path.read_text(encoding="utf-8").splitlines()[:2])
    command = rf"python tools/train_net\.py (--eval-only |--print-config )?--config-file {path.relative_to(ROOT)}"
    assert re.search(command, opening)


@pytest.mark.parametrize("path", sorted((ROOT / "configs/eval").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_protocol_says_nothing_of_the_model(path: Path) -> None:
    protocol, defaults = load_config(path), load_config(ROOT / "configs/_base_/mask_transformer.yaml")
    assert len(protocol.DATASETS.TEST) == 1
    assert protocol.MODEL.CLIP == defaults.MODEL.CLIP
    assert protocol.SOLVER == defaults.SOLVER


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["yaml"])
def test_published_names_have_the_published_values(row: dict[str, str]) -> None:
    cfg = load_config(PUBLISHED / row["yaml"])
    for column, expected in row.items():
        if column not in ("repo", "yaml"):
            assert value_of(cfg, column) == json.loads(expected), column


def value_of(cfg: CfgNode, column: str) -> object:
    """Return a key's value; columns without a section are the CLIP section's."""
    if "." not in column:
        return cfg.MODEL.CLIP[column]
    for part in column.split("."):
        cfg = cfg[part]
    return cfg


def test_all_published_names_are_there() -> None:
    assert {row["yaml"] for row in ROWS} == {str(path.relative_to(PUBLISHED)) for path in PUBLISHED.rglob("*.yaml")}


def test_ovrcoat_is_fcclip_with_objectness_from_clip() -> None:
    configs = [
        load_config(ROOT / f"configs/fcclip/{name}.yaml") for name in ("convnext_large", "ovrcoat_convnext_large")
    ]
    before, after = (dict(flatten(cfg, "config")) for cfg in configs)
    differences = {name: value for name, value in after.items() if value != before[name]}
    assert differences == {"MODEL.CLIP.GEOMETRIC_ENSEMBLE_VOID_DISCOUNT": 0.5}


@pytest.mark.parametrize("name", ["frozenseg_tiny", "fcclip_tiny"])
def test_the_tiny_configs_build(name: str) -> None:
    model = build_model(load_config(ROOT / f"configs/toyworld/{name}.yaml"), TRAINING)
    assert sum(value.numel() for value in model.parameters() if value.requires_grad) < 1_000_000
