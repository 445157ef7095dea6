"""Train or evaluate the model of a config; ``--help`` prints examples."""

import argparse
import importlib.util
from collections.abc import Sequence

from frozenseg.cli.command_line import run_script
from frozenseg.engine.arguments import overrides, parse_arguments
from frozenseg.errors import ConfigError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: start(arguments), "interrupted; resume with --resume")


def start(arguments: argparse.Namespace) -> int:
    """Train or evaluate with the engine of the command line; returns the exit code.

    Raises:
        ConfigError: Detectron2 is requested and not installed.
    """
    from frozenseg.engine import run  # not needed for --help, and slow to import

    if arguments.engine == "frozenseg" or arguments.print_config:
        return run.start(arguments)
    if importlib.util.find_spec("detectron2") is None:
        raise ConfigError(
            "--engine detectron2 needs Detectron2, which is not installed: see "
            "https://detectron2.readthedocs.io/tutorials/install.html, or leave the flag out."
        )
    from frozenseg.plugins import detectron2

    return detectron2.start_detectron2(arguments, overrides(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
