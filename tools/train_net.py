"""Train or evaluate a model that a config describes; ``--help`` has examples."""

import sys
from collections.abc import Sequence

from frozenseg.engine.arguments import parse_arguments
from frozenseg.errors import FrozenSegError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code: 0, 2 for a mistake that the user can mend, 130 after Ctrl-C."""
    arguments = parse_arguments(argv)
    from frozenseg.engine.run import start  # torch and all the rest, which --help need not wait for

    try:
        return start(arguments)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; --resume goes on with it", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
