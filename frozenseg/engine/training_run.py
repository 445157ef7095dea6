"""Training run: its parts, built from a config and the checkpoint to resume, and its hooks in order."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from frozenseg import distributed
from frozenseg.config import CfgNode
from frozenseg.data.checks.before_run import check_samples, write_contact_sheets
from frozenseg.data.loader import CheckedLoader, TrainDataset
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.data.training_classes import refuse_other_classes
from frozenseg.device import pick_device
from frozenseg.engine.checkpoints.checkpoint import Checkpointer, changed_keys, read_training_checkpoint
from frozenseg.engine.checkpoints.checkpoint_index import KeepPolicy
from frozenseg.engine.checkpoints.random_states import seed_everything
from frozenseg.engine.evaluation.preview import Preview
from frozenseg.engine.evaluation.runner import Benchmark, build_benchmarks, evaluate, flat_results
from frozenseg.engine.processes.preemption import StopOnSignal
from frozenseg.engine.setup import with_seed
from frozenseg.engine.training.bad_steps import BadSteps, StepDump
from frozenseg.engine.training.hooks import (
    DrawPreview,
    Evaluate,
    LogMetrics,
    ProgressBar,
    SaveCheckpoints,
    SetLearningRate,
)
from frozenseg.engine.training.lr_schedule import LearningRateSchedule, build_lr_schedule
from frozenseg.engine.training.optimizer import GradientClip, build_gradient_clip, build_optimizer
from frozenseg.engine.training.precision import Precision
from frozenseg.engine.training.trainer import Hook
from frozenseg.engine.training.writers import build_metric_writers
from frozenseg.evaluation.expected import ExpectedScore, read_expected
from frozenseg.evaluation.types import TaskResults
from frozenseg.log import get_logger
from frozenseg.modeling.acceleration import on_device
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import read_checkpoint, trained_vocabulary
from frozenseg.modeling.load_weights import load_checkpoint
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.weights_layout import adopt_layout
from frozenseg.vocabulary import Vocabulary

logger = get_logger(__name__)
HOOK_ORDER: tuple[type[Hook], ...] = (
    SetLearningRate,  # the only hook that changes the step itself
    BadSteps,  # before LogMetrics, which logs its counts; its error must come before the checkpoint of a bad step
    StopOnSignal,  # before SaveCheckpoints and Evaluate, which read whether it has stopped training
    LogMetrics,  # before SaveCheckpoints: a resumed run has a line for every step that it does not repeat
    SaveCheckpoints,  # before Evaluate: no step is lost with an evaluation, and scores belong to a checkpoint
    Evaluate,  # before DrawPreview: a failed drawing loses no scores
    DrawPreview,
    ProgressBar,  # advances when all other work of the step is done
)
"""Order in which the hooks of a run are called after a step; they are closed in reverse order."""


@dataclass(frozen=True)
class TrainingRun:
    """Parts of a training run.

    Attributes:
        cfg: the resolved config, with a seed.
        model: on its device, with the weights to start from; not wrapped for data parallelism.
        loader: batches of this process, from the first step to run.
        optimizer: over the trainable parameters.
        schedule: of the learning rate.
        clip: clips the gradients.
        precision: mixed precision and its gradient scaler.
        benchmarks: to evaluate on.
        expected: scores that the final evaluation is compared with.
        checkpointer: writes the checkpoints; knows the one that the run resumes from.
    """

    cfg: CfgNode
    model: MaskClassifier
    loader: CheckedLoader
    optimizer: torch.optim.Optimizer
    schedule: LearningRateSchedule
    clip: GradientClip
    precision: Precision
    benchmarks: Sequence[Benchmark]
    expected: Sequence[ExpectedScore]
    checkpointer: Checkpointer

    @classmethod
    def from_config(cls, cfg: CfgNode, folder: Path, checkpoint_path: Path | None) -> "TrainingRun":
        """Build the parts, after all checks of config and data.

        Args:
            cfg: the whole config.
            folder: output folder of the run.
            checkpoint_path: checkpoint to resume from; None for a fresh run.

        Raises:
            FrozenSegError: a mistake in the config, missing data, or a checkpoint that does not fit.
        """
        checkpoint = None if checkpoint_path is None else read_training_checkpoint(checkpoint_path)
        start_iteration = 0 if checkpoint is None else checkpoint["trainer"]["iteration"]
        cfg = with_seed(cfg, None if checkpoint is None else checkpoint["trainer"]["seed"])
        schedule, clip = build_lr_schedule(cfg), build_gradient_clip(cfg)
        datasets = [resolve_for_run(cfg, name) for name in cfg.DATASETS.TRAIN]
        if checkpoint is not None:
            refuse_other_classes(cfg, trained_vocabulary(checkpoint), datasets[0].vocabulary, str(checkpoint_path))
        benchmarks = build_benchmarks(cfg, datasets[0])
        expected = read_expected(cfg.TEST.EXPECTED_RESULTS, [benchmark.name for benchmark in benchmarks])
        train_dataset = TrainDataset.open(cfg, datasets)
        check_samples(train_dataset.parts, cfg.DATASETS.SKIP_BAD)
        opened = [*(benchmark.dataset.opened for benchmark in benchmarks), *train_dataset.parts]
        write_contact_sheets(opened, folder / "data")
        loader = train_dataset.batches(start_iteration)

        initial = read_checkpoint(cfg.MODEL.WEIGHTS) if checkpoint is None and cfg.MODEL.WEIGHTS else checkpoint or {}
        cfg = adopt_layout(cfg, initial.get("model", {}), checkpoint_path or cfg.MODEL.WEIGHTS)
        model = build_initial_model(cfg, datasets[0].vocabulary, checkpoint_path, initial)
        optimizer = build_optimizer(cfg, model)
        precision = Precision.from_config(cfg, model.device)
        policy = KeepPolicy.from_config(cfg)
        checkpointer = Checkpointer(folder, model, optimizer, precision.scaler, cfg.dump(), cfg.SEED, policy)
        if checkpoint is not None and checkpoint_path is not None:
            checkpointer.resume(checkpoint, checkpoint_path)
            if changed := changed_keys(checkpoint["config"], cfg.dump()):
                logger.warning("The config has changed since the checkpoint: %s.", ", ".join(changed))
        return cls(cfg, model, loader, optimizer, schedule, clip, precision, benchmarks, expected, checkpointer)

    @property
    def start_iteration(self) -> int:
        """Number of steps that the resumed run has done; 0 for a fresh run."""
        return self.checkpointer.resumed_at

    @property
    def is_resumed(self) -> bool:
        """True if the run resumes from a checkpoint."""
        return self.checkpointer.last is not None

    @property
    def is_complete(self) -> bool:
        """True if the resumed run has done all steps."""
        return self.start_iteration >= int(self.cfg.SOLVER.MAX_ITER)


def build_initial_model(
    cfg: CfgNode, vocabulary: Vocabulary, checkpoint_path: Path | None, checkpoint: Mapping[str, Any]
) -> MaskClassifier:
    """Build the model on its device, with the weights that a run starts from.

    Args:
        cfg: the whole config; MODEL.WEIGHTS are the weights of a fresh run.
        vocabulary: training vocabulary.
        checkpoint_path: checkpoint to resume from; None for a fresh run.
        checkpoint: content of the file with the weights; empty for none.

    Raises:
        FrozenSegError: a mistake in the config, or weights that do not fit.
    """
    seed_everything(cfg.SEED)  # equal on all processes, so that they start with equal weights
    model = build_model(cfg, vocabulary)
    model.return_labels()  # the evaluators need no score for each class
    path = checkpoint_path or cfg.MODEL.WEIGHTS
    if path:
        allow_partial = checkpoint_path is None and cfg.MODEL.ALLOW_PARTIAL_WEIGHTS
        load_checkpoint(model, checkpoint, path, allow_partial=allow_partial)
    return on_device(model, cfg, pick_device(cfg.MODEL.DEVICE))


def run_hooks(run: TrainingRun) -> list[Hook]:
    """Build the hooks of a run, in the order of ``HOOK_ORDER``.

    Args:
        run: the parts of the run.
    """
    cfg, model, checkpointer = run.cfg, run.model, run.checkpointer
    is_main = distributed.is_main_process()
    writers = build_metric_writers(cfg, checkpointer.folder, run.start_iteration) if is_main else []
    stop = StopOnSignal()
    bad_steps = BadSteps(cfg.SOLVER.MAX_BAD_STEPS, StepDump(checkpointer.folder, model, cfg.dump()))
    log = LogMetrics(writers, model.device, cfg.LOG_PERIOD, partial(_training_statistics, run, bad_steps))
    progress_bar = ProgressBar(model.device, quiet=not (is_main and sys.stderr.isatty()))
    hooks: list[Hook] = [SetLearningRate(run.schedule), bad_steps, stop, log, progress_bar]
    checkpoint_periods = [cfg.SOLVER.CHECKPOINT_PERIOD]
    if run.benchmarks:
        evaluate_step = partial(_evaluate_step, run, stop, log)
        hooks.append(Evaluate(evaluate_step, cfg.TEST.EVAL_PERIOD, missed=checkpointer.lacks_results()))
        checkpoint_periods.append(cfg.TEST.EVAL_PERIOD)
        if cfg.LOG_PICTURE_PERIOD > 0:
            preview = Preview(model, run.benchmarks[0])
            hooks.append(DrawPreview(preview, checkpointer.folder, writers, cfg.LOG_PICTURE_PERIOD))
    hooks.append(SaveCheckpoints(checkpointer, *checkpoint_periods))
    return sorted(hooks, key=lambda hook: HOOK_ORDER.index(type(hook)))


def _training_statistics(run: TrainingRun, bad_steps: BadSteps) -> dict[str, float]:
    """Return the statistics of the matching and the counts of bad steps and images, over all processes."""
    bad_images = distributed.sum_over_ranks(torch.tensor(float(run.loader.num_skipped)))
    return {**run.model.criterion.statistics.take(), **bad_steps.counts(), "bad_images": int(bad_images)}


def _evaluate_step(run: TrainingRun, stop: StopOnSignal, log: LogMetrics, iteration: int) -> dict[str, TaskResults]:
    """Evaluate, and record the scores in the metrics and for the checkpoint of this step."""
    with stop.at_once():
        results = evaluate(run.model, run.benchmarks, run.checkpointer.folder, run.cfg.TEST.COMPARE)
    scores = flat_results(results)
    log.write(iteration, scores)
    run.checkpointer.record(scores)
    return results
