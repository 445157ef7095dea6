r"""Print the size of a model: parameters of each component, FLOPs and peak memory.

Examples:
    parameters, in seconds and without allocating the weights:
    python tools/analyze_model.py --config-file configs/frozenseg/convnext_large.yaml

    the released model, with FLOPs at two image sizes (height x width) and all numbers in a file:
    python tools/analyze_model.py --config-file configs/frozenseg/convnext_large.yaml --flops --size 640x640 800x1333 \
        --json size.json MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS 3

    measured memory of one image:
    python tools/analyze_model.py --config-file configs/frozenseg/convnext_large.yaml --memory MODEL.DEVICE cpu

    memory of training on one process, forecast from two small steps:
    python tools/analyze_model.py --config-file configs/frozenseg/convnext_large.yaml --training-memory \
        SOLVER.IMAGES_AT_ONCE 2

Nothing is downloaded: all weights are random, whatever the config says. FLOPs are counted by torch's counter with
fvcore's conventions (a multiply-add is one FLOP), for one image up to post-processing, with the text embeddings
computed beforehand; SAM always runs at its 1024x1024. Memory includes post-processing and is measured in a new process.
The memory of training is extrapolated from two steps on small random images to INPUT.IMAGE_SIZE and to the number of
images that a process holds at once.
"""

import argparse
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from frozenseg import atomic
from frozenseg.cli.command_line import docstring_parser, run_script
from frozenseg.errors import ConfigError
from frozenseg.output_paths import require_file
from frozenseg.vocabulary import Vocabulary
from lab.model_timing.model_of_config import RANDOM_WEIGHTS, model_without_weights, numbered_classes, parse_size


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("--config-file", type=Path, required=True, metavar="FILE", help="YAML file of the model")
    parser.add_argument(
        "--size", nargs="+", default=["640x640"], metavar="HxW", help="image sizes, height x width (default: 640x640)"
    )
    parser.add_argument("--flops", action="store_true", help="count the FLOPs at each size")
    parser.add_argument("--memory", action="store_true", help="measure the peak memory at each size on MODEL.DEVICE")
    parser.add_argument("--training-memory", action="store_true", help="forecast the memory of training")
    parser.add_argument("--classes", type=int, default=133, metavar="N", help="size of the vocabulary (default: 133)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all numbers to this JSON file")
    parser.add_argument("options", nargs="*", metavar="KEY VALUE", help="config overrides")
    arguments = parser.parse_intermixed_args(argv)
    sizes = [*takewhile(lambda text: not text[:1].isupper(), arguments.size)]  # config keys begin with a capital letter
    arguments.options = [*arguments.size[len(sizes) :], *arguments.options]
    arguments.size = sizes
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: analyze_and_write(arguments))


def analyze_and_write(arguments: argparse.Namespace) -> None:
    """Print all numbers and write them to the JSON file, if one is named."""
    if arguments.json:
        require_file(arguments.json, "--json")
    numbers = analyze(arguments)
    if arguments.json:
        write_json(numbers, arguments.json)


def analyze(arguments: argparse.Namespace) -> dict[str, Any]:
    """Print and return the requested numbers.

    Raises:
        ConfigError: A size is malformed, or there are no classes.
    """
    sizes = [parse_size(text) for text in arguments.size]
    vocabulary = numbered_classes(arguments.classes)
    options = [*arguments.options, *RANDOM_WEIGHTS]
    numbers: dict[str, Any] = {"config": str(arguments.config_file), "options": arguments.options}
    numbers["parameters"] = count_parameters(arguments.config_file, options, vocabulary)
    if arguments.flops:
        numbers["flops"] = [flops(arguments.config_file, options, vocabulary, size) for size in sizes]
    if arguments.memory:
        numbers["memory"] = [memory(arguments.config_file, options, vocabulary, size) for size in sizes]
    if arguments.training_memory:
        numbers["training_memory"] = training_memory(arguments.config_file, options, vocabulary)
    return numbers


def count_parameters(config: Path, options: Sequence[str], vocabulary: Vocabulary) -> dict[str, Any]:
    """Print and return the number of parameters of each component."""
    from frozenseg.modeling.parameter_table import parameter_table, sums

    table = parameter_table(model_without_weights(config, options, vocabulary))
    total = sums(table)
    rows = [
        *table,
        ("all", total["trainable"], total["frozen"]),
        ("all but CLIP text", "", total["frozen_without_text"]),
    ]
    show("parameters", rows, ("box", "trainable", "frozen"))
    return {"boxes": {row.box: {"trainable": row.trainable, "frozen": row.frozen} for row in table}, **total}


def flops(config: Path, options: Sequence[str], vocabulary: Vocabulary, size: tuple[int, int]) -> dict[str, Any]:
    """Print and return the FLOPs of one image."""
    from frozenseg.modeling.flops import count_flops

    counted = count_flops(model_without_weights(config, options, vocabulary), size)
    total = sum(counted.by_box.values())
    rows = [(box, f"{count / 1e9:.4g}") for box, count in {**counted.by_box, "all": total}.items()]
    show(f"GFLOPs at {size[0]}x{size[1]}", rows, ("box", "GFLOPs"))
    rows = [
        (name, f"{count / 1e9:.4g}") for name, count in sorted(counted.by_operator.items(), key=lambda row: -row[1])
    ]
    show("", rows, ("operator", "GFLOPs"))
    rest = ", ".join(f"{name} {count / 1e6:.1f}" for name, count in counted.uncounted.items() if count >= 1e5)
    print(f"\nnot counted, with the size of their outputs in millions: {rest}")
    return {"size": size, "total": total, **counted._asdict()}


def memory(config: Path, options: Sequence[str], vocabulary: Vocabulary, size: tuple[int, int]) -> dict[str, Any]:
    """Print and return the peak memory of one image."""
    from frozenseg.engine.peak_memory import measure_inference_memory

    measured = measure_inference_memory(config, options, size, vocabulary)
    rows = [("model", f"{measured.model / 2**20:.0f}"), ("peak above the model", f"{measured.above / 2**20:.0f}")]
    show(f"memory at {size[0]}x{size[1]} on {measured.device}", rows, ("part", "MiB"))
    return {"size": size, **measured._asdict()}


def training_memory(config: Path, options: Sequence[str], vocabulary: Vocabulary) -> dict[str, int]:
    """Print and return the forecast memory of training, in bytes for one process."""
    from frozenseg.config import load_config
    from frozenseg.engine.training.memory_forecast import forecast_training_memory

    cfg = load_config(config, options)
    parts = forecast_training_memory(cfg, vocabulary)._asdict()
    sizes = {**parts, "all": sum(parts.values())}
    rows = [(name.replace("_", " "), f"{size / 2**20:.0f}") for name, size in sizes.items()]
    show(f"training memory at {cfg.INPUT.IMAGE_SIZE}x{cfg.INPUT.IMAGE_SIZE}", rows, ("part", "MiB"))
    return parts


def show(title: str, rows: Sequence[Sequence[Any]], headers: Sequence[str]) -> None:
    """Print a table."""
    from tabulate import tabulate

    print(f"\n{title}\n{tabulate(rows, headers, intfmt=',', disable_numparse=[0])}")


def write_json(numbers: dict[str, Any], path: Path) -> None:
    """Write the numbers atomically.

    Raises:
        ConfigError: The file cannot be written.
    """
    try:
        atomic.write_json(path, numbers, indent=2)
    except OSError as error:
        raise ConfigError(f"--json {path} cannot be written ({error.strerror}): choose another file.") from error


if __name__ == "__main__":
    raise SystemExit(main())
