"""Errors, registries, cache and logging."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

from frozenseg.cache import TensorCache
from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.log import get_logger, progress, setup_logging
from frozenseg.registry import CLIP, EVALUATOR, META_ARCH, PIXEL_DECODER, SAM, TRANSFORMER_DECODER


def test_near_names_are_offered() -> None:
    assert did_you_mean("colour", ["color", "size"]) == " Did you mean 'color'?"
    assert did_you_mean("zzz", ["color", "size"]) == ""


@pytest.mark.parametrize("registry", [META_ARCH, CLIP, SAM, PIXEL_DECODER, TRANSFORMER_DECODER, EVALUATOR])
def test_registries_fill_themselves_and_name_what_they_hold(registry: object) -> None:
    names = registry.names()
    assert names
    with pytest.raises(ConfigError) as caught:
        registry.look_up(names[0][:-1])
    assert "Did you mean '" in str(caught.value)
    assert all(name in str(caught.value) for name in names)
    assert registry.look_up(names[0]) is registry.get(names[0])


def test_a_failed_import_is_reported_at_every_look_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "toy_parts"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from frozenseg.registry import Registry\nPARTS = Registry('part', 'toy_parts')\n"
    )
    (package / "wheel.py").write_text("from toy_parts import PARTS\n@PARTS.register()\nclass Wheel: ...\n")
    (package / "zipper.py").write_text("import not_installed\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    parts = importlib.import_module("toy_parts").PARTS
    try:
        for _ in range(2):
            with pytest.raises(ImportError, match="not_installed"):
                parts.look_up("Wheel")
        (package / "zipper.py").write_text("")
        importlib.invalidate_caches()
        assert parts.look_up("Wheel").__name__ == "Wheel"
        assert parts.names() == ["Wheel"]
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "toy_parts"]:
            del sys.modules[name]


def test_the_cache_keeps_what_depends_on_its_key(tmp_path: Path) -> None:
    cache, value = TensorCache(tmp_path / "cache"), torch.randn(2, 3)
    assert cache.load(name="cat", seed=1) is None
    path = cache.save(value, name="cat", seed=1)
    assert torch.equal(cache.load(seed=1, name="cat"), value)
    assert cache.load(name="cat", seed=2) is None
    assert list(path.parent.iterdir()) == [path]  # no temporary file stays


def test_only_rank_zero_speaks_and_everyone_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for rank in (0, 1):
        setup_logging(tmp_path, rank)
        get_logger("frozenseg.test").info("hello from %d", rank)
    spoken = capsys.readouterr().err
    assert "hello from 0" in spoken
    assert "hello from 1" not in spoken
    assert "hello from 0" in (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "hello from 1" in (tmp_path / "log.txt.rank1").read_text(encoding="utf-8")


def test_messages_of_scripts_and_experiments_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging()
    for name in ("lab.ablation.jobs", "__main__", "frozensegment"):
        get_logger(name).info("progress of %s", name)
        assert f"progress of {name}" in capsys.readouterr().err
    assert get_logger("frozenseg.log").name == "frozenseg.log"


def test_progress_passes_everything_through(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress([1, 2, 3], "counting", quiet=True)) == [1, 2, 3]
    assert capsys.readouterr().err == ""
