r"""Time a training step whole and by part, with its peak memory.

Weights, images and masks are synthetic and the same in every run, text embeddings are cached, and nothing is
downloaded. The step is that of the trainer with the optimizer, gradient clipping and precision of the config.

Examples:
  one image of 1024x1024 with 10 target masks:
    python tools/benchmark_training.py --config-file configs/frozenseg/convnext_large.yaml

  the same in another checkout of this project, in turn, with the ratios and the differences of the losses:
    python tools/benchmark_training.py --config-file configs/fcclip/r50.yaml --against ../main

  frozen encoders in bfloat16, two batches, all numbers in a file:
    python tools/benchmark_training.py --config-file configs/frozenseg/convnext_large.yaml --batches 1,2 \
        --json training.json MODEL.FROZEN_DTYPE bfloat16

Seconds are medians. The ratio is that of the other checkout to this one in the same round: above 1, this one is faster.
The time of a part with a dot is also in the part above it. Peak memory is that of the first step of a case: resident on
a CPU, allocated on a GPU.
"""

import argparse
from collections.abc import Sequence

from frozenseg.cli.command_line import run_script, whole_number_flag
from frozenseg.output_paths import require_file
from lab.model_timing.command import cases_of, print_hardware, time_cases, timing_parser, write_numbers


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = timing_parser(__doc__)
    parser.add_argument(
        "--sizes",
        default="1024x1024",
        metavar="HxW[,HxW...]",
        help="image sizes, height x width (default: %(default)s)",
    )
    masks = whole_number_flag(0, 1_000, "target masks")
    parser.add_argument("--masks", type=masks, default=10, metavar="N", help="target masks of an image (default: 10)")
    return parser.parse_intermixed_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: time_training(arguments))


def time_training(arguments: argparse.Namespace) -> None:
    """Time all cases, print their tables, and write the JSON file if one is named."""
    from lab.model_timing.parts import TRAINING_PARTS
    from lab.model_timing.tables import table_of_case, table_of_cases, table_of_differences

    if arguments.json:
        require_file(arguments.json, "--json")
    cases = cases_of(arguments, arguments.sizes, masks=arguments.masks)
    timings = time_cases(arguments, "training", cases)
    print_hardware(arguments, timings)
    for times in timings.times:
        print(table_of_case(times, TRAINING_PARTS, {}), end="\n\n")
        if times.differences:
            print(table_of_differences(times), end="\n\n")
    if len(cases) > 1:
        print(f"seconds of each part\n\n{table_of_cases(timings.times, TRAINING_PARTS)}")
    write_numbers(arguments, timings, [{}] * len(cases))


if __name__ == "__main__":
    raise SystemExit(main())
