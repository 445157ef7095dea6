"""The lowest level: errors, registry, cache, log."""

import logging
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


def test_the_cache_keeps_what_depends_on_its_key(tmp_path: Path) -> None:
    cache, value = TensorCache(tmp_path / "cache"), torch.randn(2, 3)
    assert cache.load(name="cat", seed=1) is None
    path = cache.save(value, name="cat", seed=1)
    assert torch.equal(cache.load(seed=1, name="cat"), value)
    assert cache.load(name="cat", seed=2) is None
    assert list(path.parent.iterdir()) == [path]  # no temporary file stays


def test_only_rank_zero_speaks_and_everyone_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = logging.getLogger("frozenseg")
    try:
        for rank in (0, 1):
            setup_logging(tmp_path, rank)
            get_logger("frozenseg.test").info("hello from %d", rank)
        spoken = capsys.readouterr().err
        assert "hello from 0" in spoken
        assert "hello from 1" not in spoken
        assert "hello from 0" in (tmp_path / "log.txt").read_text(encoding="utf-8")
        assert "hello from 1" in (tmp_path / "log.txt.rank1").read_text(encoding="utf-8")
    finally:
        for handler in list(package.handlers):
            package.removeHandler(handler)
            handler.close()
        package.propagate = True


def test_progress_passes_everything_through(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress([1, 2, 3], "counting", quiet=True)) == [1, 2, 3]
    assert capsys.readouterr().err == ""
