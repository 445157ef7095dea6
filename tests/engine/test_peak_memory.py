"""Peak memory of the tiny model; machines that do not report it, or have too little."""

from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from frozenseg.engine import peak_memory as module
from frozenseg.errors import ConfigError
from tests.tiny import NARROW, ROOT, TRAINING

CONFIG = str(ROOT / "configs/toyworld/fcclip_tiny.yaml")
OPTIONS = [str(option) for option in (*NARROW, "MODEL.DEVICE", "cpu")]
linux = pytest.mark.skipif(not (module.PROCESSES / "self/clear_refs").exists(), reason="needs Linux's /proc")


@linux
def test_an_image_takes_memory_above_that_of_the_model() -> None:
    large = module.measure_inference_memory(CONFIG, OPTIONS, (512, 640), TRAINING)
    assert large.device == "cpu"
    assert large.model > 2**25  # Python and PyTorch alone need that much
    assert large.above > 3 * 512 * 640 * 4  # at least the image itself


def test_a_machine_without_proc_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "PROCESSES", tmp_path / "missing")
    with pytest.raises(ConfigError, match="Peak memory on a CPU is read from .*set MODEL.DEVICE to cuda"):
        module._measure(CONFIG, OPTIONS, (32, 32), TRAINING)


class KilledPool:
    """Stand-in for a pool with a process that the system has killed."""

    def __init__(self, **_: Any) -> None:
        pass

    def __enter__(self) -> "KilledPool":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, *_: Any) -> "KilledPool":
        return self

    def result(self) -> None:
        raise BrokenProcessPool


def test_too_little_memory_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ProcessPoolExecutor", KilledPool)
    with pytest.raises(ConfigError, match="Segmenting 4096x4096 pixels needs more memory than is available"):
        module.measure_inference_memory(CONFIG, OPTIONS, (4096, 4096), TRAINING)
