r"""Time a model whole and by part, with peak memory and the smallest possible time on this machine.

Weights and images are synthetic and the same in every run, text embeddings are cached, and nothing is downloaded.

Examples:
  one image of 480x640, resized as in evaluation:
    python tools/benchmark_model.py --config-file configs/fcclip/convnext_large.yaml --sizes 800x1067 \
        --output-size 480x640

  the same in another checkout of this project, in turn, with the ratios and the differences of the results:
    python tools/benchmark_model.py --config-file configs/fcclip/r50.yaml --against ../main

  how time and memory grow, with all numbers in a file:
    python tools/benchmark_model.py --config-file configs/fcclip/r50.yaml --sizes 512x512,1024x1024,2048x2048 \
        --classes 20,150,1203 --batches 1,4,16 --rounds 1 --json growth.json

  a GPU, with frozen encoders in bfloat16:
    python tools/benchmark_model.py --config-file configs/frozenseg/convnext_large.yaml MODEL.DEVICE cuda \
        MODEL.FROZEN_DTYPE bfloat16

Seconds are medians. The ratio is that of the other checkout to this one in the same round: above 1, this one is faster.
The time of a part with a dot is also in the part above it. The floor of a part is its multiply-adds over the rate of a
large matrix product, measured in the same run. Peak memory is that of the first run of a case: resident on a CPU,
allocated on a GPU. Each checkout runs in a process with its own model, one process at a time.
"""

import argparse
from collections.abc import Sequence

from frozenseg.cli.command_line import run_script
from frozenseg.output_paths import require_file
from lab.model_timing.command import cases_of, print_hardware, time_cases, timing_parser, write_numbers


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = timing_parser(__doc__)
    parser.add_argument(
        "--sizes", default="800x1067", metavar="HxW[,HxW...]", help="image sizes, height x width (default: %(default)s)"
    )
    parser.add_argument("--output-size", default="", metavar="HxW", help="of the outputs (default: that of the image)")
    parser.add_argument(
        "--scores", action="store_true", help="return the scores of all classes instead of labels as semantic output"
    )
    return parser.parse_intermixed_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: time_model(arguments))


def time_model(arguments: argparse.Namespace) -> None:
    """Time all cases, print their tables, and write the JSON file if one is named."""
    from lab.model_timing.floor import floor_seconds, multiply_adds
    from lab.model_timing.parts import SEGMENTATION_PARTS
    from lab.model_timing.tables import table_of_case, table_of_cases, table_of_differences

    if arguments.json:
        require_file(arguments.json, "--json")
    cases = cases_of(arguments, arguments.sizes, arguments.output_size)
    timings = time_cases(arguments, "segmentation", cases, arguments.scores)
    options = [*arguments.options, *(text for pair in arguments.here_only for text in pair)]
    counts = [multiply_adds(arguments.config_file, options, case) for case in cases]
    floors = [floor_seconds(each, *timings.rates) for each in counts]
    print_hardware(arguments, timings)
    for times, floor in zip(timings.times, floors, strict=True):
        print(table_of_case(times, SEGMENTATION_PARTS, floor), end="\n\n")
        if times.differences:
            print(table_of_differences(times), end="\n\n")
    if len(cases) > 1:
        print(f"seconds of each part\n\n{table_of_cases(timings.times, SEGMENTATION_PARTS)}")
    write_numbers(arguments, timings, floors)


if __name__ == "__main__":
    raise SystemExit(main())
