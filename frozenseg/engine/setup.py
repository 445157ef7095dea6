"""Before anything runs: the output folder, the seed, and a line on what this runs on."""

import importlib.metadata
import logging
import os
import platform
import shlex
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from frozenseg import distributed
from frozenseg.atomic import write_text
from frozenseg.engine.checkpoints.random_states import draw_seed
from frozenseg.engine.run_folder import describe_run
from frozenseg.errors import ConfigError, FrozenSegError
from frozenseg.log import ROOT_LOGGER, get_logger, setup_logging

logger = get_logger(__name__)
TOLD_PACKAGES = ("frozenseg", "torch", "torchvision", "open_clip_torch", "segment-anything", "timm", "numpy")


def prepare_folder(cfg: Any) -> Path:
    """Make the output folder, describe the run in it, and begin its log with a line on the environment.

    Args:
        cfg: reads OUTPUT_DIR.

    Raises:
        ConfigError: the folder cannot be made or written.
    """
    folder = Path(cfg.OUTPUT_DIR).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        setup_logging(folder, distributed.rank())
        describe_run(folder)
    except OSError as error:
        raise ConfigError(f"OUTPUT_DIR {folder} cannot be written ({error}): choose another.") from error
    logger.info("Command: %s", shlex.join(sys.argv))
    logger.info("Environment: %s", environment())
    return folder


@contextmanager
def errors_in_log_file() -> Iterator[None]:
    """Keep what ends a run in its log file too; on the console the tool tells it."""
    try:
        yield
    except FrozenSegError as error:
        _to_log_file(str(error))
        raise
    except Exception:
        _to_log_file(traceback.format_exc())
        raise


def environment() -> str:
    """Return what this runs on, in one line: system, Python, packages, GPU, processes."""
    packages = ", ".join(f"{name} {version}" for name, version in versions(TOLD_PACKAGES).items())
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return (
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}, GPU {gpu}, "
        f"processes {distributed.world_size()}"
    )


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of some packages as they are installed."""
    return {name: _version(name) for name in packages}


def with_seed(cfg: Any, resumed_seed: int | None) -> Any:
    """Return the config with a seed that all processes share.

    Args:
        cfg: where SEED is negative, the resumed run's seed takes its place, or a new one is drawn.
        resumed_seed: of the run that goes on; None for a fresh one.
    """
    if cfg.SEED >= 0:
        return cfg
    seed = distributed.gather(draw_seed())[0] if resumed_seed is None else resumed_seed
    seeded = cfg.clone()
    seeded.defrost()
    seeded.SEED = seed
    seeded.freeze()
    logger.info("Seed: %d", seed)
    return seeded


def write_config(cfg: Any, folder: Path, comment: str = "") -> None:
    """Write the resolved config to ``config.yaml`` (rank 0 only), under a comment of one line."""
    if distributed.is_main_process():
        write_text(folder / "config.yaml", f"# {comment}\n{cfg.dump()}" if comment else cfg.dump())


def _to_log_file(text: str) -> None:
    record = logger.makeRecord(logger.name, logging.ERROR, "", 0, text, (), None)
    for handler in logging.getLogger(ROOT_LOGGER).handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
