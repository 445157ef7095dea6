"""Command line and work that both timing scripts share."""

import argparse
import itertools
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from frozenseg import atomic
from frozenseg.cli.command_line import docstring_parser, whole_number_flag
from lab.model_timing.case import Case
from lab.model_timing.model_of_config import RANDOM_WEIGHTS, parse_size

if TYPE_CHECKING:
    from lab.model_timing.checkout_process import CheckoutProcess
    from lab.model_timing.paired_rounds import CaseTimes

ROOT = Path(__file__).parents[3]


def timing_parser(docstring: str | None) -> argparse.ArgumentParser:
    """Return a parser with the flags of both scripts."""
    parser = docstring_parser(docstring)
    parser.add_argument("--config-file", type=Path, required=True, metavar="FILE", help="YAML file of the model")
    parser.add_argument("--classes", type=numbers, default=[150], metavar="N[,N...]", help="classes (default: 150)")
    parser.add_argument("--batches", type=numbers, default=[1], metavar="N[,N...]", help="images at once (default: 1)")
    rounds = whole_number_flag(1, 1_000, "rounds")
    parser.add_argument("--rounds", type=rounds, default=3, metavar="N", help="timed runs of each case (default: 3)")
    threads = whole_number_flag(0, 1_024, "threads")
    parser.add_argument(
        "--threads", type=threads, default=0, metavar="N", help="threads of PyTorch (default: its choice)"
    )
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="on a CPU: count processor time instead of elapsed time, on a machine with other work; use --threads 1",
    )
    parser.add_argument("--against", type=Path, metavar="DIR", help="also run this other checkout, in turn")
    parser.add_argument(
        "--here-only",
        nargs=2,
        action="append",
        default=[],
        metavar=("KEY", "VALUE"),
        help="config override that the other checkout does not get; can be repeated",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all numbers to this JSON file")
    parser.add_argument("options", nargs="*", metavar="KEY VALUE", help="config overrides")
    return parser


def numbers(text: str) -> list[int]:
    """Return the positive numbers of a list with commas.

    Raises:
        argparse.ArgumentTypeError: the text has another form.
    """
    if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", text):
        raise argparse.ArgumentTypeError(f"{text!r}, expected positive numbers with commas between them")
    return [int(number) for number in text.split(",")]


def cases_of(arguments: argparse.Namespace, sizes: str, output_size: str = "", masks: int = 0) -> list[Case]:
    """Return all combinations of sizes, numbers of classes and batches.

    Args:
        arguments: of the command line.
        sizes: ``HxW`` of the images, with commas between them.
        output_size: ``HxW`` of the outputs; empty for the size of the image.
        masks: target masks of each image.

    Raises:
        ConfigError: a size has another form.
    """
    cases = []
    for text, classes, batch in itertools.product(sizes.split(","), arguments.classes, arguments.batches):
        size = parse_size(text, "--sizes")
        outputs = parse_size(output_size, "--output-size") if output_size else size
        cases.append(Case(*size, classes, batch, *outputs, masks))
    return cases


class Timings(NamedTuple):
    """Measurements of all cases."""

    hardware: dict[str, Any]  # of this checkout's process
    rates: tuple[float, float]  # multiply-adds per second in float32, and in the precision of the frozen encoders
    times: list["CaseTimes"]


def time_cases(arguments: argparse.Namespace, kind: str, cases: Sequence[Case], scores: bool = False) -> Timings:
    """Time all cases in this checkout and, if one is named, in the other one.

    Args:
        arguments: of the command line.
        kind: of the workload.
        cases: inputs.
        scores: return scores instead of labels as semantic output.
    """
    from frozenseg.log import progress  # imports tqdm
    from lab.model_timing.checkout_process import checkout_processes
    from lab.model_timing.paired_rounds import time_case
    from lab.model_timing.tables import CHECKOUTS

    folders = [ROOT] + ([arguments.against] if arguments.against else [])
    checkouts = dict(zip(CHECKOUTS, folders, strict=False))
    with tempfile.TemporaryDirectory() as folder, checkout_processes(checkouts) as processes:
        for process in processes:
            only = itertools.chain.from_iterable(arguments.here_only if process.name == CHECKOUTS[0] else [])
            process.open(
                kind=kind,
                threads=arguments.threads,
                processor_time=arguments.processor_time,
                config=str(arguments.config_file.resolve()),
                options=[*arguments.options, *only, *RANDOM_WEIGHTS],
                classes=max(case.classes for case in cases),
                scores=scores,
            )
        shown = progress(cases, "timing", quiet=len(cases) == 1)
        times = [time_case(processes, case, arguments.rounds, Path(folder)) for case in shown]
        rates = rates_of(processes[0])
    return Timings(processes[0].hardware, rates, times)


def rates_of(process: "CheckoutProcess") -> tuple[float, float]:
    """Return the multiply-adds per second of a matrix product in float32, and in the frozen encoders' precision."""
    names = ("float32", process.hardware["frozen_dtype"])
    rates: dict[str, float] = {name: process.request("gemm", dtype=name)["rate"] for name in names}
    return rates[names[0]], rates[names[1]]


def print_hardware(arguments: argparse.Namespace, timings: Timings) -> None:
    """Print the model, the machine and the rates."""
    rate, frozen = (f"{2 * each / 1e9:.0f}" for each in timings.rates)
    options = " ".join([*arguments.options, *itertools.chain.from_iterable(arguments.here_only)])
    print(f"{arguments.config_file} {options}".rstrip())
    hardware = timings.hardware
    print(f"{hardware['device']}, {hardware['hardware']}, PyTorch {hardware['torch']}, {arguments.rounds} rounds")
    print(f"matrix product: {rate} GFLOP/s in float32, {frozen} in {hardware['frozen_dtype']}; 2 FLOP a multiply-add\n")


def write_numbers(arguments: argparse.Namespace, timings: Timings, floors: Sequence[dict[str, float]]) -> None:
    """Write all numbers to the JSON file, if one is named."""
    if arguments.json:
        content = {
            "config": str(arguments.config_file),
            "options": arguments.options,
            "here_only": arguments.here_only,
            "hardware": timings.hardware,
            "multiply_adds_per_second": timings.rates,
            "cases": [times.as_json(floor) for times, floor in zip(timings.times, floors, strict=True)],
        }
        atomic.write_json(arguments.json, content, indent=2)
