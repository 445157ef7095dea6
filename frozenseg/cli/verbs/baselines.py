"""Evaluate baselines on ToyWorld that need no training, as controls for trained models.

Examples:
    frozenseg baselines --output output/baselines

majority: predicts one material for the whole image; all materials are equally frequent.
colour:   predicts a thing for each connected component of a thing colour, as the first category of that colour; the
          ground is the material with the nearest mean colour.
outline:  like colour, but a thing is the category with the nearest outline, plain rather than patterned. It knows
          the renderer of every colour, outline and material, also of those that are absent from the training set.

All are run over the benchmarks of the config and scored by the same metrics as a model. The results are written to
OUTPUT/NAME.json.
"""

import argparse
from pathlib import Path

_CONFIG = "toyworld/frozenseg_tiny"
_SWITCHES = {"SEMANTIC_ON": True, "PANOPTIC_ON": True, "INSTANCE_ON": False, "RECALL_ON": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the config, the output folder and config overrides."""
    parser.add_argument(
        "--config-file", "--config", default=_CONFIG, help=f"YAML config with the benchmarks (default: {_CONFIG})"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("options", nargs="*", metavar="KEY VALUE", help="config overrides")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate all baselines on all benchmarks, and write and print the results.

    Raises:
        FrozenSegError: the data are missing, or the folder cannot be written.
    """
    from frozenseg.config import load_config
    from frozenseg.data.run_vocabulary import resolve_for_run
    from frozenseg.engine.evaluation.runner import build_benchmarks
    from frozenseg.engine.evaluation.toyworld_baselines import BASELINES, BaselineModel
    from frozenseg.evaluation.evaluator import inference_on_dataset
    from frozenseg.evaluation.report import results_table, write_results
    from frozenseg.log import setup_logging
    from frozenseg.output_paths import require_folder

    setup_logging()
    require_folder(arguments.output, "--output")
    switches = [text for key, on in _SWITCHES.items() for text in (f"MODEL.MASK_FORMER.TEST.{key}", str(on))]
    cfg = load_config(arguments.config_file, [*arguments.options, *switches])
    benchmarks = build_benchmarks(cfg, resolve_for_run(cfg, cfg.DATASETS.TRAIN[0]))
    for name, regions in BASELINES.items():
        results = {}
        for benchmark in benchmarks:
            baseline = BaselineModel.for_classes(regions, benchmark.vocabulary.classes)
            results[benchmark.name], _ = inference_on_dataset(
                baseline, benchmark.dataset.batches(), benchmark.evaluators
            )
        write_results(arguments.output / f"{name}.json", results)
        print(f"\n{name}\n{results_table(results)}")
    print(f"\nResults: {arguments.output}")
