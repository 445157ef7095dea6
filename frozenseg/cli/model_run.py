"""Run of a training or an evaluation, in the loop of this project or in that of an installed Detectron2."""

import argparse
import importlib.util
from typing import TYPE_CHECKING

from frozenseg.errors import ConfigError

if TYPE_CHECKING:
    from frozenseg.config import CfgNode

HINT_TO_RESUME = "interrupted; resume with --resume"


def start_run(arguments: argparse.Namespace) -> int:
    """Train or evaluate with the engine of the command line; returns the exit code.

    Args:
        arguments: of :func:`frozenseg.engine.arguments.add_run_arguments`, and ``eval_only``.

    Raises:
        ConfigError: Detectron2 is requested and not installed, or there is neither a config nor weights that have one.
    """
    from frozenseg.engine import run  # not needed for --help, and slow to import
    from frozenseg.engine.arguments import overrides

    if arguments.engine == "frozenseg" or arguments.print_config:
        return run.start(arguments, None if arguments.config_file else _config_of_weights(arguments))
    if not arguments.config_file:
        raise ConfigError("--engine detectron2 needs a config: give its file with --config.")
    if importlib.util.find_spec("detectron2") is None:
        raise ConfigError(
            "--engine detectron2 needs Detectron2, which is not installed: see "
            "https://detectron2.readthedocs.io/tutorials/install.html, or leave the flag out."
        )
    from frozenseg.plugins import detectron2

    return detectron2.start_detectron2(arguments, overrides(arguments))


def _config_of_weights(arguments: argparse.Namespace) -> "CfgNode":
    """Return the config that belongs to the weights of a command line, with its overrides."""
    from frozenseg.engine.arguments import overrides
    from frozenseg.inference.model_source import config_of_weights
    from frozenseg.modeling.checkpoint_file import read_checkpoint

    if not arguments.weights:
        raise ConfigError("Neither a config nor weights: give --config, or --weights with a name or a checkpoint.")
    return config_of_weights(read_checkpoint(arguments.weights), arguments.weights, overrides(arguments))
