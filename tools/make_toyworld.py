"""Make ToyWorld, the synthetic open-vocabulary data set, in COCO panoptic format.

Example:
    python tools/make_toyworld.py --root datasets --seed 0 --train 2000 --val 200

writes ``datasets/toyworld/{train,val_seen,val_unseen}`` and ``datasets/toyworld/preview.png`` in seconds. The training
tools look for it under the folder named by DETECTRON2_DATASETS, which is ``datasets`` unless you set it.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from frozenseg.errors import FrozenSegError
from frozenseg.toyworld.export import Recipe, export_world


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(os.environ.get("DETECTRON2_DATASETS", "datasets")),
        help="data sets' folder; ToyWorld goes to ROOT/toyworld, or ROOT itself where that is its name "
        "(default: $DETECTRON2_DATASETS, or datasets)",
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same files (default: 0)")
    parser.add_argument("--train", type=int, default=2000, help="training pictures (default: 2000)")
    parser.add_argument(
        "--val", type=int, default=200, help="pictures in each of val_seen and val_unseen (default: 200)"
    )
    parser.add_argument("--size", type=int, default=128, help="side of the pictures, pixels (default: 128)")
    parser.add_argument(
        "--workers", type=int, default=min(8, os.cpu_count() or 1), help="processes (default: one a core, at most 8)"
    )
    return parser.parse_args(argv)


def make_toyworld(arguments: argparse.Namespace) -> Path:
    """Write the three splits and the preview; returns their folder."""
    root = arguments.root.expanduser()
    folder = root if root.name == "toyworld" else root / "toyworld"
    counts = {"train": arguments.train, "val_seen": arguments.val, "val_unseen": arguments.val}
    recipes = [Recipe(split, arguments.seed, count, arguments.size, arguments.size) for split, count in counts.items()]
    export_world(folder, recipes, arguments.workers)
    return folder


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    started = time.perf_counter()
    arguments = parse_arguments(argv)
    try:
        folder = make_toyworld(arguments)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"ToyWorld: {arguments.train} train, {arguments.val} val_seen, {arguments.val} val_unseen pictures of "
        f"{arguments.size}×{arguments.size} in {folder} ({time.perf_counter() - started:.0f} s); "
        f"have a look at {folder / 'preview.png'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
