"""All benchmarks of a config, one after the other, with one model: the words are swapped, the model stays."""

import functools
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from frozenseg import distributed
from frozenseg.config import CfgNode
from frozenseg.data.checks.before_run import check_samples
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.data.loader import EvalDataset
from frozenseg.data.metadata import Metadata
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.data.seen_classes import seen_classes
from frozenseg.engine.evaluation.protocol import benchmark_configs
from frozenseg.engine.evaluation.results import BenchmarkResult, about_protocol, weights_of, write_benchmark_results
from frozenseg.errors import ConfigError, DataError
from frozenseg.evaluation.build import build_evaluators
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.evaluator import DatasetEvaluators, Observer, inference_on_dataset
from frozenseg.evaluation.gallery import Gallery
from frozenseg.evaluation.ground_truth import read_ground_truths
from frozenseg.evaluation.prediction_files import PredictionWriter, build_prediction_writers
from frozenseg.evaluation.resume_log import ResumeLog, delete_resume_logs, read_kept_images, read_resume_logs
from frozenseg.evaluation.types import BenchmarkResults, TaskResults
from frozenseg.log import get_logger
from frozenseg.modeling.augmentation import augmented
from frozenseg.modeling.inference_settings import EnsembleSettings, InferenceSettings
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.structures.output_kinds import OUTPUT_KINDS, OutputKind, switch_of
from frozenseg.vocabulary import Vocabulary

logger = get_logger(__name__)
CONTROL_SEED = 0


class Benchmark(NamedTuple):
    """A test set, ready to run."""

    name: str
    cfg: CfgNode  # by which it is run
    words: Vocabulary  # what the model is asked for
    seen: tuple[bool, ...]  # which of them count as shown in training
    test_set: EvalDataset
    evaluators: DatasetEvaluators
    metadata: Metadata
    classes: ClassTable  # that are scored


def build_benchmarks(cfg: CfgNode, training: ResolvedDataset) -> list[Benchmark]:
    """Open every test set of a config, so that what is missing is known before any long work.

    Args:
        cfg: reads DATASETS, which read-outs are on, what the test loader reads, and TEST.SHUFFLE_CLASS_NAMES for
            the control: the model is asked for wrong words, and scored against the true ones.
        training: the data set that the model is trained on; decides which classes count as seen.

    Raises:
        ConfigError: no read-out is on, or an unknown rule for seen classes.
        DataError: a data set is unknown, or its files are missing.
    """
    datasets = [resolve_for_run(cfg, name) for name in dict.fromkeys(cfg.DATASETS.TEST)]
    configs = benchmark_configs(cfg, datasets)
    short = [dataset.metadata.name for dataset in datasets]
    if doubles := [name for name in short if short.count(name) > 1]:
        raise ConfigError(
            f"Two data sets of DATASETS.TEST go by the name {doubles[0]}: add &name=… to tell them apart."
        )
    return [build_benchmark(*pair, training) for pair in zip(configs, datasets, strict=True)]


def build_benchmark(cfg: CfgNode, dataset: ResolvedDataset, training: ResolvedDataset) -> Benchmark:
    """Open one test set.

    Args:
        cfg: by which it is run.
        dataset: to evaluate on.
        training: the data set that the model is trained on.

    Raises:
        ConfigError, DataError: see :func:`build_benchmarks`.
    """
    name, metadata, vocabulary = dataset.name, dataset.metadata, dataset.vocabulary
    output_kinds = requested_outputs(cfg)
    if "instance" in output_kinds and "panoptic" not in output_kinds and not all(vocabulary.isthing):
        raise ConfigError(
            f"{name} has classes that are not things, and where MODEL.MASK_FORMER.TEST.PANOPTIC_ON is False the "
            "instances are of all classes, as released: set it to True for AP of things."
        )
    annotations = metadata.json_file
    if "instance" in output_kinds and annotations and not Path(annotations).is_file():
        raise DataError(f"{name}: the instance annotations {annotations} do not exist; {metadata.prepare_command}.")
    seen = seen_classes(dataset, training, cfg.DATASETS.SEEN_RULE)
    words, flags = prompted_vocabulary(cfg, vocabulary, seen)
    if cfg.TEST.SHUFFLE_CLASS_NAMES:
        logger.warning("Control: every class of %s goes by another class's names.", name)
    evaluators = build_evaluators(metadata, output_kinds, seen)
    classes = ClassTable.from_metadata(metadata, seen)
    test_set = EvalDataset.open(cfg, dataset, output_kinds)
    check_samples([test_set.opened], cfg.DATASETS.SKIP_BAD)
    return Benchmark(metadata.name, cfg, words, flags, test_set, evaluators, metadata, classes)


def prompted_vocabulary(
    cfg: CfgNode, vocabulary: Vocabulary, seen: tuple[bool, ...]
) -> tuple[Vocabulary, tuple[bool, ...]]:
    """Return the words that a model is asked for and which of them count as seen; wrong ones for the control.

    Args:
        cfg: reads TEST.SHUFFLE_CLASS_NAMES.
        vocabulary: the words of the data set.
        seen: one flag a class.
    """
    if not cfg.TEST.SHUFFLE_CLASS_NAMES:
        return vocabulary, seen
    words = vocabulary.shuffled(CONTROL_SEED)
    of_names = dict(zip(vocabulary.classes, seen, strict=True))
    return words, tuple(of_names[names] for names in words.classes)  # the model believes the words


def evaluate(
    model: SegmentationModel,
    benchmarks: Sequence[Benchmark],
    folder: Path,
    compare: bool = False,
    resume: bool | None = None,
    weights: str = "",
) -> dict[str, TaskResults]:
    """Run a model over benchmarks; write the results under ``inference/`` and log the tables.

    Args:
        model: not wrapped; keeps its words, its outputs and its mode.
        benchmarks: from :func:`build_benchmarks`.
        folder: the run's output folder.
        compare: put published results into the table.
        resume: go on with an evaluation that was cut off. If False, begin afresh, so that one can go on with this one;
            if None, it cannot.
        weights: file that the model's weights come from, for the report.

    Returns:
        benchmark → task → metric, in percent, on every process.

    Raises:
        DataError: the evaluation that was cut off was another one.
    """
    if not benchmarks:
        return {}
    identity = weights_of(model, weights)
    benchmark_results: dict[str, BenchmarkResult] = {}
    for benchmark in benchmarks:
        logger.info("Evaluating on %s: %d classes.", benchmark.name, len(benchmark.words))
        place = folder / "inference" / benchmark.name
        with model.using(benchmark_settings(model, benchmark)):
            benchmark_results[benchmark.name] = _run(model, benchmark, identity, place, resume)
    if distributed.is_main_process():
        write_benchmark_results(folder / "inference", benchmark_results, compare)
        for benchmark in benchmarks:
            delete_resume_logs(folder / "inference" / benchmark.name)
    for benchmark in benchmarks:
        benchmark.evaluators.reset()  # until the next evaluation they need no memory
    return {name: outcome.results for name, outcome in benchmark_results.items()}


def benchmark_settings(model: SegmentationModel, benchmark: Benchmark) -> InferenceSettings:
    """Return the inference settings of a benchmark, for :meth:`SegmentationModel.using`."""
    return inference_settings(model, benchmark.cfg, benchmark.words, benchmark.seen)


def inference_settings(
    model: SegmentationModel, cfg: CfgNode, vocabulary: Vocabulary, seen: Sequence[bool]
) -> InferenceSettings:
    """Return the inference settings of a config.

    Args:
        model: decides whether labels or scores are returned.
        cfg: the requested outputs and the ensemble.
        vocabulary: C classes.
        seen: one flag a class.
    """
    return model.settings_for(vocabulary, seen, Postprocessor.from_config(cfg), EnsembleSettings.from_config(cfg))


def _run(
    model: SegmentationModel, benchmark: Benchmark, weights: dict[str, Any], place: Path, resume: bool | None
) -> BenchmarkResult:
    """Run one benchmark, with a journal in the folder ``place`` unless ``resume`` is None."""
    evaluators = benchmark.evaluators
    earlier: dict[str, Any] = {}
    gallery = Gallery(evaluators, benchmark.metadata)
    writers = _writers(benchmark, place / "predictions", bool(resume))
    observers: list[Observer] = [gallery, *writers]
    with ExitStack() as stack:
        if resume is not None:
            about = _what_counts(benchmark, weights)
            earlier = _earlier(place, about, resume)
            kept = list(read_kept_images(place)) if distributed.is_main_process() else []
            distributed.barrier()  # nobody writes before all have read
            journal = stack.enter_context(closing(ResumeLog(place, distributed.rank(), about)))
            gallery.restore(kept)
            gallery.on_added = journal.write_kept_image
            observers.append(journal)  # the last one, so that what it has noted has been seen by all
        loader = benchmark.test_set.batches(
            functools.partial(read_ground_truths, evaluators.ground_truth_kinds), earlier
        )
        mine = earlier.values() if distributed.is_main_process() else ()
        runner = augmented(model, benchmark.cfg)
        results, seconds = inference_on_dataset(runner, loader, evaluators, observers, mine)
    for writer in writers:
        writer.close()
    about_run = {
        "weights": weights,
        **about_protocol(benchmark.cfg, benchmark.classes, benchmark.words, evaluators),
        "images": sum(distributed.gather(gallery.images)) + len(earlier),
        "seconds": asdict(seconds),
    }
    per_class = evaluators.per_class
    return BenchmarkResult(results, per_class, benchmark.classes, benchmark.metadata, about_run, *gallery.merged())


def _writers(benchmark: Benchmark, folder: Path, resume: bool) -> list[PredictionWriter]:
    if not benchmark.cfg.TEST.SAVE_PREDICTIONS:
        return []
    logger.info("Predictions are written to %s", folder)
    return build_prediction_writers(
        benchmark.metadata, benchmark.evaluators, requested_outputs(benchmark.cfg), folder, resume
    )


def _earlier(place: Path, about: dict[str, Any], resume: bool) -> dict[str, Any]:
    """Return what an evaluation that was cut off has found, by image; without ``resume`` it is forgotten."""
    if not resume and distributed.is_main_process():
        delete_resume_logs(place)
    distributed.barrier()
    earlier = read_resume_logs(place, about)
    if resume:
        logger.info("--resume: %d images have been evaluated before.", len(earlier))
    return earlier


def _what_counts(benchmark: Benchmark, weights: dict[str, Any]) -> dict[str, Any]:
    """Return what results depend on, by name; file names and speed are left out."""
    return {
        **benchmark.cfg.select("result"),
        "weights": [weights["hash"], weights["frozen"]],
        "words": [list(names) for names in benchmark.words.classes],
        "seen classes": list(benchmark.seen),
        "metrics": [type(evaluator).__name__ for evaluator in benchmark.evaluators.evaluators],
    }


def flat_results(results: BenchmarkResults) -> dict[str, float]:
    """Return results under ``benchmark/task/metric``, for curves."""
    return {
        f"{benchmark}/{task}/{metric}": value
        for benchmark, tasks in results.items()
        for task, metrics in tasks.items()
        for metric, value in metrics.items()
    }


def requested_outputs(cfg: CfgNode) -> set[OutputKind]:
    """Return the kinds of output that a config switches on.

    Raises:
        ConfigError: none is on.
    """
    switches = cfg.MODEL.MASK_FORMER.TEST
    kinds = {kind for kind in OUTPUT_KINDS if switches[f"{kind.upper()}_ON"]}
    if not kinds:
        raise ConfigError(f"Nothing to evaluate: {', '.join(map(switch_of, OUTPUT_KINDS))} are all False.")
    return kinds
