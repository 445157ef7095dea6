"""Descriptions in an output folder."""

from pathlib import Path

import pytest

from frozenseg import distributed
from frozenseg.engine import run_folder
from frozenseg.engine.run_folder import README, describe_run


def test_readme_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "environment_report", lambda: "started: now\npackages:\n")
    describe_run(tmp_path)
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == README
    assert (tmp_path / "environment.txt").read_text(encoding="utf-8").strip() == "started: now\npackages:"


def test_other_processes_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "is_main_process", lambda: False)
    describe_run(tmp_path)
    assert list(tmp_path.iterdir()) == []
