r"""Run an ablation study: train and evaluate a grid of configs over seeds, and write a table of the results.

Examples:
    python tools/ablate.py configs/ablations/*.yaml --seeds 0 1 2
    python tools/ablate.py configs/ablations/fcclip.yaml configs/ablations/both_injectors.yaml --seeds 0 \
        --output output/quick_ablation SOLVER.MAX_ITER 100
    python tools/ablate.py configs/ablations/query_injector.yaml --model configs/frozenseg/convnext_large.yaml --seeds 0

Ablations that differ only in keys of the evaluation share one training. Every evaluation has a control with shuffled
class names. After an interruption the same command resumes, and runs again only what has changed. The results are
OUTPUT/ablation.md (the table), ablation.csv (all numbers of every seed) and ablation.png.
"""

import argparse
import os
import platform
import shlex
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
    parser.add_argument("--seeds", nargs="+", default=["0", "1", "2"], help="seeds of the trainings (default: 0 1 2)")
    parser.add_argument("--model", type=Path, help="YAML config of a model that replaces the _BASE_ of the ablations")
    parser.add_argument(
        "--output", type=Path, default=Path("output/ablation"), help="folder (default: output/ablation)"
    )
    parser.add_argument("--at-once", type=int, help="parallel processes (default: 1 on a GPU, else one per core)")
    arguments = parser.parse_intermixed_args(argv)
    count = next((index for index, text in enumerate(arguments.seeds) if not text.isdecimal()), len(arguments.seeds))
    rest = arguments.seeds[count:]  # configs and KEY VALUE pairs after the seeds, which argparse reads as seeds
    if rest and (count == 0 or not (rest[0].endswith(YAML_SUFFIXES) or rest[0][:1].isupper())):
        parser.error(f"argument --seeds: {rest[0]!r} is not a seed: give integers from 0")
    positional = [*arguments.configs, *rest]
    arguments.configs = [Path(text) for text in positional if text.endswith(YAML_SUFFIXES)]
    arguments.options = [text for text in positional if not text.endswith(YAML_SUFFIXES)]
    arguments.seeds = [int(text) for text in arguments.seeds[:count]]
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    command = shlex.join(["python", "tools/ablate.py", *(sys.argv[1:] if argv is None else argv)])
    return run_script(lambda: run_study(arguments, command), "interrupted; run the same command again to resume")


def run_study(arguments: argparse.Namespace, command: str) -> None:
    """Run the grid and write its table, numbers and plot.

    Args:
        arguments: the command line.
        command: the same as one string, for the table's heading.

    Raises:
        ConfigError: A config or an argument is missing or wrong.
        RunFailedError: A training or an evaluation failed.
    """
    from frozenseg.atomic import write_text
    from frozenseg.device import pick_device
    from frozenseg.log import setup_logging
    from lab.ablation.grid import read_ablations
    from lab.ablation.plot import check_matplotlib, draw_results
    from lab.ablation.run import run_grid
    from lab.ablation.table import markdown_table, read_results, write_csv

    if not arguments.configs:
        raise ConfigError("No config is given: name the YAML files of the ablations, such as configs/ablations/*.yaml.")
    cores = os.cpu_count() or 1
    default = 1 if pick_device("auto").type == "cuda" else cores
    at_once = default if arguments.at_once is None else arguments.at_once
    if at_once < 1:
        raise ConfigError(f"--at-once is {at_once}: at least 1 process is needed.")
    check_matplotlib()
    setup_logging()
    require_folder(arguments.output, "--output")
    started = time.perf_counter()
    ablations = read_ablations(arguments.configs, arguments.model, arguments.options)
    run_grid(ablations, arguments.seeds, arguments.output, at_once)
    results = read_results(ablations, arguments.seeds, arguments.output)
    table = markdown_table(results)
    minutes = (time.perf_counter() - started) / 60
    heading = f"`{command}`; the last call took {minutes:.0f} minutes on {cores} cores ({platform.machine()})."
    descriptions = "\n".join(f"- `{ablation.name}`: {ablation.description}" for ablation in ablations)
    write_text(arguments.output / "ablation.md", f"{heading}\n\n{table}\n\n{descriptions}")
    write_csv(arguments.output / "ablation.csv", results)
    draw_results(results, arguments.output / "ablation.png")
    print(f"\n{table}\n\nTable, numbers and plot: {arguments.output}/ablation.md, .csv, .png")


if __name__ == "__main__":
    raise SystemExit(main())
