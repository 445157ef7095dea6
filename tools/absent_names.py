r"""Count false segments of small vocabularies on ToyWorld: scenes segmented by names of classes that they do not show.

Example:
    python tools/absent_names.py configs/ablations/both_injectors.yaml configs/ablations/void_discount_*.yaml \
        --weights output/ablation/trainings/*/model_final.pth --output output/absent_names.md

Every scene is segmented by 1, 3 and 10 absent names, where every segment is false, and by the name of one class that it
shows. All configs are evaluated with all weights, so their trainings must be the same; the table has the mean and the
standard deviation over the weights.
"""

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

from frozenseg.cli.command_line import docstring_parser, run_script

SPLITS = ("val_seen", "val_unseen")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("configs", nargs="+", metavar="CONFIG", help="YAML configs of the models")
    parser.add_argument("--weights", nargs="+", required=True, help="weight files, such as one for each seed")
    parser.add_argument("--split", choices=SPLITS, default="val_unseen", help="of ToyWorld (default: val_unseen)")
    parser.add_argument("--images", type=int, default=60, help="number of scenes (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the scenes (default: 0)")
    parser.add_argument("--output", type=Path, required=True, help="Markdown file for the table")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: write_table(arguments))


def write_table(arguments: argparse.Namespace) -> None:
    """Evaluate all configs with all weights, and write and print the table."""
    from tabulate import tabulate

    from frozenseg.atomic import write_text
    from frozenseg.inference.predictor import Segmenter
    from frozenseg.log import progress, setup_logging
    from frozenseg.output_paths import require_folder
    from frozenseg.toyworld.export import Recipe
    from lab.absent_names import count_false_segments

    setup_logging()
    require_folder(arguments.output.parent, "the folder of --output")
    recipe = Recipe(arguments.split, arguments.seed, arguments.images)
    runs = [(config, weights) for config in arguments.configs for weights in arguments.weights]
    columns: dict[str, list[dict[str, float]]] = {config: [] for config in arguments.configs}
    for config, weights in progress(runs, "absent names"):
        counts = count_false_segments(Segmenter.from_config(config, weights), recipe)
        columns[config].append(
            {f"{size} absent" if size > 1 else "1 absent": value for size, value in counts.absent.items()}
            | {"1 present: recall, %": 100 * counts.present_recall, "1 present: false": counts.present_false}
        )
    titles = list(next(iter(columns.values()))[0])
    rows = [
        [Path(name).stem, *(_spread([run[title] for run in runs]) for title in titles)]
        for name, runs in columns.items()
    ]
    table = tabulate(rows, headers=["ablation", *titles], tablefmt="github", disable_numparse=True)
    write_text(arguments.output, f"{table}\n")
    print(
        f"\nSegments per image, {arguments.images} scenes of {arguments.split}:\n\n{table}\n\nTable: {arguments.output}"
    )


def _spread(values: Sequence[float]) -> str:
    mean = f"{statistics.fmean(values):.2f}"
    return f"{mean} ± {statistics.stdev(values):.2f}" if len(values) > 1 else mean


if __name__ == "__main__":
    raise SystemExit(main())
