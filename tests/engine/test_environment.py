"""Environment of a run: the log line, the report, and the git revision."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from frozenseg.engine import environment as module
from frozenseg.engine.environment import environment_line, environment_report, git_revision, package_versions
from tests.tiny import ROOT


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def pretend_install(monkeypatch: pytest.MonkeyPatch, origin: str | None) -> None:
    """Let pip have installed the package from an origin (the text of ``direct_url.json``)."""
    package = SimpleNamespace(read_text=lambda name: origin if name == "direct_url.json" else None)
    monkeypatch.setattr(module.importlib.metadata, "distribution", lambda name: package)


def test_the_line_is_one_line() -> None:
    line = environment_line()
    assert "\n" not in line
    assert "Python 3." in line
    assert f"torch {torch.__version__.split('+')[0]}" in line


def test_the_report_has_facts_and_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["train_net.py", "SEED", "two words"])
    lines = environment_report().splitlines()
    assert any(line.startswith("command: ") and line.endswith("train_net.py SEED 'two words'") for line in lines)
    assert f"torch=={torch.__version__.split('+')[0]}" in "\n".join(lines)
    names = [line.partition(":")[0] for line in lines[: lines.index("packages:")]]
    assert {"started", "git revision", "system", "GPUs", "processes", "Python"} <= set(names)


def test_a_missing_package_is_named() -> None:
    assert package_versions(["torch", "no-such-package"])["no-such-package"] == "not installed"


def test_git_revision_names_the_changed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_install(monkeypatch, None)
    (tmp_path / "package").mkdir()
    file = tmp_path / "package" / "a.py"
    file.write_text("1\n")
    assert git_revision(file) == "unknown: not a git clone"
    git(tmp_path, "init")
    assert git_revision(file) == "unknown: not a git clone"  # as for a virtual environment within another repository
    git(tmp_path, "add", "package/a.py")
    assert git_revision(file) == "unknown: git reports no commit"
    git(tmp_path, "commit", "-m", "Begin")
    commit = git_revision(file)
    assert len(commit) == 40
    file.write_text("2\n")
    (tmp_path / "new.py").write_text("3\n")
    assert git_revision(file) == f"{commit}, changed since: package/a.py"


def test_a_package_from_a_git_url_has_the_commit_that_pip_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = {"url": "https://a.b/c.git", "vcs_info": {"vcs": "git", "commit_id": "12"}}
    pretend_install(monkeypatch, json.dumps(origin))
    assert git_revision(tmp_path / "a.py") == "12"
    pretend_install(monkeypatch, json.dumps({"url": "file:///wheel.whl"}))
    assert git_revision(tmp_path / "a.py") == "unknown: not a git clone"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git clone")
def test_a_clone_of_this_repository() -> None:
    assert len(git_revision().split(",")[0]) == 40


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_install(monkeypatch, None)
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    assert git_revision(tmp_path / "a.py") == "unknown: not a git clone"
