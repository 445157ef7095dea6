"""Evaluation of one model on all benchmarks of a config, under the vocabulary and the protocol of each."""

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
from frozenseg.evaluation.image_counts import ImageCounts
from frozenseg.evaluation.panoptic_quality import PanopticQuality
from frozenseg.evaluation.prediction_files import PredictionWriter, build_prediction_writers
from frozenseg.evaluation.resume_log import ResumeLog, delete_resume_logs, read_kept_images, read_resume_logs
from frozenseg.evaluation.types import BenchmarkResults, ImageContributions, TaskResults
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
    """A data set to evaluate on, with its protocol and metrics."""

    name: str
    cfg: CfgNode  # model config with the protocol of the benchmark
    vocabulary: Vocabulary  # the prompted class names
    seen: tuple[bool, ...]  # one flag for each class of the vocabulary: seen in training
    dataset: EvalDataset
    evaluators: DatasetEvaluators
    metadata: Metadata
    classes: ClassTable  # the scored classes


def build_benchmarks(cfg: CfgNode, training: ResolvedDataset) -> list[Benchmark]:
    """Open all evaluation data sets of a config, so that missing files are reported before any long work.

    Args:
        cfg: reads DATASETS, the requested outputs, the keys of the evaluation loader, and TEST.SHUFFLE_CLASS_NAMES
            for the control: the model is prompted with shuffled class names and scored by the true ones.
        training: the data set that the model is trained on; it decides which classes count as seen.

    Raises:
        ConfigError: no output is requested, or an unknown rule for seen classes.
        DataError: a data set is unknown, or its files are missing.
    """
    datasets = [resolve_for_run(cfg, name) for name in dict.fromkeys(cfg.DATASETS.TEST)]
    configs = benchmark_configs(cfg, datasets)
    names = [dataset.metadata.name for dataset in datasets]
    if duplicates := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"Two data sets of DATASETS.TEST have the name {duplicates[0]}: add &name=… to one of them.")
    return [build_benchmark(*pair, training) for pair in zip(configs, datasets, strict=True)]


def build_benchmark(cfg: CfgNode, dataset: ResolvedDataset, training: ResolvedDataset) -> Benchmark:
    """Open one evaluation data set.

    Args:
        cfg: model config with the protocol of the benchmark.
        dataset: the data set to evaluate on.
        training: the data set that the model is trained on.

    Raises:
        ConfigError, DataError: see :func:`build_benchmarks`.
    """
    name, metadata, vocabulary = dataset.name, dataset.metadata, dataset.vocabulary
    output_kinds = requested_outputs(cfg)
    if "instance" in output_kinds and "panoptic" not in output_kinds and not all(vocabulary.isthing):
        raise ConfigError(
            f"{name} has classes that are not things, and with MODEL.MASK_FORMER.TEST.PANOPTIC_ON False the model "
            "returns instances of all classes, as in the released code: set it to True for AP of things."
        )
    annotations = metadata.json_file
    if "instance" in output_kinds and annotations and not Path(annotations).is_file():
        raise DataError(f"{name}: the instance annotations {annotations} do not exist; {metadata.prepare_command}.")
    seen = seen_classes(dataset, training, cfg.DATASETS.SEEN_RULE)
    prompted, prompted_seen = prompted_vocabulary(cfg, vocabulary, seen)
    if cfg.TEST.SHUFFLE_CLASS_NAMES:
        logger.warning("Control: every class of %s is prompted with the names of another class.", name)
    evaluators = build_evaluators(metadata, output_kinds, seen)
    classes = ClassTable.from_metadata(metadata, seen)
    eval_dataset = EvalDataset.open(cfg, dataset, output_kinds)
    check_samples([eval_dataset.opened], cfg.DATASETS.SKIP_BAD)
    return Benchmark(metadata.name, cfg, prompted, prompted_seen, eval_dataset, evaluators, metadata, classes)


def prompted_vocabulary(
    cfg: CfgNode, vocabulary: Vocabulary, seen: tuple[bool, ...]
) -> tuple[Vocabulary, tuple[bool, ...]]:
    """Return the class names to prompt a model with, shuffled for the control, and which of them count as seen.

    Args:
        cfg: reads TEST.SHUFFLE_CLASS_NAMES.
        vocabulary: class names of the data set.
        seen: one flag for each class.
    """
    if not cfg.TEST.SHUFFLE_CLASS_NAMES:
        return vocabulary, seen
    shuffled = vocabulary.shuffled(CONTROL_SEED)
    seen_by_names = dict(zip(vocabulary.classes, seen, strict=True))
    return shuffled, tuple(seen_by_names[names] for names in shuffled.classes)


def evaluate(
    model: SegmentationModel,
    benchmarks: Sequence[Benchmark],
    folder: Path,
    compare: bool = False,
    resume: bool | None = None,
    weights: str = "",
) -> dict[str, TaskResults]:
    """Evaluate a model on benchmarks; write the results to ``inference/`` and log the tables.

    Args:
        model: not wrapped for data parallelism; its vocabulary, inference settings and mode are restored afterwards.
        benchmarks: from :func:`build_benchmarks`.
        folder: output folder of the run.
        compare: add published results to the table.
        resume: True continues an interrupted evaluation; False starts one that can be resumed later; None starts one
            that cannot.
        weights: file of the weights, for the report.

    Returns:
        benchmark → task → metric, in percent, on every process.

    Raises:
        DataError: the interrupted evaluation had other weights or settings.
    """
    if not benchmarks:
        return {}
    identity = weights_of(model, weights)
    benchmark_results: dict[str, BenchmarkResult] = {}
    for benchmark in benchmarks:
        logger.info("Evaluating on %s: %d classes.", benchmark.name, len(benchmark.vocabulary))
        output_dir = folder / "inference" / benchmark.name
        with model.using(benchmark_settings(model, benchmark)):
            benchmark_results[benchmark.name] = _evaluate_benchmark(model, benchmark, identity, output_dir, resume)
    if distributed.is_main_process():
        write_benchmark_results(folder / "inference", benchmark_results, compare)
        for benchmark in benchmarks:
            delete_resume_logs(folder / "inference" / benchmark.name)
    for benchmark in benchmarks:
        benchmark.evaluators.reset()  # frees their memory until the next evaluation
    return {name: result.results for name, result in benchmark_results.items()}


def benchmark_settings(model: SegmentationModel, benchmark: Benchmark) -> InferenceSettings:
    """Return the inference settings of a benchmark, for :meth:`SegmentationModel.using`."""
    return inference_settings(model, benchmark.cfg, benchmark.vocabulary, benchmark.seen)


def inference_settings(
    model: SegmentationModel, cfg: CfgNode, vocabulary: Vocabulary, seen: Sequence[bool]
) -> InferenceSettings:
    """Return the inference settings of a config.

    Args:
        model: decides whether labels or scores are returned.
        cfg: reads the requested outputs and the ensemble.
        vocabulary: C classes.
        seen: one flag for each class.
    """
    return model.settings_for(vocabulary, seen, Postprocessor.from_config(cfg), EnsembleSettings.from_config(cfg))


def _evaluate_benchmark(
    model: SegmentationModel, benchmark: Benchmark, weights: dict[str, Any], output_dir: Path, resume: bool | None
) -> BenchmarkResult:
    """Evaluate on one benchmark, with a resume log in ``output_dir`` unless ``resume`` is None."""
    evaluators = benchmark.evaluators
    earlier: dict[str, Any] = {}
    gallery = Gallery(evaluators, benchmark.metadata)
    writers = _prediction_writers(benchmark, output_dir / "predictions", bool(resume))
    image_counts = _image_counts(benchmark)
    observers: list[Observer[ImageContributions]] = [gallery, *writers, *image_counts]
    with ExitStack() as stack:
        if resume is not None:
            fingerprint = result_fingerprint(benchmark, weights)
            earlier = _resumed_images(output_dir, fingerprint, resume)
            kept_images = list(read_kept_images(output_dir)) if distributed.is_main_process() else []
            distributed.barrier()  # no process writes before all have read
            log = stack.enter_context(closing(ResumeLog(output_dir, distributed.rank(), fingerprint)))
            gallery.restore(kept_images)
            gallery.on_added = log.write_kept_image
            observers.append(log)  # last, so that an image in the log was seen by all other observers
        read_ground_truth = functools.partial(read_ground_truths, evaluators.ground_truth_kinds)
        loader = benchmark.dataset.batches(read_ground_truth, earlier)
        resumed = earlier.values() if distributed.is_main_process() else ()
        results, seconds = inference_on_dataset(augmented(model, benchmark.cfg), loader, evaluators, observers, resumed)
    for writer in writers:
        writer.close()
    for counts in image_counts:
        counts.write(output_dir.with_name(f"{benchmark.name}_image_counts.json"), earlier)
    about_run = {
        "weights": weights,
        **about_protocol(benchmark.cfg, benchmark.classes, benchmark.vocabulary, evaluators),
        "images": sum(distributed.gather(gallery.images)) + len(earlier),
        "seconds": asdict(seconds),
    }
    per_class = evaluators.per_class
    return BenchmarkResult(results, per_class, benchmark.classes, benchmark.metadata, about_run, *gallery.merged())


def _prediction_writers(benchmark: Benchmark, folder: Path, resume: bool) -> list[PredictionWriter]:
    if not benchmark.cfg.TEST.SAVE_PREDICTIONS:
        return []
    logger.info("Predictions: %s", folder)
    return build_prediction_writers(
        benchmark.metadata, benchmark.evaluators, requested_outputs(benchmark.cfg), folder, resume
    )


def _image_counts(benchmark: Benchmark) -> list[ImageCounts]:
    """Return an observer for the counts of PQ; none if they are not requested or the benchmark has no PQ."""
    if not benchmark.cfg.TEST.SAVE_IMAGE_COUNTS:
        return []
    if not any(isinstance(evaluator, PanopticQuality) for evaluator in benchmark.evaluators.evaluators):
        logger.warning("TEST.SAVE_IMAGE_COUNTS: %s is not scored by PQ and has no counts.", benchmark.name)
        return []
    return [ImageCounts(benchmark.classes)]


def _resumed_images(output_dir: Path, fingerprint: dict[str, Any], resume: bool) -> dict[str, Any]:
    """Return the contributions of the images in the resume logs, by image; delete the logs unless ``resume``."""
    if not resume and distributed.is_main_process():
        delete_resume_logs(output_dir)
    distributed.barrier()
    images = read_resume_logs(output_dir, fingerprint)
    if resume:
        logger.info("--resume: %d images are evaluated already.", len(images))
    return images


def result_fingerprint(benchmark: Benchmark, weights: dict[str, Any]) -> dict[str, Any]:
    """Return all settings that the results depend on, by name; without file names and settings of speed.

    Args:
        benchmark: the benchmark.
        weights: from :func:`weights_of`.
    """
    return {
        **benchmark.cfg.select("result"),
        "weights": [weights["hash"], weights["frozen"], weights["precision"]],  # that `fast` has chosen
        "vocabulary": [list(names) for names in benchmark.vocabulary.classes],
        "seen classes": list(benchmark.seen),
        "metrics": [type(evaluator).__name__ for evaluator in benchmark.evaluators.evaluators],
    }


def flat_results(results: BenchmarkResults) -> dict[str, float]:
    """Return results with keys ``benchmark/task/metric``, for curves."""
    return {
        f"{benchmark}/{task}/{metric}": value
        for benchmark, tasks in results.items()
        for task, metrics in tasks.items()
        for metric, value in metrics.items()
    }


def requested_outputs(cfg: CfgNode) -> set[OutputKind]:
    """Return the kinds of output that a config requests.

    Raises:
        ConfigError: no output is requested.
    """
    switches = cfg.MODEL.MASK_FORMER.TEST
    kinds = {kind for kind in OUTPUT_KINDS if switches[f"{kind.upper()}_ON"]}
    if not kinds:
        raise ConfigError(f"Nothing to evaluate: {', '.join(map(switch_of, OUTPUT_KINDS))} are all False.")
    return kinds
