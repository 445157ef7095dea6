"""Train one of ToyWorld's foundation models from nothing, a small CLIP or a small SAM, on a CPU.

Examples:
    python tools/pretrain_toyworld.py clip --output output/pretraining
    python tools/pretrain_toyworld.py sam --output output/pretraining
    python tools/pretrain_toyworld.py sam --score output/pretraining/sam.safetensors

CLIP learns which sentence belongs to which crop, then to which region of a scene; its sentences have every word of
ToyWorld in every combination, as a CLIP that has seen the web knows all words. SAM learns which mask belongs to a
point, whatever lies there. OUTPUT/NAME.safetensors are the weights, OUTPUT/NAME.md says how they came about and what
they can do. A run that was stopped goes on when the same command is given again.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from frozenseg.errors import FrozenSegError

MODELS = ("clip", "sam")
AMOUNTS = {
    "steps": (int, "training steps"),
    "batch": (int, "crops (clip; whole scenes are a tenth as many) or scenes (sam) a step"),
    "learning_rate": (float, "the highest learning rate"),
    "scenes": (int, "scenes to learn from"),
    "seed": (int, "of weights, scenes and batches"),
}


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument("model", choices=MODELS, help="which one")
    parser.add_argument(
        "--output", type=Path, default=Path("output/pretraining"), help="folder (default: output/pretraining)"
    )
    for name, (kind, meaning) in AMOUNTS.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, help=f"{meaning} (default: its own)")
    parser.add_argument("--test-scenes", type=int, default=100, help="scenes for the scores (default: 100)")
    parser.add_argument("--workers", type=int, default=1, help="processes that paint scenes (default: 1)")
    parser.add_argument("--score", metavar="FILE", help="train nothing: score these weights (random: untrained ones)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    arguments = parse_arguments(argv)
    command = " ".join(["python tools/pretrain_toyworld.py", *(sys.argv[1:] if argv is None else argv)])
    try:
        run(arguments, command)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on with it", file=sys.stderr)
        return 130
    return 0


def run(arguments: argparse.Namespace, command: str) -> None:
    """Train or score, and print the scores."""
    from frozenseg.log import setup_logging
    from lab.pretraining.card import scores_table
    from lab.pretraining.recipes import RECIPES, pretrain
    from lab.pretraining.scores import zero_shot_scenes

    setup_logging()
    recipe = RECIPES[arguments.model]
    if arguments.score:
        print(scores_table(recipe.scores(recipe.build(arguments.score), zero_shot_scenes(arguments.test_scenes))))
        return
    given = {name: getattr(arguments, name) for name in AMOUNTS if getattr(arguments, name) is not None}
    amounts = replace(recipe.usual, **given)
    scores = pretrain(recipe, amounts, arguments.output, command, arguments.test_scenes, arguments.workers)
    print(f"{scores_table(scores)}\n\nWeights and card: {arguments.output / recipe.name}.safetensors, .md")


if __name__ == "__main__":
    sys.exit(main())
