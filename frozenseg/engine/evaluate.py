"""All benchmarks of a config, one after the other, with one model: the words are swapped, the model stays."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from frozenseg import distributed
from frozenseg.data.catalog import MetadataCatalog, vocabulary_of
from frozenseg.data.loader import build_test_loader
from frozenseg.errors import ConfigError, DataError
from frozenseg.evaluation.build import build_evaluators
from frozenseg.evaluation.evaluator import DatasetEvaluators, inference_on_dataset
from frozenseg.evaluation.report import results_table, write_results
from frozenseg.log import get_logger
from frozenseg.vocabulary import Vocabulary

logger = get_logger(__name__)
Results = dict[str, dict[str, dict[str, float]]]  # benchmark → task → metric → percent
CONTROL_SEED = 0


class Benchmark(NamedTuple):
    """A test set, ready to run."""

    name: str
    words: Vocabulary  # what the model is asked for
    loader: Iterable[list[dict[str, Any]]]
    evaluators: DatasetEvaluators


def build_benchmarks(cfg: Any, training: Vocabulary) -> list[Benchmark]:
    """Open every test set of a config, so that what is missing is known before any long work.

    Args:
        cfg: reads DATASETS.TEST, which read-outs are on, what the test loader reads, and TEST.SHUFFLE_CLASS_NAMES for
            the control: the model is asked for wrong words, and scored against the true ones.
        training: what the model is trained on; decides which classes count as seen.

    Raises:
        ConfigError: no read-out is on.
        DataError: a data set is unknown, or its files are missing.
    """
    return [_build_benchmark(cfg, name, training) for name in cfg.DATASETS.TEST]


def _build_benchmark(cfg: Any, name: str, training: Vocabulary) -> Benchmark:
    metadata, vocabulary, read_outs = MetadataCatalog.get(name), vocabulary_of(name), _read_outs(cfg)
    annotations = metadata.get("json_file")
    if "instance" in read_outs and annotations and not Path(annotations).is_file():
        raise DataError(
            f"{name}: the instance annotations {annotations} do not exist; "
            f"{metadata.get('prepare_command') or 'prepare the data set again'}."
        )
    words = vocabulary
    if cfg.TEST.SHUFFLE_CLASS_NAMES:
        logger.warning("Control: every class of %s goes by another class's names.", name)
        words = vocabulary.shuffled(CONTROL_SEED)
    evaluators = build_evaluators(metadata, read_outs, vocabulary.seen_by(training))
    return Benchmark(name, words, build_test_loader(cfg, name), evaluators)


def evaluate(model: nn.Module, benchmarks: Sequence[Benchmark], folder: Path) -> Results:
    """Run a model over benchmarks; write ``inference/results.json`` and log the table.

    Args:
        model: not wrapped; keeps its words and its mode.
        benchmarks: from :func:`build_benchmarks`.
        folder: the run's output folder.

    Returns:
        benchmark → task → metric, in percent, on every process.
    """
    results: Results = {}
    own_words = model.vocabulary
    for benchmark in benchmarks:
        logger.info("Evaluating on %s: %d classes.", benchmark.name, len(benchmark.words))
        model.set_vocabulary(benchmark.words)
        results[benchmark.name] = inference_on_dataset(model, benchmark.loader, benchmark.evaluators)
    model.set_vocabulary(own_words)
    if results and distributed.is_main_process():
        path = folder / "inference" / "results.json"
        write_results(path, results, {name: evaluators.per_class for name, _, _, evaluators in benchmarks})
        logger.info("Results in percent:\n%s", results_table(results))
        logger.info("Results: %s", path)
    for benchmark in benchmarks:
        benchmark.evaluators.reset()  # until the next evaluation they need no memory
    return results


def flat_results(results: Results) -> dict[str, float]:
    """Return results under ``benchmark/task/metric``, for curves."""
    return {
        f"{benchmark}/{task}/{metric}": value
        for benchmark, tasks in results.items()
        for task, metrics in tasks.items()
        for metric, value in metrics.items()
    }


def _read_outs(cfg: Any) -> set[str]:
    test = cfg.MODEL.MASK_FORMER.TEST
    switches = {"semantic": test.SEMANTIC_ON, "instance": test.INSTANCE_ON, "panoptic": test.PANOPTIC_ON}
    chosen = {name for name, on in switches.items() if on}
    if not chosen:
        raise ConfigError(
            "Nothing to evaluate: MODEL.MASK_FORMER.TEST.SEMANTIC_ON, INSTANCE_ON and PANOPTIC_ON are all False."
        )
    return chosen
