"""tools/check_wheel.py: README's example, and what happens without a wheel (``make wheel`` runs it whole)."""

from pathlib import Path

import pytest

from tools import check_wheel


def test_the_example_is_readmes_first_python_block() -> None:
    example = check_wheel.readme_example()
    compile(example, "README.md", "exec")
    assert "Segmenter" in example
    assert "open(" not in example  # it needs no file


def test_the_environment_does_not_lead_back_to_the_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    monkeypatch.setenv("HOME_OF_TEST", "kept")
    assert "PYTHONPATH" not in check_wheel.clean_environment()
    assert check_wheel.clean_environment()["HOME_OF_TEST"] == "kept"


def test_a_missing_wheel_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_wheel.main([str(tmp_path / "none.whl")]) == 2
    assert "There is no wheel" in capsys.readouterr().err


def test_a_broken_wheel_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wheel = tmp_path / "frozenseg-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"not a wheel")
    assert check_wheel.main([str(wheel)]) == 2
    assert "failed to install the wheel" in capfd.readouterr().err


def test_readmes_commands_are_run_shorter() -> None:
    lines = check_wheel.readme_commands()
    assert {"doctor", "prepare", "segment", "label", "train", "eval", "quickstart"} <= {line[0] for line in lines}
    assert check_wheel.shortened(["prepare", "toyworld", "--train", "2000"])[-6:] == check_wheel.SHORTER["prepare"]
    assert check_wheel.shortened(["doctor"]) == ["doctor"]
