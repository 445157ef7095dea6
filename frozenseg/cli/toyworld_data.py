"""Generation of ToyWorld's files from a command line."""

import argparse
import time

from frozenseg.output_paths import require_folder

FOLDER = "toyworld"


def make_toyworld(arguments: argparse.Namespace) -> None:
    """Write the three splits and the preview image, and print a summary.

    Args:
        arguments: ``root``, ``seed``, ``train`` and ``val`` (numbers of images), ``size``, ``difficulty`` and
            ``workers``.

    Raises:
        FrozenSegError: a number is out of range, or the folder cannot be written.
    """
    from frozenseg.toyworld.export import Recipe, export_world

    started = time.perf_counter()
    root = arguments.root
    folder = root if root.name == FOLDER else root / FOLDER
    counts = {"train": arguments.train, "val_seen": arguments.val, "val_unseen": arguments.val}
    recipes = [
        Recipe(split, arguments.seed, count, arguments.size, arguments.size, arguments.difficulty)
        for split, count in counts.items()
    ]
    export_world(require_folder(folder, "--root"), recipes, arguments.workers)
    print(
        f"ToyWorld: {arguments.train} train, {arguments.val} val_seen, {arguments.val} val_unseen images of "
        f"{arguments.size}×{arguments.size} pixels, difficulty {arguments.difficulty}, in {folder} "
        f"({time.perf_counter() - started:.0f} s); preview: {folder / 'preview.png'}"
    )
