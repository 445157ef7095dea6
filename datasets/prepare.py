r"""Convert a download into the files that FrozenSeg reads, and check the result. Nothing is downloaded.

Examples:
  list where to get each data set:
    python datasets/prepare.py --list

  convert ADE20K with four processes; run the command again to resume after an interruption:
    python datasets/prepare.py ade20k --workers 4

  check the files of an earlier run:
    python datasets/prepare.py ade20k --check

Exit code: 0 if the data sets are complete and valid, 1 if something is missing or invalid, 2 if the conversion failed.
"""

import sys
from collections.abc import Sequence

from frozenseg.cli.command_line import run_with_arguments
from frozenseg.cli.verbs import prepare


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    return run_with_arguments(prepare, argv, __doc__)


if __name__ == "__main__":
    sys.exit(main())
