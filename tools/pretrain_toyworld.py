"""Train a small CLIP or a small SAM for ToyWorld from scratch, on a CPU.

Examples:
    python tools/pretrain_toyworld.py clip --output output/pretraining
    python tools/pretrain_toyworld.py sam --output output/pretraining
    python tools/pretrain_toyworld.py sam_t --output output/pretraining
    python tools/pretrain_toyworld.py sam --score output/pretraining/sam.safetensors

CLIP is trained by contrast: sentences against crops, then sentences against the regions of whole scenes. Its sentences
contain every word of ToyWorld in every combination, like a CLIP trained on the web. SAM is trained to predict the mask
at a point, without classes. sam_t is another SAM (MODEL.SAM_NAME vit_t_toy), a TinyViT that first learns to group the
pixels of a segment; its weights are not in the package. OUTPUT/NAME.safetensors has the weights, OUTPUT/NAME.md the
training settings and scores. An interrupted run resumes when the same command is run again.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from frozenseg.cli.command_line import docstring_parser, run_script

MODELS = ("clip", "sam", "sam_t")
AMOUNTS = {
    "steps": (int, "training steps"),
    "batch": (int, "crops (clip; a tenth as many whole scenes) or scenes (sam, sam_t) per step"),
    "learning_rate": (float, "the highest learning rate"),
    "scenes": (int, "training scenes"),
    "seed": (int, "seed of weights, scenes and batches"),
}


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("model", choices=MODELS, help="model to train")
    parser.add_argument(
        "--output", type=Path, default=Path("output/pretraining"), help="folder (default: output/pretraining)"
    )
    for name, (kind, meaning) in AMOUNTS.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, help=f"{meaning} (default: depends on the model)")
    parser.add_argument("--test-scenes", type=int, default=100, help="scenes to score on (default: 100)")
    parser.add_argument("--workers", type=int, default=1, help="processes that render scenes (default: 1)")
    parser.add_argument(
        "--score", metavar="FILE", help="score these weights without training (random: untrained weights)"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    command = " ".join(["python tools/pretrain_toyworld.py", *(sys.argv[1:] if argv is None else argv)])
    return run_script(lambda: run(arguments, command), "interrupted; run the same command again to resume")


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
    changed = {name: getattr(arguments, name) for name in AMOUNTS if getattr(arguments, name) is not None}
    amounts = replace(recipe.defaults, **changed)
    scores = pretrain(recipe, amounts, arguments.output, command, arguments.test_scenes, arguments.workers)
    print(f"{scores_table(scores)}\n\nWeights and card: {arguments.output / recipe.name}.safetensors, .md")


if __name__ == "__main__":
    raise SystemExit(main())
