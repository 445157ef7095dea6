"""Shipped configs are found by name, from any working directory."""

from pathlib import Path

import pytest

from frozenseg.config import config_names, configs_folder, find_config, get_cfg, load_config
from frozenseg.errors import ConfigError
from tests.tiny import ROOT

SHIPPED = ROOT / "configs/frozenseg/convnext_large.yaml"


@pytest.mark.parametrize(
    "name",
    [
        "frozenseg/convnext_large",
        "frozenseg/convnext_large.yaml",
        "configs/frozenseg/convnext_large.yaml",
        "./configs/frozenseg/convnext_large",
        str(SHIPPED),
        SHIPPED,
    ],
)
def test_names_and_paths_lead_to_the_same_file(
    name: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(name).resolve() == SHIPPED
    assert load_config(name).dump() == load_config(SHIPPED).dump()


def test_a_file_in_the_working_directory_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "configs/frozenseg/convnext_large.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("SEED: 77\n")
    assert load_config("configs/frozenseg/convnext_large.yaml").SEED == 77
    assert load_config("frozenseg/convnext_large").SEED == get_cfg().SEED


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("frozenseg/convnext_larg", "Did you mean 'frozenseg/convnext_large'"),
        ("configs/eval/ade20.yaml", "Did you mean 'eval/ade20k'"),
        ("/nowhere/frozenseg/convnext_large", "no config file /nowhere/frozenseg/convnext_large"),
        ("../_base_/schedule_50ep", "no config file"),
        ("frozenseg", "no config file frozenseg"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        load_config(name)


def test_all_configs_have_a_name() -> None:
    assert len(config_names()) == len(list((ROOT / "configs").rglob("*.yaml")))
    assert {"toyworld/frozenseg_tiny", "eval/ade20k", "_base_/schedule_50ep"} <= set(config_names())
    assert configs_folder() == ROOT / "configs"
