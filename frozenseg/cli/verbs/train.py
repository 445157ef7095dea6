r"""Train the model of a config, and evaluate it at the end.

Writes checkpoints, log.txt, metrics.json, TensorBoard files and config.yaml to OUTPUT_DIR.

Examples:
  on ToyWorld, on a CPU or one GPU; the first command generates the data:
    frozenseg prepare toyworld
    frozenseg train --config toyworld/frozenseg_tiny OUTPUT_DIR output/toyworld

  resume after an interruption:
    frozenseg train --config toyworld/frozenseg_tiny --resume OUTPUT_DIR output/toyworld

  a few steps, to try an installation:
    frozenseg train --config toyworld/frozenseg_tiny SOLVER.MAX_ITER 10 OUTPUT_DIR output/trial

  a custom data set: images, label images and class names in a folder:
    frozenseg train --config CONFIG DATASETS.TRAIN "['folder:farm/images?labels=farm/labels&classes=farm/classes.txt']"

  from trained weights:
    frozenseg train --config CONFIG --weights FILE

  on four GPUs of this machine (without GPUs: four CPU processes):
    frozenseg train --config CONFIG --num-gpus 4

  a batch that does not fit into memory, four images at a time with the same result:
    frozenseg train --config CONFIG SOLVER.IMAGES_AT_ONCE 4

  print every key with its value, role and meaning:
    frozenseg train --config CONFIG --print-config

`frozenseg configs` lists the shipped configs. A KEY VALUE pair changes one key of the config.
"""

import argparse

from frozenseg.cli.model_run import HINT_TO_RESUME, start_run
from frozenseg.engine.arguments import add_run_arguments

INTERRUPTED_HINT = HINT_TO_RESUME


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a training."""
    add_run_arguments(parser)
    parser.set_defaults(eval_only=False)


def run(arguments: argparse.Namespace) -> int:
    """Train; returns the exit code."""
    return start_run(arguments)
