"""What a run's folder says of itself."""

import subprocess
from pathlib import Path

import pytest
import torch

from frozenseg import distributed
from frozenseg.engine.run_folder import README, describe_run, git_revision


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


def test_readme_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["train_net.py", "SEED", "two words"])
    describe_run(tmp_path)
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == README
    facts = (tmp_path / "environment.txt").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("command: ") and line.endswith("train_net.py SEED 'two words'") for line in facts)
    assert f"torch=={torch.__version__.split('+')[0]}" in "\n".join(facts)
    names = [line.partition(":")[0] for line in facts[: facts.index("packages:")]]
    assert {"started", "git revision", "system", "GPUs", "processes", "Python"} <= set(names)


def test_other_processes_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "is_main_process", lambda: False)
    describe_run(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_git_revision_tells_what_has_changed(tmp_path: Path) -> None:
    assert git_revision(tmp_path) == "unknown: not a git clone"
    git(tmp_path, "init")
    assert git_revision(tmp_path) == "unknown: git cannot tell"
    (tmp_path / "a.py").write_text("1\n")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-m", "Begin")
    clean = git_revision(tmp_path)
    assert len(clean) == 40
    (tmp_path / "a.py").write_text("2\n")
    (tmp_path / "new.py").write_text("3\n")
    assert git_revision(tmp_path) == f"{clean}, changed since: a.py"


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frozenseg.engine.run_folder.shutil.which", lambda name: None)
    assert git_revision(tmp_path) == "unknown: not a git clone"
