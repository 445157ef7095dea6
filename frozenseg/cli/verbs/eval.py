r"""Evaluate a trained model on the data sets of its config.

Writes scores, tables and a report page to OUTPUT_DIR/inference.

Examples:
  the model that comes with the package, on ToyWorld; the first command generates the data:
    frozenseg prepare toyworld
    frozenseg eval --weights toyworld OUTPUT_DIR output/evaluation

  a trained checkpoint on other data sets, each by its protocol; its config is in it:
    frozenseg eval --weights output/toyworld/model_final.pth DATASETS.TEST "['NAME', 'NAME']"

  control experiment, every class under the names of another class:
    frozenseg eval --config CONFIG --weights FILE TEST.SHUFFLE_CLASS_NAMES True

  custom images and class names, one class per line of classes.txt:
    frozenseg eval --config CONFIG --weights FILE \
        DATASETS.TEST "['folder:farm/images?labels=farm/labels&classes=farm/classes.txt']"

  a benchmark with custom class names, beside published results, with the predictions as files:
    frozenseg eval --config CONFIG --weights FILE --vocabulary classes.txt --compare --save-predictions

  resume an interrupted evaluation:
    frozenseg eval --config CONFIG --weights FILE --resume

Exit code: 2 also if a result differs from TEST.EXPECTED_RESULTS by more than its tolerance.
"""

import argparse

from frozenseg.cli.model_run import HINT_TO_RESUME, start_run
from frozenseg.engine.arguments import add_run_arguments

INTERRUPTED_HINT = HINT_TO_RESUME


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of an evaluation."""
    add_run_arguments(parser, needs_config=False)
    parser.set_defaults(eval_only=True)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate; returns the exit code."""
    return start_run(arguments)
