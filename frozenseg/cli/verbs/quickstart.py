"""Train FrozenSeg on ToyWorld from start to end: make the data, train, evaluate, draw. Ten minutes on two cores.

Every step is another verb, and its command is printed before it runs, so that you can repeat it by hand. The last steps
are controls: evaluation with shuffled class names, evaluation with an untrained CLIP, and baselines without training.
Only the baseline that knows the renderer's colours, outlines and materials may score close to the model. A second call
starts from scratch.

Examples:
  everything, with the data in quickstart/datasets:
    frozenseg quickstart --output quickstart

  two minutes, to see the steps; the scores mean nothing:
    frozenseg quickstart --output trial --train 100 --val 10 SOLVER.MAX_ITER 50
"""

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frozenseg.cli.command_line import INTERRUPTED
from frozenseg.cli.dataset_flags import DATASETS_VARIABLE
from frozenseg.cli.toyworld_data import FOLDER
from frozenseg.errors import ConfigError
from frozenseg.output_paths import require_folder

PROGRAM = Path(__file__).parents[2] / "__main__.py"
CONFIG = "toyworld/frozenseg_tiny"
UNTRAINED_CLIP = ("MODEL.CLIP.CLIP_PRETRAINED_WEIGHTS", "random")
SAM_PROPOSALS = (  # votes in all outputs, as in configs/toyworld/frozenseg_tiny_sam_masks.yaml
    *("TEST.USE_SAM_MASKS", "True", "TEST.SAM_MASK_POINTS", "16"),
    *("TEST.SAM_MASK_MIN_IOU", "0.7", "TEST.SAM_MASK_STABILITY_OFFSET", "0.5"),
    *("TEST.SAM_MASKS_IN_PANOPTIC", "True", "TEST.SAM_MASKS_IN_INSTANCES", "True"),
)
CLOCK_STEP = 2.0  # seconds by which times of files may be rounded down
MODEL, PROPOSALS, DRAWINGS = "train/inference/results.json", "sam_masks/inference/results.json", "pictures"
CONTROLS = {  # by column title
    "shuffled names": "shuffled/inference/results.json",
    "untrained CLIP": "untrained_clip/inference/results.json",
    "one material": "baselines/majority.json",
    "colours": "baselines/colour.json",
    "colours, outlines": "baselines/outline.json",
}
SEEN, UNSEEN = "toyworld_val_seen", "toyworld_val_unseen"
ROWS = {  # by row title: benchmark and prefix of the metric names
    "seen scenes": (SEEN, ""),
    "zero-shot scenes": (UNSEEN, ""),
    "… seen classes": (UNSEEN, "S_"),
    "… unseen classes": (UNSEEN, "U_"),
    "… … new combinations": (UNSEEN, "combination_"),
    "… … new words": (UNSEEN, "word_"),
    "… … new materials": (UNSEEN, "material_"),
}
COLUMNS = (("panoptic_seg", "PQ"), ("sem_seg", "mIoU"), ("segm", "AP"))
WITH_PROPOSALS = "with SAM proposals in all outputs"  # zero-shot scenes only: they vote for unseen classes only


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the config, the folders, the size of the data set and config overrides."""
    parser.add_argument(
        "--config-file", "--config", default=CONFIG, metavar="FILE", help=f"config of the model (default: {CONFIG})"
    )
    parser.add_argument(
        "--output", default="output/quickstart", help="folder for all results (default: output/quickstart)"
    )
    parser.add_argument(
        "--root",
        type=datasets_folder,
        help="folder of data sets; ToyWorld is written to ROOT/toyworld (default: OUTPUT/datasets)",
    )
    parser.add_argument("--train", type=int, default=2000, help="training images (default: 2000)")
    parser.add_argument("--val", type=int, default=100, help="images in each validation set (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the data and of the training (default: 0)")
    parser.add_argument("options", nargs="*", metavar="KEY VALUE", help="config overrides, such as SOLVER.MAX_ITER 50")


def datasets_folder(text: str) -> str:
    """Return the folder of the data sets; for a path that ends in ``toyworld``, its parent."""
    root = Path(os.path.expanduser(text))
    return str(root.parent if root.name == FOLDER else root)


def run(arguments: argparse.Namespace) -> int:
    """Run all steps and return the exit code of the first one that fails, or 0.

    Raises:
        ConfigError: the config is wrong, or the output folder cannot be written.
    """
    started = time.perf_counter()
    output = Path(arguments.output)
    arguments.root = arguments.root or str(output / "datasets")
    _check(arguments)
    for title, command in steps(arguments, output):
        sys.stdout.write(f"\n── {title}\n$ {printed(command, arguments.root)}\n")
        sys.stdout.flush()
        begun = time.time()
        code = run_step(command, arguments.root)
        if code == 0 and command[0] == "train" and not _is_written(output / MODEL, begun):
            code = INTERRUPTED  # a training that is asked to stop ends without an error
        if code == INTERRUPTED:
            sys.stderr.write(f"interrupted; results so far: {output}\n")
        if code != 0:
            return code
    write_table(output, has_sam(arguments))
    minutes = (time.perf_counter() - started) / 60
    sys.stdout.write(
        f"\nDone in {minutes:.1f} minutes. Results in {output}:\n"
        f"  {output / 'quickstart.md'}         the table above\n"
        f"  {output / 'train/inference/report.html'}  scores, classes, best and worst scenes: open it in a browser\n"
        f"  {output / DRAWINGS}              scenes with ground truth and predictions\n"
        f"  {output / 'train'}                 checkpoint, log, metrics.json, TensorBoard events\n"
    )
    return 0


def _is_written(file: Path, begun: float) -> bool:
    """Return True if a file was written after a time, in seconds since the epoch."""
    return file.is_file() and file.stat().st_mtime >= begun - CLOCK_STEP


def _check(arguments: argparse.Namespace) -> None:
    """Check the config, the size of the data set and the output folder, before the first step.

    Raises:
        ConfigError: one of them is wrong.
    """
    from frozenseg.config import load_config

    load_config(arguments.config_file, arguments.options)
    for name in ("train", "val"):
        if getattr(arguments, name) < 1:
            raise ConfigError(f"--{name} is {getattr(arguments, name)}: at least 1 image is needed.")
    require_folder(arguments.output, "--output")


def steps(arguments: argparse.Namespace, output: Path) -> list[tuple[str, list[str]]]:
    """Return the title and command line of each step."""
    data = ["--root", arguments.root, "--seed", str(arguments.seed)]
    counts = ["--train", str(arguments.train), "--val", str(arguments.val)]
    train = ["train", "--config", arguments.config_file]
    weights = ["--weights", str(output / "train/model_final.pth")]
    evaluate = ["eval", "--config", arguments.config_file, *weights]
    common = ["SEED", str(arguments.seed), *arguments.options]
    drawings = ["draw", "--config", arguments.config_file, "--output", str(output / DRAWINGS)]
    proposals = SAM_PROPOSALS if has_sam(arguments) else ()
    with_proposals = [*evaluate, *proposals, "OUTPUT_DIR", str(output / "sam_masks"), *common]
    with_proposals += ["DATASETS.TEST", repr([UNSEEN])]
    return [
        ("Make ToyWorld", ["prepare", "toyworld", *data, *counts]),
        (
            "Train FrozenSeg-tiny, then evaluate it on seen and unseen classes",
            [*train, "OUTPUT_DIR", str(output / "train"), *common],
        ),
        *([("Zero-shot scenes with votes of SAM proposals in all outputs", with_proposals)] if proposals else []),
        (
            "Control: the same model with shuffled class names",
            [*evaluate, "TEST.SHUFFLE_CLASS_NAMES", "True", "OUTPUT_DIR", str(output / "shuffled"), *common],
        ),
        (
            "Control: the same model with an untrained CLIP",
            [*evaluate, "--allow-partial", *UNTRAINED_CLIP, "OUTPUT_DIR", str(output / "untrained_clip"), *common],
        ),
        (
            "Control: baselines without training",
            ["baselines", "--config", arguments.config_file]
            + ["--output", str(output / "baselines"), *arguments.options],
        ),
        ("Draw predictions", [*drawings, *weights, *proposals, *common]),
    ]


def has_sam(arguments: argparse.Namespace) -> bool:
    """Return True if the model of the config has a SAM, whose proposals can vote."""
    from frozenseg.config import load_config

    name: str = load_config(arguments.config_file, arguments.options).MODEL.META_ARCHITECTURE
    return name == "FrozenSeg"


def printed(command: Sequence[str], root: str) -> str:
    """Return the line for a shell that repeats a step."""
    environment = "" if root == "datasets" else f"{DATASETS_VARIABLE}={shlex.quote(root)} "
    return environment + shlex.join(["frozenseg", *command])


def run_step(command: Sequence[str], root: str) -> int:
    """Run a verb in this process, which has imported the libraries already; returns its exit code."""
    from frozenseg.cli.main import main

    arguments, variable = sys.argv, os.environ.get(DATASETS_VARIABLE)
    sys.argv = [str(PROGRAM), *command]  # the run records it
    os.environ[DATASETS_VARIABLE] = str(Path(root).absolute())
    try:
        return main(command)
    finally:
        sys.argv = arguments
        os.environ.pop(DATASETS_VARIABLE)
        if variable is not None:
            os.environ[DATASETS_VARIABLE] = variable


def write_table(output: Path, has_proposals: bool) -> None:
    """Print the table of all evaluations and write it to ``quickstart.md``.

    Args:
        output: folder with the results.
        has_proposals: True if zero-shot scenes were also evaluated with SAM proposals.
    """
    from tabulate import tabulate

    model, *controls = (_results(output / file) for file in (MODEL, *CONTROLS.values()))
    proposals = _results(output / PROPOSALS) if has_proposals else None
    rows = [
        [title, *(_percent(model, benchmark, task, start + metric) for task, metric in COLUMNS)]
        + ([_percent(proposals, benchmark, task, start + metric) for task, metric in COLUMNS] if proposals else [])
        + [_percent(control, benchmark, "panoptic_seg", f"{start}PQ") for control in controls]
        for title, (benchmark, start) in ROWS.items()
    ]
    names = [name for _, name in COLUMNS]
    headers = ["", *names, *(f"{name} {WITH_PROPOSALS}" for name in names if proposals)]
    headers += [f"PQ of control: {title}" for title in CONTROLS]
    table = tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)
    (output / "quickstart.md").write_text(f"{table}\n", encoding="utf-8")
    sys.stdout.write(f"\n{table}\n")


def _results(file: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return results


def _percent(results: dict[str, Any], benchmark: str, task: str, metric: str) -> str:
    value = results.get(benchmark, {}).get(task, {}).get(metric)
    return "–" if value is None else f"{value:.1f}"
