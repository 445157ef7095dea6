"""Score what can be said of ToyWorld without learning: controls for what has been learned.

Example:
    python tools/toyworld_baselines.py --output output/baselines

majority: the whole picture is one material; all are equally frequent.
colour:   things are connected pixels of one of the world's own colours, and the first category of that colour; the
          ground is the material with the nearest mean colour.
outline:  the same, and a thing has the outline that is nearest, and no pattern where that leaves a choice. It knows
          how every colour, outline and material is painted, also those that training never shows.

All are run over the benchmarks of the config like a model, and scored by the same metrics; OUTPUT/NAME.json has the
results.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frozenseg.errors import ConfigError, FrozenSegError

if TYPE_CHECKING:
    from torch import nn

CONFIG = "configs/toyworld/frozenseg_tiny.yaml"
OUTPUT_SWITCHES = {"SEMANTIC_ON": True, "PANOPTIC_ON": True, "INSTANCE_ON": False, "RECALL_ON": False}


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument("--config-file", default=CONFIG, help=f"names the benchmarks (default: {CONFIG})")
    parser.add_argument("--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("options", nargs="*", metavar="KEY VALUE", help="config overrides")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    arguments = parse_arguments(argv)
    try:
        score_baselines(arguments)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def score_baselines(arguments: argparse.Namespace) -> None:
    """Run all baselines over all benchmarks; writes and prints the results."""
    from frozenseg.config import load_config
    from frozenseg.data.run_vocabulary import resolve_for_run
    from frozenseg.engine.evaluation.runner import build_benchmarks
    from frozenseg.evaluation.evaluator import inference_on_dataset
    from frozenseg.evaluation.report import results_table, write_results
    from frozenseg.log import setup_logging
    from lab.toyworld_baselines import colour_regions, majority_regions, outline_regions

    setup_logging()
    switches = [text for key, on in OUTPUT_SWITCHES.items() for text in (f"MODEL.MASK_FORMER.TEST.{key}", str(on))]
    cfg = load_config(arguments.config_file, [*arguments.options, *switches])
    benchmarks = build_benchmarks(cfg, resolve_for_run(cfg, cfg.DATASETS.TRAIN[0]))
    for name, regions in {"majority": majority_regions, "colour": colour_regions, "outline": outline_regions}.items():
        results = {}
        for benchmark in benchmarks:
            baseline = as_model(regions, benchmark.words.classes)
            results[benchmark.name], _ = inference_on_dataset(
                baseline, benchmark.test_set.batches(), benchmark.evaluators
            )
        write_results(arguments.output / f"{name}.json", results)
        print(f"\n{name}\n{results_table(results)}")
    print(f"\nResults: {arguments.output}")


def as_model(regions: Callable[..., Any], classes: Sequence[tuple[str, ...]]) -> "nn.Module":
    """Return a baseline that takes batches and gives outputs as a model does.

    Args:
        regions: of ``lab.toyworld_baselines``.
        classes: what is asked for.

    Raises:
        ConfigError: one of them is not ToyWorld's own.
    """
    import numpy as np
    import torch
    from torch import nn

    from frozenseg.data.images import read_image
    from frozenseg.toyworld.categories import all_categories

    named = {category.names: category for category in all_categories()}
    if foreign := [names[0] for names in classes if names not in named]:
        raise ConfigError(f"{foreign[0]!r} is no class of ToyWorld: give a config that is tested on ToyWorld alone.")
    categories = [named[names] for names in classes]

    class Baseline(nn.Module):
        def forward(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [self.look_at(np.asarray(read_image(element["file_name"]))) for element in batch]

        def look_at(self, image: np.ndarray) -> dict[str, Any]:
            ids, segments = np.zeros(image.shape[:2], dtype=np.int32), []
            labels = np.zeros(image.shape[:2], dtype=np.int64)
            for number, region in enumerate(regions(image, categories), start=1):
                place = categories.index(region.category)
                ids[region.mask], labels[region.mask] = number, place
                segments.append({"id": number, "isthing": region.category.isthing, "category_id": place})
            return {"panoptic_seg": (torch.from_numpy(ids), segments), "sem_seg": torch.from_numpy(labels)}

    return Baseline()


if __name__ == "__main__":
    sys.exit(main())
