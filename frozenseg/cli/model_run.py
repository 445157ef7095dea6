"""Run of a training or an evaluation, in the loop of this project or in that of an installed Detectron2."""

import argparse
import importlib.util

from frozenseg.errors import ConfigError

HINT_TO_RESUME = "interrupted; resume with --resume"


def start_run(arguments: argparse.Namespace) -> int:
    """Train or evaluate with the engine of the command line; returns the exit code.

    Args:
        arguments: of :func:`frozenseg.engine.arguments.add_run_arguments`, and ``eval_only``.

    Raises:
        ConfigError: Detectron2 is requested and not installed.
    """
    from frozenseg.engine import run  # not needed for --help, and slow to import
    from frozenseg.engine.arguments import overrides

    if arguments.engine == "frozenseg" or arguments.print_config:
        return run.start(arguments)
    if importlib.util.find_spec("detectron2") is None:
        raise ConfigError(
            "--engine detectron2 needs Detectron2, which is not installed: see "
            "https://detectron2.readthedocs.io/tutorials/install.html, or leave the flag out."
        )
    from frozenseg.plugins import detectron2

    return detectron2.start_detectron2(arguments, overrides(arguments))
