"""``tools/draw_page.py`` needs a browser, and names the missing one; continuous integration draws the page with it."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.tiny import ROOT
from tools.draw_page import main


def test_a_missing_browser_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert main(["--output", str(tmp_path / "page.png")]) == 2
    assert "No Chromium is on the path" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_documentation_has_the_image() -> None:
    with Image.open(ROOT / "docs/page.jpg") as image:
        assert image.size == (1280, 800)
    assert "(page.jpg)" in (ROOT / "docs/page.md").read_text("utf-8")
