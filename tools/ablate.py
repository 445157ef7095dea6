r"""Run an ablation study: train and evaluate a grid of configs over seeds, and write a table of the results.

Examples:
    python tools/ablate.py configs/ablations/*.yaml --seeds 0 1 2
    python tools/ablate.py configs/ablations/fcclip.yaml configs/ablations/both_injectors.yaml --seeds 0 \
        --output output/quick_ablation SOLVER.MAX_ITER 100
    python tools/ablate.py configs/ablations/query_injector.yaml --model configs/frozenseg/convnext_large.yaml --seeds 0
    python tools/ablate.py --questions tools/lab/ablation/questions/toyworld.yaml --dry-run
    python tools/ablate.py --questions tools/lab/ablation/questions/toyworld.yaml
    python tools/ablate.py --questions tools/lab/ablation/questions/toyworld.yaml --question query_injector --seeds 0 1

Ablations that differ only in keys of the evaluation share one training. Every evaluation has a control with shuffled
class names. After an interruption the same command resumes, and runs again only what has changed. The results are
OUTPUT/ablation.md (the table), ablation.csv (all numbers of every seed) and ablation.png.

With --questions, the arms, seeds, steps and metrics are those of a file, and each question is answered by a difference
of paired trainings with its 95 % interval: OUTPUT/answers.md, answers.csv, forest.png and learning_curves.png. Progress
is reported after every question.
"""

import argparse
import os
import platform
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from frozenseg.cli.command_line import docstring_parser, run_script
from frozenseg.errors import ConfigError
from frozenseg.output_paths import require_folder

YAML_SUFFIXES = (".yaml", ".yml")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument(
        "configs", type=str, nargs="*", metavar="CONFIG", help="YAML files of the ablations, then KEY VALUE overrides"
    )
    parser.add_argument(
        "--seeds", nargs="+", help="seeds of the trainings (default: 0 1 2; with --questions all of the file)"
    )
    parser.add_argument("--model", type=Path, help="YAML config of a model that replaces the _BASE_ of the ablations")
    parser.add_argument(
        "--output", type=Path, default=Path("output/ablation"), help="folder (default: output/ablation)"
    )
    parser.add_argument("--at-once", type=int, help="parallel processes (default: 1 on a GPU, else one per core)")
    parser.add_argument("--questions", type=Path, help="YAML file of questions to answer, instead of configs")
    parser.add_argument(
        "--question", action="append", default=[], metavar="NAME", help="answer this question only; may be repeated"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the jobs of the questions and the hours they need"
    )
    arguments = parser.parse_intermixed_args(argv)
    seeds = arguments.seeds or []
    count = next((index for index, text in enumerate(seeds) if not text.isdecimal()), len(seeds))
    rest = seeds[count:]  # configs and KEY VALUE pairs after the seeds, which argparse reads as seeds
    if rest and (count == 0 or not (rest[0].endswith(YAML_SUFFIXES) or rest[0][:1].isupper())):
        parser.error(f"argument --seeds: {rest[0]!r} is not a seed: give integers from 0")
    positional = [*arguments.configs, *rest]
    arguments.configs = [Path(text) for text in positional if text.endswith(YAML_SUFFIXES)]
    arguments.options = [text for text in positional if not text.endswith(YAML_SUFFIXES)]
    arguments.seeds = [int(text) for text in seeds[:count]]
    if arguments.questions is None and (arguments.question or arguments.dry_run):
        parser.error("--question and --dry-run need --questions FILE")
    if arguments.questions is not None and (positional or arguments.model):
        parser.error("with --questions, the file fixes configs and keys: give no config, --model, or KEY VALUE")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    command = shlex.join(["python", "tools/ablate.py", *(sys.argv[1:] if argv is None else argv)])
    run = run_grid_study if arguments.questions is None else run_questions
    return run_script(lambda: run(arguments, command), "interrupted; run the same command again to resume")


def run_grid_study(arguments: argparse.Namespace, command: str) -> None:
    """Run the grid and write its table, numbers and plot.

    Args:
        arguments: the command line.
        command: the same as one string, for the table's heading.

    Raises:
        ConfigError: A config or an argument is missing or wrong.
        RunFailedError: A training or an evaluation failed.
    """
    from frozenseg.atomic import write_text
    from frozenseg.log import setup_logging
    from lab.ablation.grid import read_ablations
    from lab.ablation.plot import check_matplotlib, draw_results
    from lab.ablation.run import run_grid
    from lab.ablation.table import markdown_table, read_results, write_csv

    if not arguments.configs:
        raise ConfigError("No config is given: name the YAML files of the ablations, such as configs/ablations/*.yaml.")
    at_once, seeds = processes_at_once(arguments), arguments.seeds or [0, 1, 2]
    check_matplotlib()
    setup_logging()
    require_folder(arguments.output, "--output")
    started = time.perf_counter()
    ablations = read_ablations(arguments.configs, arguments.model, arguments.options)
    run_grid(ablations, seeds, arguments.output, at_once)
    results = read_results(ablations, seeds, arguments.output)
    table = markdown_table(results)
    minutes = (time.perf_counter() - started) / 60
    heading = f"`{command}`; the last call took {minutes:.0f} minutes on {os.cpu_count()} cores ({platform.machine()})."
    descriptions = "\n".join(f"- `{ablation.name}`: {ablation.description}" for ablation in ablations)
    write_text(arguments.output / "ablation.md", f"{heading}\n\n{table}\n\n{descriptions}")
    write_csv(arguments.output / "ablation.csv", results)
    draw_results(results, arguments.output / "ablation.png")
    print(f"\n{table}\n\nTable, numbers and plot: {arguments.output}/ablation.md, .csv, .png")


def run_questions(arguments: argparse.Namespace, command: str) -> None:
    """Print the plan of a study of questions, and answer them.

    Args:
        arguments: the command line.
        command: the same as one string.

    Raises:
        FrozenSegError: the questions or the data are missing or wrong.
        RunFailedError: A training or an evaluation failed.
    """
    from frozenseg.log import setup_logging
    from lab.ablation.plot import check_matplotlib
    from lab.ablation.questions import CURVES, read_questions
    from lab.ablation.run_study import answer_questions, show_plan
    from lab.ablation.study import Study

    at_once = processes_at_once(arguments)
    questions = read_questions(arguments.questions)
    selected = questions.selected(arguments.question)
    if arguments.seeds:
        questions = questions.with_seeds(arguments.seeds)
    with_curves = questions.curves is not None and (not arguments.question or CURVES in arguments.question)
    check_matplotlib()
    setup_logging()
    study = Study.of(questions, arguments.output)
    show_plan(study, selected, with_curves, at_once)
    if arguments.dry_run:
        return
    require_folder(arguments.output, "--output")
    table, page = answer_questions(study, selected, with_curves, at_once, command)
    print(f"\n{table}\n\nAnswers: {page}; numbers and plots are in the same folder.")


def processes_at_once(arguments: argparse.Namespace) -> int:
    """Return the number of parallel processes.

    Args:
        arguments: the command line.

    Raises:
        ConfigError: it is less than 1.
    """
    from frozenseg.device import pick_device

    default = 1 if pick_device("auto").type == "cuda" else os.cpu_count() or 1
    at_once: int = default if arguments.at_once is None else arguments.at_once
    if at_once < 1:
        raise ConfigError(f"--at-once is {at_once}: at least 1 process is needed.")
    return at_once


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops the processes of the study, too
    raise SystemExit(main())
