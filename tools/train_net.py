"""Train or evaluate a model that a config describes; ``--help`` has examples."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence

from frozenseg.engine.arguments import overrides, parse_arguments
from frozenseg.errors import ConfigError, FrozenSegError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code: 0, 2 for a mistake that the user can mend, 130 after Ctrl-C."""
    arguments = parse_arguments(argv)
    try:
        return start(arguments)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; --resume goes on with it", file=sys.stderr)
        return 130


def start(arguments: argparse.Namespace) -> int:
    """Begin with the engine that is asked for; returns the exit code.

    Raises:
        FrozenSegError: a mistake that the user can mend.
    """
    from frozenseg.engine import run  # torch and all the rest, which --help need not wait for

    if arguments.engine == "frozenseg" or arguments.print_config:
        return run.start(arguments)
    if importlib.util.find_spec("detectron2") is None:
        raise ConfigError(
            "--engine detectron2 needs Detectron2, which is not installed here: see "
            "https://detectron2.readthedocs.io/tutorials/install.html, or leave the flag out."
        )
    from frozenseg.plugins import detectron2

    return detectron2.start(arguments, overrides(arguments))


if __name__ == "__main__":
    sys.exit(main())
