r"""Ask questions of a model: train and evaluate a grid of configs over seeds, and set the results side by side.

Examples:
    python tools/ablate.py configs/ablations/*.yaml --seeds 0 1 2
    python tools/ablate.py configs/ablations/fcclip.yaml configs/ablations/both_injectors.yaml --seeds 0 \
        --output output/quick_ablation SOLVER.MAX_ITER 100
    python tools/ablate.py configs/ablations/query_injector.yaml --model configs/frozenseg/convnext_large.yaml --seeds 0

Questions that differ in how a model is tested alone share one training. Every evaluation has a control: the same
model, every class under another class's names. What is done stays done: the same command goes on where it was
interrupted, and does again only what has changed. OUTPUT gets ablation.md (the table), ablation.csv (every number of
every seed) and ablation.png.
"""

import argparse
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from frozenseg.errors import ConfigError, FrozenSegError

YAML = (".yaml", ".yml")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument("configs", type=str, nargs="*", metavar="CONFIG", help="questions, then KEY VALUE overrides")
    parser.add_argument("--seeds", nargs="+", default=["0", "1", "2"], help="of the trainings (default: 0 1 2)")
    parser.add_argument("--model", type=Path, help="switch the questions' keys in this model instead of their _BASE_")
    parser.add_argument(
        "--output", type=Path, default=Path("output/ablation"), help="folder (default: output/ablation)"
    )
    parser.add_argument("--at-once", type=int, help="processes side by side (default: 1 on a GPU, else one a core)")
    arguments = parser.parse_intermixed_args(argv)
    count = next((place for place, text in enumerate(arguments.seeds) if not text.isdecimal()), len(arguments.seeds))
    behind = arguments.seeds[count:]  # configs and KEY VALUE, which the flag has taken for seeds
    if behind and (count == 0 or not (behind[0].endswith(YAML) or behind[0][:1].isupper())):
        parser.error(f"argument --seeds: {behind[0]} is no seed: give numbers from 0")
    words = [*arguments.configs, *behind]
    arguments.configs = [Path(text) for text in words if text.endswith(YAML)]
    arguments.options = [text for text in words if not text.endswith(YAML)]
    arguments.seeds = [int(text) for text in arguments.seeds[:count]]
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    arguments = parse_arguments(argv)
    command = shlex.join(["python", "tools/ablate.py", *(sys.argv[1:] if argv is None else argv)])
    try:
        ask(arguments, command)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on with it", file=sys.stderr)
        return 130
    return 0


def ask(arguments: argparse.Namespace, command: str) -> None:
    """Run the grid and write what it has found."""
    from frozenseg.atomic import write_text
    from frozenseg.device import pick_device
    from frozenseg.log import setup_logging
    from lab.ablation.grid import read_questions
    from lab.ablation.plot import check_matplotlib, draw_findings
    from lab.ablation.run import run_grid
    from lab.ablation.table import markdown_table, read_findings, write_raw

    if not arguments.configs:
        raise ConfigError("No config is named: give the questions' YAML files, such as configs/ablations/*.yaml.")
    cores = os.cpu_count() or 1
    usual = 1 if pick_device("auto").type == "cuda" else cores
    at_once = usual if arguments.at_once is None else arguments.at_once
    if at_once < 1:
        raise ConfigError(f"--at-once is {at_once}: give 1 or more.")
    check_matplotlib()
    setup_logging()
    started = time.perf_counter()
    questions = read_questions(arguments.configs, arguments.model, arguments.options)
    run_grid(questions, arguments.seeds, arguments.output, at_once)
    findings = read_findings(questions, arguments.seeds, arguments.output)
    table = markdown_table(findings)
    minutes = (time.perf_counter() - started) / 60
    asked = "\n".join(f"- `{question.name}`: {question.text}" for question in questions)
    made = f"`{command}`; the last call took {minutes:.0f} minutes on {cores} cores ({platform.machine()})."
    write_text(arguments.output / "ablation.md", f"{made}\n\n{table}\n\n{asked}")
    write_raw(arguments.output / "ablation.csv", findings)
    draw_findings(findings, arguments.output / "ablation.png")
    print(f"\n{table}\n\nTable, numbers and picture: {arguments.output}/ablation.md, .csv, .png")


if __name__ == "__main__":
    sys.exit(main())
