r"""Time the text embeddings of class names, the first of LVIS, in all prompt templates.

The text tower has random weights, no cache is read or written, and nothing is downloaded.

Examples:
  all names of LVIS by the text tower of CLIP ConvNeXt-L, minutes on a CPU:
    python tools/benchmark_text.py --config-file configs/fcclip/convnext_large.yaml --classes 1203

  64 names in another checkout of this project, in turn, with the ratio and the difference of the embeddings:
    python tools/benchmark_text.py --config-file configs/fcclip/r50.yaml --classes 64 --against ../before

Seconds are medians. The ratio is that of the other checkout to this one in the same round: above 1, this one is faster.
"""

import argparse
from collections.abc import Sequence

from frozenseg.cli.command_line import run_script
from frozenseg.output_paths import require_file
from lab.model_timing.command import cases_of, print_hardware, time_cases, timing_parser, write_numbers

NO_IMAGE = "1x1"


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    return timing_parser(__doc__).parse_intermixed_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: time_text(arguments))


def time_text(arguments: argparse.Namespace) -> None:
    """Time all numbers of classes, print a line each, and write the JSON file if one is named."""
    from lab.model_timing.parts import WHOLE

    if arguments.json:
        require_file(arguments.json, "--json")
    cases = cases_of(arguments, NO_IMAGE)
    timings = time_cases(arguments, "text", cases)
    print_hardware(arguments, timings)
    for times in timings.times:
        line = f"{times.case.classes} class names: {times.median(WHOLE):.2f} s"
        for difference in times.differences:
            line += f"; the other checkout {times.median(WHOLE, 1):.2f} s, ratio {times.ratio(WHOLE)}"
            line += f", largest difference {difference.largest:.1e} of a deviation of {difference.scale:.1e}"
        print(line)
    write_numbers(arguments, timings, [{}] * len(cases))


if __name__ == "__main__":
    raise SystemExit(main())
