"""Command line of ``tools/train_net.py``: Detectron2's flags, followed by ``KEY VALUE`` overrides."""

import argparse
from collections.abc import Sequence

ENGINES = ("frozenseg", "detectron2")
KEY_OF_FLAG = {  # flags that set a config key, by their attribute of the parsed command line
    "weights": "MODEL.WEIGHTS",
    "allow_partial": "MODEL.ALLOW_PARTIAL_WEIGHTS",
    "skip_bad": "DATASETS.SKIP_BAD",
    "strict": "DATASETS.STRICT",
    "vocabulary": "DATASETS.VOCABULARIES",
    "vocabulary_folder": "DATASETS.VOCABULARY_FOLDER",
    "precision": "MODEL.PRECISION",
    "compile": "MODEL.COMPILE",
    "compare": "TEST.COMPARE",
    "save_predictions": "TEST.SAVE_PREDICTIONS",
}
_DESCRIPTION = """\
Train or evaluate the model of a config.

Training writes checkpoints, log.txt, metrics.json, TensorBoard files and config.yaml to OUTPUT_DIR, and evaluates on
DATASETS.TEST at the end. Evaluation writes OUTPUT_DIR/inference/results.json.
"""
EXAMPLES = """\
examples:
  train on ToyWorld, on a CPU or one GPU:
    python tools/train_net.py --config-file configs/toyworld/frozenseg_tiny.yaml OUTPUT_DIR output/toyworld

  resume after an interruption:
    python tools/train_net.py --config-file configs/toyworld/frozenseg_tiny.yaml --resume OUTPUT_DIR output/toyworld

  evaluate a checkpoint:
    python tools/train_net.py --config-file configs/toyworld/frozenseg_tiny.yaml --eval-only \\
        --weights output/toyworld/model_final.pth OUTPUT_DIR output/toyworld_eval

  control experiment, every class under the names of another class:
    (the line above) TEST.SHUFFLE_CLASS_NAMES True

  custom images and class names, one class per line of classes.txt; see datasets/README.md:
    python tools/train_net.py --config-file CONFIG --eval-only --weights FILE \\
        DATASETS.TEST "['folder:farm/images?labels=farm/labels&classes=farm/classes.txt']"

  a benchmark with custom class names:
    python tools/train_net.py --config-file CONFIG --eval-only --weights FILE --vocabulary classes.txt

  benchmarks with the class names of published results, files such as ade20k_150_with_prompt_eng.txt:
    python tools/train_net.py --config-file CONFIG --eval-only --weights FILE --vocabulary-folder DIR

  on four GPUs of this machine (without GPUs: four CPU processes):
    python tools/train_net.py --config-file CONFIG --num-gpus 4

  on two machines with eight GPUs each; use --machine-rank 1 on the second one:
    python tools/train_net.py --config-file CONFIG --num-gpus 8 --num-machines 2 --machine-rank 0 \\
        --dist-url tcp://first-machine:29500

  with torchrun:
    torchrun --nproc-per-node 4 tools/train_net.py --config-file CONFIG

  in the training loop of an installed Detectron2:
    python tools/train_net.py --config-file CONFIG --engine detectron2

  a batch that does not fit into memory, four images at a time with the same result:
    python tools/train_net.py --config-file CONFIG SOLVER.IMAGES_AT_ONCE 4

  print every key with its value, role and meaning:
    python tools/train_net.py --config-file CONFIG --print-config
"""


def argument_parser() -> argparse.ArgumentParser:
    """Return the parser of the training tool."""
    parser = argparse.ArgumentParser(
        description=_DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--eval-only", action="store_true", help="evaluate on DATASETS.TEST instead of training")
    add_run_arguments(parser)
    return parser


def add_run_arguments(parser: argparse.ArgumentParser, needs_config: bool = True) -> None:
    """Add the flags of a training or an evaluation, all but the choice between them (``eval_only``).

    Args:
        parser: of the command.
        needs_config: refuse a command line without a config; otherwise it may be that of the weights.
    """
    parser.add_argument(
        "--config-file",
        "--config",
        required=needs_config,
        metavar="FILE",
        help="YAML config, or the name of a shipped one, such as toyworld/frozenseg_tiny"
        + ("" if needs_config else " (default: the one that belongs to the weights)"),
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="resume the run in OUTPUT_DIR: training from its last checkpoint, or an interrupted evaluation",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="checkpoint to start from or to evaluate, sets MODEL.WEIGHTS: a path, or a name in `frozenseg models`",
    )
    parser.add_argument(
        "--allow-partial",
        action="store_true",
        help="load the tensors of the checkpoint that fit, and list the others; sets MODEL.ALLOW_PARTIAL_WEIGHTS",
    )
    _add_speed(parser)
    _add_damaged_data(parser)
    _add_class_names(parser)
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
        help="training loop: of this project, or of an installed Detectron2 (default: frozenseg)",
    )
    parser.add_argument("--print-config", action="store_true", help="print the resolved config with comments, and exit")
    _add_processes(parser)
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="config keys to override, such as SEED 1")


def _add_speed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision",
        choices=("full", "fast", "bfloat16"),
        help="fast: bfloat16 for the frozen encoders and, in an evaluation, for the decoders, where the processor "
        "multiplies it natively, else int8 for the encoders on CPUs with VNNI; sets MODEL.PRECISION",
    )
    parser.add_argument(
        "--compile",
        choices=("off", "default", "reduce-overhead"),
        help="compile encoders and decoders on CUDA; reduce-overhead: with CUDA graphs; sets MODEL.COMPILE",
    )


def _add_damaged_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--skip-bad", action="store_true", help="skip images that cannot be decoded; sets DATASETS.SKIP_BAD"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse objects without a mask instead of leaving them out; sets DATASETS.STRICT",
    )


def _add_class_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--vocabulary",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="file of class names that replace those of a data set (NAME= is required if there are several test data "
        "sets); may be repeated; sets DATASETS.VOCABULARIES",
    )
    parser.add_argument(
        "--vocabulary-folder",
        metavar="DIR",
        help="folder with the published files of class names, such as ade20k_150_with_prompt_eng.txt, for training and "
        "evaluation; sets DATASETS.VOCABULARY_FOLDER",
    )


def _add_processes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--num-gpus", type=int, default=1, metavar="N", help="processes on each machine (default: 1)")
    parser.add_argument("--num-machines", type=int, default=1, metavar="N", help="machines (default: 1)")
    parser.add_argument(
        "--machine-rank", type=int, default=0, metavar="R", help="index of this machine, from 0 (default: 0)"
    )
    parser.add_argument(
        "--dist-url",
        default="auto",
        metavar="URL",
        help="tcp://HOST:PORT of machine 0, to which all processes connect; auto: a free port, for one machine",
    )


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse a command line; flags may come before and after the ``KEY VALUE`` pairs.

    Args:
        argv: arguments; None for those of this process.
    """
    return argument_parser().parse_intermixed_args(argv)


def overrides(arguments: argparse.Namespace) -> list[str]:
    """Return the ``[KEY, VALUE, …]`` of a command line, including the keys that its flags set."""
    opts = list(arguments.opts)
    for flag, key in KEY_OF_FLAG.items():
        value = getattr(arguments, flag)
        if value not in (None, False, []):
            opts += [key, value if isinstance(value, str) else repr(value)]
    return opts
