"""YAML files: bases, duplicate keys, and refusal of anything executable."""

from pathlib import Path

import pytest

from frozenseg.config import CfgNode, get_cfg, load_config
from frozenseg.config.yaml_files import read_settings
from frozenseg.errors import ConfigError


def write(folder: Path, **texts: str) -> Path:
    """Write ``name.yaml`` for every name; returns the folder."""
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_every_value_knows_its_file(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    write(tmp_path, base="SEED: 1\nMODEL: {SAM_NAME: a, WEIGHTS: b}\n")
    write(tmp_path / "below", child="_BASE_: ../base.yaml\nMODEL.SAM_NAME: c\n")
    settings = read_settings(tmp_path / "below/child.yaml")
    assert {name: setting.value for name, setting in settings.items()} == {
        "SEED": 1,
        "MODEL.SAM_NAME": "c",
        "MODEL.WEIGHTS": "b",
    }
    assert [Path(settings[name].origin).stem for name in ("SEED", "MODEL.SAM_NAME")] == ["base", "child"]


def test_a_mistake_in_a_base_names_the_base(tmp_path: Path) -> None:
    write(tmp_path, base="SOLVER: {MAX_ITR: 1}\n", child="_BASE_: base.yaml\n")
    with pytest.raises(ConfigError, match=r"base.yaml: unknown key 'SOLVER.MAX_ITR'. Did you mean 'SOLVER.MAX_ITER'"):
        load_config(tmp_path / "child.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("_BASE_: child.yaml\n", "leads back to the file itself"),
        ("_BASE_: other.yaml\n", "leads back to the file itself .*child.yaml → .*other.yaml → .*child.yaml"),
        ("_BASE_: {a: b}\n", "expected a file or a list of files"),
        ("{SEED: 1, SEED: 2}\n", "key 'SEED' is set twice, in line 1 and in line 1"),
        ("SOLVER.MAX_ITER: 1\nSOLVER: {MAX_ITER: 2}\n", "SOLVER.MAX_ITER is set twice, once with dots and once nested"),
        ("SOLVER: {1: 2}\n", "key 1 under SOLVER is not text"),
        ("VERSION: 1\n", "VERSION is 1, expected 2"),
        ("SOLVER:\n", "SOLVER is a section of keys, received None"),
        ("SEED: !!python/name:os.system\n", "is not plain YAML"),
    ],
)
def test_what_is_refused(text: str, message: str, tmp_path: Path) -> None:
    write(tmp_path, child=text, other="_BASE_: [child.yaml]\n")
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "child.yaml")


def test_no_way_runs_what_a_file_says(tmp_path: Path) -> None:
    write(tmp_path, plain="SEED: 1\n")
    with pytest.raises(ConfigError, match="never executed"):
        get_cfg().merge_from_file(tmp_path / "plain.yaml", allow_unsafe=True)
    with pytest.raises(ConfigError, match="never executed"):
        CfgNode.load_yaml_with_base(str(tmp_path / "plain.yaml"), allow_unsafe=True)
    (tmp_path / "code.py").write_text("raise SystemExit\n", encoding="utf-8")
    with (tmp_path / "code.py").open() as file, pytest.raises(ConfigError, match="is Python, expected a YAML file"):
        CfgNode.load_cfg(file)


def test_bases_come_nested_where_a_tree_is_wanted(tmp_path: Path) -> None:
    write(tmp_path, base="MODEL: {SAM_NAME: a}\n", child="_BASE_: [base.yaml]\nMODEL: {WEIGHTS: b}\n")
    tree = CfgNode.load_yaml_with_base(str(tmp_path / "child.yaml"))
    assert tree == {"MODEL": {"SAM_NAME": "a", "WEIGHTS": "b"}}
