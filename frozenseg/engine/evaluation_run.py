"""Evaluation of trained weights: the run of ``--eval-only``, and one data set from Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frozenseg.config import OPTIONS, CfgNode, find_config, load_config, with_protocol
from frozenseg.data.catalog import MetadataCatalog
from frozenseg.data.checks.before_run import write_contact_sheets
from frozenseg.data.training_classes import training_classes
from frozenseg.engine.evaluation.runner import build_benchmarks, evaluate
from frozenseg.engine.setup import errors_in_log_file, prepare_folder, with_seed, write_config
from frozenseg.engine.training_run import build_initial_model
from frozenseg.evaluation.expected import check_results, read_expected
from frozenseg.evaluation.types import TaskResults
from frozenseg.log import get_logger
from frozenseg.modeling.checkpoint_file import read_checkpoint, trained_vocabulary
from frozenseg.modeling.weights_layout import adopt_layout

logger = get_logger(__name__)


def evaluate_dataset(
    name: str,
    config: str | Path,
    weights: str | Path = "",
    output_dir: str | Path = "output/evaluation",
    options: Sequence[Any] = (),
) -> TaskResults:
    """Evaluate weights on one data set by its protocol, in this process.

    The output folder is that of ``tools/train_net.py --eval-only``: the log, ``inference/results.json`` and
    ``inference/report.html``.

    Example::

        scores = evaluate_dataset("toyworld_val_unseen", "toyworld/frozenseg_tiny", "output/model_final.pth")
        scores["panoptic_seg"]["U_PQ"]

    Args:
        name: of a registered data set, or of custom files (``folder:IMAGES?labels=…``, see datasets/README.md).
        config: YAML file, or name of a shipped config (``frozenseg/convnext_large``).
        weights: file, ``toyworld``, or empty for MODEL.WEIGHTS of the config.
        output_dir: output folder.
        options: ``[KEY, VALUE, …]``; they take precedence over config and protocol.

    Returns:
        task → metric → percent.

    Raises:
        ConfigError: a key or value is wrong, or the folder cannot be written.
        DataError: the data set is unknown, or files are missing or wrong.
        CheckpointError: the weights are missing, damaged or of another model.
    """
    requested = ["DATASETS.TEST", [name], "OUTPUT_DIR", str(output_dir), *options]
    cfg = load_config(config, [*requested, *(["MODEL.WEIGHTS", str(weights)] if weights else [])], OPTIONS)
    if protocol := MetadataCatalog.get(name).get("protocol"):
        cfg = with_protocol(cfg, find_config(f"eval/{protocol}"))
    folder = prepare_folder(cfg)
    with errors_in_log_file():
        [results] = run_evaluation(cfg, folder).values()
    return results


def run_evaluation(
    cfg: CfgNode, folder: Path, checkpoint: Path | None = None, resume: bool = False
) -> dict[str, TaskResults]:
    """Evaluate a model on the data sets of DATASETS.TEST, as one of the processes.

    Args:
        cfg: the resolved config.
        folder: output folder of the run.
        checkpoint: file of the weights; None for MODEL.WEIGHTS.
        resume: continue an interrupted evaluation.

    Returns:
        benchmark → task → metric, in percent.

    Raises:
        FrozenSegError: a mistake that the user can correct, or results other than TEST.EXPECTED_RESULTS.
    """
    weights = str(checkpoint or cfg.MODEL.WEIGHTS)
    content = read_checkpoint(weights) if weights else {}
    cfg = adopt_layout(with_seed(cfg, None), content.get("model", {}), weights)
    write_config(cfg, folder)
    training = training_classes(cfg, trained_vocabulary(content), content.get("config", ""), weights)
    benchmarks = build_benchmarks(cfg, training)
    write_contact_sheets([benchmark.dataset.opened for benchmark in benchmarks], folder / "data")
    if checkpoint is None and not cfg.MODEL.WEIGHTS:
        logger.warning("The evaluated model is untrained: give its weights with --weights FILE.")
    expected = read_expected(cfg.TEST.EXPECTED_RESULTS, [benchmark.name for benchmark in benchmarks])
    model = build_initial_model(cfg, training.vocabulary, checkpoint, content)
    results = evaluate(model, benchmarks, folder, cfg.TEST.COMPARE, resume, weights)
    check_results(expected, results)
    return results
