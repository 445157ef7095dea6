"""The CLIP section: one section with two published names, each accepted everywhere."""

import logging
import pickle
from pathlib import Path

import pytest
import yaml

from frozenseg.config import config_from_text, get_cfg, load_config, values_from_text
from frozenseg.config.clip_section import canonical_name, published_section
from frozenseg.errors import ConfigError
from tests.tiny import ROOT

FROZENSEG, FCCLIP = (ROOT / f"configs/toyworld/{name}_tiny.yaml" for name in ("frozenseg", "fcclip"))
ALPHA = "GEOMETRIC_ENSEMBLE_ALPHA"


def test_both_names_are_the_same_section() -> None:
    for cfg in (get_cfg(), get_cfg().clone(), pickle.loads(pickle.dumps(get_cfg()))):
        cfg.MODEL.FC_CLIP.GEOMETRIC_ENSEMBLE_ALPHA = 0.1
        assert cfg.MODEL.CLIP is cfg.MODEL.FROZEN_SEG is cfg.MODEL["FC_CLIP"]
        assert cfg.MODEL.FROZEN_SEG.GEOMETRIC_ENSEMBLE_ALPHA == 0.1
        with pytest.raises(AttributeError):
            _ = cfg.SOLVER.FC_CLIP
        with pytest.raises(KeyError):
            _ = cfg["FC_CLIP"]


@pytest.mark.parametrize(
    ("architecture", "section"),
    [("FrozenSeg", "MODEL.FROZEN_SEG"), ("FCCLIP", "MODEL.FC_CLIP"), ("Another", "MODEL.FROZEN_SEG")],
)
def test_a_dump_has_the_name_of_the_architecture(architecture: str, section: str, caplog) -> None:
    assert published_section(architecture) == section
    cfg = get_cfg()
    cfg.merge_from_list(["MODEL.META_ARCHITECTURE", architecture, f"MODEL.CLIP.{ALPHA}", 0.3])
    model = yaml.safe_load(cfg.dump())["MODEL"]
    assert model.keys() & {"CLIP", "FROZEN_SEG", "FC_CLIP"} == {section.rpartition(".")[2]}
    assert config_from_text(cfg.dump(), "dump") == cfg
    assert config_from_text(cfg.describe(), "description") == cfg
    assert caplog.messages == []


@pytest.mark.parametrize(("path", "section"), [(FROZENSEG, "FROZEN_SEG"), (FCCLIP, "FC_CLIP")])
def test_the_expected_name_and_the_neutral_one_are_silent(path: Path, section: str, caplog) -> None:
    for name in (section, "CLIP"):
        assert load_config(path, [f"MODEL.{name}.{ALPHA}", "0.1"]).MODEL.CLIP[ALPHA] == 0.1
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("path", "wrong", "right"), [(FROZENSEG, "FC_CLIP", "FROZEN_SEG"), (FCCLIP, "FROZEN_SEG", "FC_CLIP")]
)
def test_the_other_name_acts_with_a_warning(path: Path, wrong: str, right: str, caplog) -> None:
    with caplog.at_level(logging.WARNING, logger="frozenseg"):
        cfg = load_config(path, [f"MODEL.{wrong}.{ALPHA}", "0.1", f"MODEL.{wrong}.EMBED_DIM", "64"])
    assert (cfg.MODEL.CLIP[ALPHA], cfg.MODEL.CLIP.EMBED_DIM) == (0.1, 64)
    architecture = cfg.MODEL.META_ARCHITECTURE
    assert caplog.messages == [
        f"command line: MODEL.{wrong}.{ALPHA}, MODEL.{wrong}.EMBED_DIM are used for {architecture}, which calls this "
        f"section MODEL.{right}."
    ]


def test_the_later_one_counts(tmp_path: Path, caplog) -> None:
    (tmp_path / "base.yaml").write_text(f"MODEL: {{FROZEN_SEG: {{{ALPHA}: 0.1}}}}\n", encoding="utf-8")
    child = tmp_path / "child.yaml"
    child.write_text(
        f"_BASE_: base.yaml\nMODEL: {{META_ARCHITECTURE: FCCLIP, FC_CLIP: {{{ALPHA}: 0.2}}}}\n", encoding="utf-8"
    )
    assert load_config(child).MODEL.CLIP[ALPHA] == 0.2
    assert load_config(child, [f"MODEL.FC_CLIP.{ALPHA}", 0.3]).MODEL.CLIP[ALPHA] == 0.3
    assert caplog.messages == []
    order = [f"MODEL.FC_CLIP.{ALPHA}", 0.3, f"MODEL.FROZEN_SEG.{ALPHA}", 0.4, f"MODEL.FC_CLIP.{ALPHA}", 0.5]
    assert load_config(child, order[:4]).MODEL.CLIP[ALPHA] == 0.4
    assert load_config(child, order).MODEL.CLIP[ALPHA] == 0.5


def test_different_values_in_one_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "both.yaml"
    path.write_text(f"MODEL: {{FROZEN_SEG: {{{ALPHA}: 0.1}}, FC_CLIP: {{{ALPHA}: 0.2}}}}\n", encoding="utf-8")
    with pytest.raises(
        ConfigError,
        match=rf"both.yaml: MODEL.FROZEN_SEG.{ALPHA} is 0.1 and MODEL.FC_CLIP.{ALPHA} is 0.2, but both .*remove one",
    ):
        load_config(path)
    path.write_text(f"MODEL: {{FROZEN_SEG: {{{ALPHA}: '0.1'}}, FC_CLIP: {{{ALPHA}: 0.1}}}}\n", encoding="utf-8")
    assert load_config(path).MODEL.CLIP[ALPHA] == 0.1


@pytest.mark.parametrize(("architecture", "expected"), [("FrozenSeg", 0.1), ("FCCLIP", 0.2)])
def test_a_checkpoint_of_an_earlier_version_has_both_sections(architecture: str, expected: float, caplog) -> None:
    both = f"FROZEN_SEG: {{{ALPHA}: 0.1, EMBED_DIM: 0}}, FC_CLIP: {{{ALPHA}: 0.2, EMBED_DIM: 0}}"
    text = f"MODEL: {{META_ARCHITECTURE: {architecture}, {both}}}\n"
    assert config_from_text(text, "checkpoint").MODEL.CLIP[ALPHA] == expected  # the model has read its section only
    assert caplog.messages == []
    section = published_section(architecture)
    assert values_from_text(text, "checkpoint") == {
        "MODEL.META_ARCHITECTURE": architecture, f"{section}.{ALPHA}": expected, f"{section}.EMBED_DIM": 0,
    }  # fmt: skip


def test_its_config_file_loads_if_the_other_section_is_at_its_defaults(tmp_path: Path, caplog) -> None:
    path = tmp_path / "config.yaml"
    for section, other, architecture in (("FROZEN_SEG", "FC_CLIP", "FrozenSeg"), ("FC_CLIP", "FROZEN_SEG", "FCCLIP")):
        both = f"{section}: {{{ALPHA}: 0.1}}, {other}: {{{ALPHA}: 0.4}}"
        path.write_text(f"MODEL: {{META_ARCHITECTURE: {architecture}, {both}}}\n", encoding="utf-8")
        assert load_config(path).MODEL.CLIP[ALPHA] == 0.1
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("wrong", "offered"),
    [
        ("MODEL.FC_CLIP.EMBED_DIMS", "MODEL.FC_CLIP.EMBED_DIM"),
        ("MODEL.FROZEN_SEG.CLIP_MODEL", "MODEL.FROZEN_SEG.CLIP_MODEL_NAME"),
    ],
)
def test_a_wrong_key_is_answered_with_the_name_of_its_section(wrong: str, offered: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown key '{wrong}'. Did you mean '{offered}'"):
        get_cfg().merge_from_list([wrong, 1])
    with pytest.raises(ConfigError, match="MODEL.FC_CLIP is a section of keys, received 'x' for it"):
        get_cfg().merge_from_list(["MODEL.FC_CLIP", "x"])


def test_other_names_stay() -> None:
    assert canonical_name("MODEL.FC_CLIP.EMBED_DIM") == "MODEL.CLIP.EMBED_DIM"
    assert canonical_name("MODEL.WEIGHTS") == "MODEL.WEIGHTS"
