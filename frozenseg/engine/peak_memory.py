"""Peak memory of segmenting one image, measured in a fresh process."""

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

PROCESSES = Path("/proc")  # Linux: the file clear_refs of a process resets its peak, its file status holds it
THIS_PROCESS = "self"
RESET_PEAK = "5"


class InferenceMemory(NamedTuple):
    """Memory of one process in bytes: resident on a CPU, allocated on a GPU."""

    device: str  # cpu or cuda
    model: int  # in use after the model is built; on a CPU including Python and its libraries
    above: int  # peak of segmenting one image, above ``model``


def measure_inference_memory(
    config: str | Path, options: Sequence[str], size: tuple[int, int], vocabulary: Vocabulary
) -> InferenceMemory:
    """Build a model in a fresh process, segment one image, and return the memory.

    Args:
        config: YAML file.
        options: ``KEY VALUE`` overrides.
        size: height and width of the image, pixels.
        vocabulary: classes to segment; encoding them is not measured.

    Raises:
        ConfigError: this machine has too little memory, or does not report the memory of a process.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        try:
            return pool.submit(_measure, str(config), list(options), size, vocabulary).result()
        except BrokenProcessPool as error:
            raise ConfigError(
                f"Segmenting {size[0]}x{size[1]} pixels needs more memory than is available: give a smaller --size."
            ) from error


def _measure(config: str, options: list[str], size: tuple[int, int], vocabulary: Vocabulary) -> InferenceMemory:
    cfg = load_config(config, options)
    device = pick_device(cfg.MODEL.DEVICE)
    model = build_model(cfg, vocabulary).eval().to(device)
    model.return_labels()  # as evaluation does
    model.text_classifier = placeholder_text_embeddings  # type: ignore[assignment]  # same shapes, no text encoder
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
    before = _start_measuring(device)
    with torch.no_grad():
        model([{"image": image, "height": size[0], "width": size[1]}])
    return InferenceMemory(device.type, before, _peak_since(device) - before)


def _start_measuring(device: torch.device) -> int:
    """Reset the peak and return the bytes in use: allocated on a GPU, resident of this process on a CPU.

    Raises:
        ConfigError: this machine does not report the memory of a process.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    if not reset_peak():
        raise ConfigError(
            f"Peak memory on a CPU is read from {PROCESSES / THIS_PROCESS}, which is missing or not accessible on this "
            "machine: set MODEL.DEVICE to cuda, or measure on Linux."
        )
    return resident_bytes("VmRSS")


def _peak_since(device: torch.device) -> int:
    """Return the peak of the bytes in use since :func:`_start_measuring`."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else resident_bytes("VmHWM")


def reset_peak(process: int | str = THIS_PROCESS) -> bool:
    """Set the peak of a process to its memory in use; returns False where the system does not support it."""
    try:
        (PROCESSES / str(process) / "clear_refs").write_text(RESET_PEAK)
    except OSError:
        return False
    return True


def resident_bytes(line: str, process: int | str = THIS_PROCESS) -> int:
    """Return the resident memory of a process: in use (line ``VmRSS``) or at its peak (``VmHWM``)."""
    status = (PROCESSES / str(process) / "status").read_text(encoding="utf-8")
    kilobytes = re.search(rf"^{line}:\s+(\d+) kB", status, flags=re.MULTILINE)
    return int(kilobytes[1]) * 1024 if kilobytes else 0
