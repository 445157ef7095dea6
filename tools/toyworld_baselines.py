"""Evaluate baselines on ToyWorld that need no training, as controls for trained models.

Example:
    python tools/toyworld_baselines.py --output output/baselines

`frozenseg baselines --help` describes the baselines.
"""

from collections.abc import Sequence

from frozenseg.cli.command_line import run_with_arguments
from frozenseg.cli.verbs import baselines


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    return run_with_arguments(baselines, argv, __doc__)


if __name__ == "__main__":
    raise SystemExit(main())
