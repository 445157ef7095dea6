"""How much memory segmenting a picture takes, measured in a process of its own."""

import multiprocessing
import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import torch

from frozenseg.config import load_config
from frozenseg.device import pick_device
from frozenseg.errors import ConfigError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.flops import placeholder_text_embeddings
from frozenseg.vocabulary import Vocabulary

RESET, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")  # Linux: forget the peak, read it
FORGET_PEAK = "5"


class Memory(NamedTuple):
    """Bytes of one process: resident on a CPU, allocated on a GPU."""

    device: str  # cpu or cuda
    model: int  # held once the model was there; on a CPU with Python and its libraries
    above: int  # the most that one picture took on top


def peak_memory(config: str | Path, options: Sequence[str], size: tuple[int, int], vocabulary: Vocabulary) -> Memory:
    """Build a model in a fresh process, segment one picture, and return what it took.

    Args:
        config: YAML file.
        options: ``KEY VALUE`` overrides.
        size: height and width of the picture, pixels.
        vocabulary: to segment; encoded beforehand, which is not measured.

    Raises:
        ConfigError: this machine cannot tell, or has too little memory.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        try:
            return pool.submit(_measure, str(config), list(options), size, vocabulary).result()
        except BrokenProcessPool as error:
            raise ConfigError(
                f"Segmenting {size[0]}x{size[1]} pixels took more memory than there is: give a smaller --size."
            ) from error


def _measure(config: str, options: list[str], size: tuple[int, int], vocabulary: Vocabulary) -> Memory:
    cfg = load_config(config, options)
    device = pick_device(cfg.MODEL.DEVICE)
    model = build_model(cfg, vocabulary).eval().to(device)
    model.return_labels()  # as evaluation does
    model.text_classifier = placeholder_text_embeddings
    picture = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
    before = start_measuring(device)
    with torch.no_grad():
        model([{"image": picture, "height": size[0], "width": size[1]}])
    return Memory(device.type, before, peak_since(device) - before)


def start_measuring(device: torch.device) -> int:
    """Forget earlier peaks; returns the bytes in use: allocated on a GPU, resident of this process on a CPU.

    Raises:
        ConfigError: this machine cannot tell.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    try:
        RESET.write_text(FORGET_PEAK)
    except OSError as error:
        raise ConfigError(
            f"Peak memory on a CPU is read from {RESET.parent}, which this machine has not or keeps closed: set "
            "MODEL.DEVICE to cuda, or measure on Linux."
        ) from error
    return _resident("VmRSS")


def peak_since(device: torch.device) -> int:
    """Return the most bytes in use at once since :func:`start_measuring`."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else _resident("VmHWM")


def _resident(line: str) -> int:
    kilobytes = re.search(rf"^{line}:\s+(\d+) kB", STATUS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return int(kilobytes[1]) * 1024 if kilobytes else 0
