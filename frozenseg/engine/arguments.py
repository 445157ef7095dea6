"""The command line of ``tools/train_net.py``: Detectron2's flags, and then ``KEY VALUE`` overrides."""

import argparse
from collections.abc import Sequence

ENGINES = ("frozenseg", "detectron2")
DESCRIPTION = """\
Train or evaluate a model that a config describes.

Training writes checkpoints, log.txt, metrics.json, TensorBoard files and config.yaml to OUTPUT_DIR, and evaluates on
DATASETS.TEST at the end. Evaluation writes OUTPUT_DIR/inference/results.json.
"""
EXAMPLES = """\
examples:
  train on ToyWorld, on a CPU or one GPU:
    python tools/train_net.py --config-file configs/toyworld/frozenseg_tiny.yaml OUTPUT_DIR output/toyworld

  go on with it after an interruption:
    python tools/train_net.py --config-file configs/toyworld/frozenseg_tiny.yaml --resume OUTPUT_DIR output/toyworld

  evaluate a checkpoint:
    python tools/train_net.py --config-file configs/toyworld/frozenseg_tiny.yaml --eval-only \\
        --weights output/toyworld/model_final.pth OUTPUT_DIR output/toyworld_eval

  the control: every class goes by another class's names:
    (the line above) TEST.SHUFFLE_CLASS_NAMES True

  your own pictures and words, one class a line of classes.txt; see datasets/README.md:
    python tools/train_net.py --config-file CONFIG --eval-only --weights FILE \\
        DATASETS.TEST "['folder:farm/images?labels=farm/labels&classes=farm/classes.txt']"

  a benchmark by other words than ours:
    python tools/train_net.py --config-file CONFIG --eval-only --weights FILE --vocabulary words.txt

  on four GPUs of this machine (without GPUs: four CPU processes):
    python tools/train_net.py --config-file CONFIG --num-gpus 4

  on two machines with eight GPUs each; the second one says --machine-rank 1:
    python tools/train_net.py --config-file CONFIG --num-gpus 8 --num-machines 2 --machine-rank 0 \\
        --dist-url tcp://first-machine:29500

  under torchrun:
    torchrun --nproc-per-node 4 tools/train_net.py --config-file CONFIG

  in the training loop of Detectron2, where it is installed:
    python tools/train_net.py --config-file CONFIG --engine detectron2

  a batch that does not fit into memory, four images at a time with the same result:
    python tools/train_net.py --config-file CONFIG SOLVER.IMAGES_AT_ONCE 4

  see every key as it would act:
    python tools/train_net.py --config-file CONFIG --print-config
"""


def argument_parser() -> argparse.ArgumentParser:
    """Return the parser of the training tool."""
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, metavar="FILE", help="YAML config, for example from configs/")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in OUTPUT_DIR: from its last checkpoint, or with an evaluation that was cut off",
    )
    parser.add_argument("--eval-only", action="store_true", help="evaluate on DATASETS.TEST instead of training")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="weights to start from or evaluate; sets MODEL.WEIGHTS (toyworld: those that come with the package)",
    )
    parser.add_argument(
        "--allow-partial",
        action="store_true",
        help="load what fits of the weights and warn of the rest; sets MODEL.ALLOW_PARTIAL_WEIGHTS",
    )
    parser.add_argument(
        "--skip-bad", action="store_true", help="leave out images that cannot be decoded; sets DATASETS.SKIP_BAD"
    )
    parser.add_argument(
        "--vocabulary",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="file of words for a data set, in the place of its own (NAME= is needed with several test sets); may be "
        "given again; sets DATASETS.VOCABULARIES",
    )
    parser.add_argument("--compare", action="store_true", help="show published results beside ours; sets TEST.COMPARE")
    parser.add_argument(
        "--save-predictions",
        action="store_true",
        help="write predictions as standard files to OUTPUT_DIR/inference/<benchmark>/predictions; sets "
        "TEST.SAVE_PREDICTIONS",
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default=ENGINES[0],
        help="whose training loop: ours, or that of an installed Detectron2 (default: frozenseg)",
    )
    parser.add_argument("--print-config", action="store_true", help="print the resolved config and stop")
    _add_processes(parser)
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="config keys to override, such as SEED 1")
    return parser


def _add_processes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--num-gpus", type=int, default=1, metavar="N", help="processes on each machine (default: 1)")
    parser.add_argument("--num-machines", type=int, default=1, metavar="N", help="machines (default: 1)")
    parser.add_argument("--machine-rank", type=int, default=0, metavar="R", help="this machine, from 0 (default: 0)")
    parser.add_argument(
        "--dist-url",
        default="auto",
        metavar="URL",
        help="tcp://HOST:PORT of machine 0, where all processes meet; auto: a free port, for one machine",
    )


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; flags may stand before and after the ``KEY VALUE`` pairs.

    Args:
        argv: the arguments; None reads the process's own.
    """
    return argument_parser().parse_intermixed_args(argv)


def overrides(arguments: argparse.Namespace) -> list[str]:
    """Return the ``KEY VALUE`` list of a command line, with those flags in it that are short for a key."""
    opts = list(arguments.opts)
    if arguments.weights is not None:
        opts += ["MODEL.WEIGHTS", arguments.weights]
    if arguments.allow_partial:
        opts += ["MODEL.ALLOW_PARTIAL_WEIGHTS", "True"]
    if arguments.skip_bad:
        opts += ["DATASETS.SKIP_BAD", "True"]
    if arguments.vocabulary:
        opts += ["DATASETS.VOCABULARIES", repr(arguments.vocabulary)]
    if arguments.compare:
        opts += ["TEST.COMPARE", "True"]
    if arguments.save_predictions:
        opts += ["TEST.SAVE_PREDICTIONS", "True"]
    return opts
