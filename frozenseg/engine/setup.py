"""Preparation of a run: output folder, log file, seed, resolved config."""

import logging
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frozenseg import distributed
from frozenseg.atomic import write_text
from frozenseg.config import CfgNode
from frozenseg.engine.checkpoints.random_states import draw_seed
from frozenseg.engine.environment import environment_line
from frozenseg.engine.run_folder import FILES, SUBFOLDERS, describe_run
from frozenseg.errors import ConfigError, FrozenSegError
from frozenseg.log import ROOT_LOGGER, get_logger, setup_logging
from frozenseg.output_paths import require_folder, require_free

logger = get_logger(__name__)


def prepare_folder(cfg: CfgNode) -> Path:
    """Create the output folder, describe the run in it, and start its log with the command and the environment.

    Args:
        cfg: reads OUTPUT_DIR.

    Raises:
        ConfigError: the folder cannot be created or written.
    """
    folder = require_folder(cfg.OUTPUT_DIR, "OUTPUT_DIR")
    require_free(folder, SUBFOLDERS, FILES, "OUTPUT_DIR")
    try:
        setup_logging(folder, distributed.rank())
        describe_run(folder)
    except OSError as error:
        raise ConfigError(f"OUTPUT_DIR {folder} cannot be written ({error}): choose another.") from error
    logger.info("Command: %s", shlex.join(sys.argv))
    logger.info("Environment: %s", environment_line())
    return folder


@contextmanager
def errors_in_log_file() -> Iterator[None]:
    """Write an error that ends a run to its log file; the tool prints it on the console."""
    try:
        yield
    except FrozenSegError as error:
        _to_log_file(str(error))
        raise
    except Exception:
        _to_log_file(traceback.format_exc())
        raise


def with_seed(cfg: CfgNode, resumed_seed: int | None) -> CfgNode:
    """Return the config with a seed that is equal on all processes.

    Args:
        cfg: a negative SEED is replaced by the seed of the resumed run, or by a new one.
        resumed_seed: seed of the resumed run; None for a fresh run.
    """
    if cfg.SEED >= 0:
        return cfg
    seed = distributed.gather(draw_seed())[0] if resumed_seed is None else resumed_seed
    seeded: CfgNode = cfg.clone()
    seeded.defrost()
    seeded.SEED = seed
    seeded.freeze()
    logger.info("Seed: %d", seed)
    return seeded


def write_config(cfg: CfgNode, folder: Path, comment: str = "") -> None:
    """Write the resolved config to ``config.yaml`` (rank 0 only), below a comment of one line."""
    if distributed.is_main_process():
        write_text(folder / "config.yaml", f"# {comment}\n{cfg.dump()}" if comment else cfg.dump())


def _to_log_file(text: str) -> None:
    record = logger.makeRecord(logger.name, logging.ERROR, "", 0, text, (), None)
    for handler in logging.getLogger(ROOT_LOGGER).handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)
