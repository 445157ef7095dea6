"""Train or evaluate the model of a config; ``--help`` prints examples."""

from collections.abc import Sequence

from frozenseg.cli.command_line import run_script
from frozenseg.cli.model_run import HINT_TO_RESUME, start_run
from frozenseg.engine.arguments import parse_arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: start_run(arguments), HINT_TO_RESUME)


if __name__ == "__main__":
    raise SystemExit(main())
