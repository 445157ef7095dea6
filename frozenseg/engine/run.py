"""From the command line to the end of a run: builds the parts that a config names and sets them to work."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from frozenseg import distributed
from frozenseg.config import CfgNode, load_config
from frozenseg.data.batch_plan import BatchPlan
from frozenseg.data.checks.before_run import check_samples, write_contact_sheets
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.data.loader import CheckedLoader, TrainDataset
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.device import pick_device
from frozenseg.engine.arguments import overrides
from frozenseg.engine.checkpoints.checkpoint import Checkpointer, changed_keys, read_training_checkpoint
from frozenseg.engine.checkpoints.checkpoint_index import (
    CheckpointIndex,
    KeepPolicy,
    clear_unfinished,
    forget_checkpoints,
)
from frozenseg.engine.checkpoints.random_states import seed_everything
from frozenseg.engine.evaluation.preview import Preview
from frozenseg.engine.evaluation.runner import Benchmark, build_benchmarks, evaluate, flat_results
from frozenseg.engine.processes.launch import Processes, launch
from frozenseg.engine.processes.preemption import StopOnSignal
from frozenseg.engine.setup import errors_in_log_file, prepare_folder, with_seed, write_config
from frozenseg.engine.training.bad_steps import BadSteps, StepDump
from frozenseg.engine.training.data_parallel import data_parallel
from frozenseg.engine.training.failure_messages import clear_failures
from frozenseg.engine.training.hooks import (
    DrawPreview,
    Evaluate,
    LogMetrics,
    ProgressBar,
    SaveCheckpoints,
    SetLearningRate,
)
from frozenseg.engine.training.lr_schedule import LearningRateSchedule, build_lr_schedule, describe_schedule
from frozenseg.engine.training.optimizer import build_gradient_clip, build_optimizer
from frozenseg.engine.training.precision import Precision
from frozenseg.engine.training.trainer import Hook, Trainer
from frozenseg.engine.training.writers import build_metric_writers
from frozenseg.errors import CheckpointError, ConfigError
from frozenseg.evaluation.expected import check_results, read_expected
from frozenseg.log import get_logger
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import weights_file
from frozenseg.modeling.load_weights import load_trained
from frozenseg.vocabulary import Vocabulary

logger = get_logger(__name__)


def start(arguments: Namespace) -> int:
    """Do what the command line of ``tools/train_net.py`` asks for; returns the exit code.

    Raises:
        FrozenSegError: a mistake that the user can mend.
    """
    cfg = load_config(arguments.config_file, overrides(arguments))
    if arguments.print_config:
        sys.stdout.write(cfg.describe())
        return 0
    check(cfg, arguments.eval_only)
    processes = Processes(
        per_machine=arguments.num_gpus,
        machines=arguments.num_machines,
        machine_rank=arguments.machine_rank,
        url=arguments.dist_url,
        cuda=pick_device(cfg.MODEL.DEVICE).type == "cuda",
    )
    return launch(run, (cfg, arguments.eval_only, arguments.resume), processes)


def check(cfg: Any, eval_only: bool) -> None:
    """Refuse what cannot work, as far as the config alone tells.

    Raises:
        ConfigError: no data set to train or evaluate on, or a wrong rule for checkpoints.
        CheckpointError: MODEL.WEIGHTS does not exist.
    """
    if not cfg.DATASETS.TRAIN:
        raise ConfigError("DATASETS.TRAIN is empty: name the data set whose classes the model is trained on.")
    if eval_only and not cfg.DATASETS.TEST:
        raise ConfigError("DATASETS.TEST is empty: name the data sets to evaluate on.")
    KeepPolicy.from_config(cfg)
    if cfg.MODEL.WEIGHTS and not weights_file(cfg.MODEL.WEIGHTS).is_file():
        raise CheckpointError(f"There is no checkpoint {cfg.MODEL.WEIGHTS}; give --weights the path of a file.")


def run(cfg: Any, eval_only: bool, resume: bool) -> int:
    """Train or evaluate, as one of the processes; returns the exit code.

    Args:
        cfg: the resolved config.
        eval_only: evaluate instead of training.
        resume: begin from the last checkpoint of OUTPUT_DIR, and go on with an evaluation that was cut off.
    """
    torch.backends.cudnn.benchmark = cfg.CUDNN_BENCHMARK
    folder = prepare_folder(cfg)
    with errors_in_log_file():
        if eval_only:
            _evaluate_only(cfg, folder, resume)
        else:
            _train(cfg, folder, _checkpoint_to_resume(folder) if resume else None)
    logger.info("Output folder: %s", folder)
    return 0


def _checkpoint_to_resume(folder: Path) -> Path | None:
    path = _newest_whole_checkpoint(folder)
    if path is None:
        logger.warning("--resume: there is nothing to resume in %s; starting afresh.", folder)
    return path


def _newest_whole_checkpoint(folder: Path) -> Path | None:
    """Let rank 0 look, and all processes take what it has found."""
    return distributed.gather(CheckpointIndex(folder).newest_whole() if distributed.is_main_process() else None)[0]


def _evaluate_only(cfg: Any, folder: Path, resume: bool) -> None:
    checkpoint = _newest_whole_checkpoint(folder) if resume else None
    cfg = with_seed(cfg, None)
    write_config(cfg, folder)
    training = resolve_for_run(cfg, cfg.DATASETS.TRAIN[0])
    vocabulary = training.vocabulary
    benchmarks = build_benchmarks(cfg, training)
    write_contact_sheets([benchmark.dataset.opened for benchmark in benchmarks], folder / "data")
    if checkpoint is None and not cfg.MODEL.WEIGHTS:
        logger.warning("No weights are given (--weights FILE): the model that is evaluated is untrained.")
    expected = read_expected(cfg.TEST.EXPECTED_RESULTS, [benchmark.name for benchmark in benchmarks])
    model, weights = _build_model(cfg, vocabulary, checkpoint), str(checkpoint or cfg.MODEL.WEIGHTS)
    check_results(expected, evaluate(model, benchmarks, folder, cfg.TEST.COMPARE, resume, weights))


def _train(cfg: Any, folder: Path, path: Path | None) -> None:
    checkpoint = None if path is None else read_training_checkpoint(path)
    done = 0 if checkpoint is None else checkpoint["trainer"]["iteration"]
    cfg = with_seed(cfg, None if checkpoint is None else checkpoint["trainer"]["seed"])
    schedule, clip = build_lr_schedule(cfg), build_gradient_clip(cfg)
    training = [resolve_for_run(cfg, name) for name in cfg.DATASETS.TRAIN]
    vocabulary = training[0].vocabulary
    benchmarks = build_benchmarks(cfg, training[0])
    expected = read_expected(cfg.TEST.EXPECTED_RESULTS, [benchmark.name for benchmark in benchmarks])
    loader = _open_training(cfg, training, benchmarks, folder).batches(start_iteration=done)

    model = _build_model(cfg, vocabulary, path)
    optimizer = build_optimizer(cfg, model)
    device = next(model.parameters()).device
    precision = Precision.from_config(cfg, device)
    checkpointer = Checkpointer(
        folder, model, optimizer, precision.scaler, cfg.dump(), cfg.SEED, KeepPolicy.from_config(cfg)
    )
    if checkpoint is not None and path is not None:
        checkpointer.resume(checkpoint, path)
        _tell_changes(checkpoint["config"], cfg.dump())
    _take_over(folder, resumed=path is not None)
    write_config(cfg, folder, f"images a step: {BatchPlan.from_config(cfg)}")
    if done >= cfg.SOLVER.MAX_ITER:
        logger.info("%s has all %d steps already: nothing is left to train.", path, cfg.SOLVER.MAX_ITER)
        checkpointer.save_final()  # the run may have ended between its last checkpoint and this file
        results = evaluate(model, benchmarks, folder, cfg.TEST.COMPARE, weights=str(path))
        if checkpointer.lacks_results():
            _record(cfg, checkpointer, flat_results(results))
        check_results(expected, results)
        return

    _tell_plan(cfg, model, done, loader.num_images)
    seed_everything(cfg.SEED + distributed.rank())
    latest: dict[str, Any] = {}
    trainer = Trainer(
        data_parallel(model, device),
        loader,
        optimizer,
        steps=range(done, cfg.SOLVER.MAX_ITER),
        images_at_once=cfg.SOLVER.IMAGES_AT_ONCE,
        clip=clip,
        precision=precision,
        hooks=_hooks(_Parts(cfg, model, loader, optimizer, precision, benchmarks, checkpointer), schedule, latest),
    )
    with clear_failures(trainer, cfg):
        trainer.train()
    if trainer.stopped:
        logger.info("Stopped before the end; --resume goes on with it.")
    else:
        check_results(expected, latest)


def _open_training(
    cfg: CfgNode, training: Sequence[ResolvedDataset], benchmarks: Sequence[Benchmark], folder: Path
) -> TrainDataset:
    """Open and check the data sets that are trained on; draw contact sheets of all data sets of the run."""
    train_set = TrainDataset.open(cfg, training)
    check_samples(train_set.parts, cfg.DATASETS.SKIP_BAD)
    opened = [*(benchmark.dataset.opened for benchmark in benchmarks), *train_set.parts]
    write_contact_sheets(opened, folder / "data")
    return train_set


class _Parts(NamedTuple):
    """What a training consists of."""

    cfg: Any
    model: nn.Module  # not wrapped
    loader: CheckedLoader
    optimizer: torch.optim.Optimizer
    precision: Precision
    benchmarks: Sequence[Benchmark]
    checkpointer: Checkpointer


def _hooks(parts: _Parts, schedule: LearningRateSchedule, latest: dict[str, Any]) -> list[Hook]:
    """Return what happens around the steps, in order; evaluations leave their results in ``latest``."""
    cfg, model, loader, _, _, benchmarks, checkpointer = parts
    folder, main = checkpointer.folder, distributed.is_main_process()
    stop, bad = StopOnSignal(), BadSteps(cfg.SOLVER.MAX_BAD_STEPS, StepDump(folder, model, cfg.dump()))
    writers = build_metric_writers(cfg, folder, checkpointer.resumed_at) if main else []

    def more() -> dict[str, float]:
        images = distributed.sum_over_ranks(torch.tensor(float(loader.bad)))
        return {**model.criterion.statistics.take(), **bad.counts(), "bad_images": int(images)}

    log = LogMetrics(writers, model.device, cfg.LOG_PERIOD, more)

    def evaluate_now(iteration: int) -> dict[str, Any]:
        with stop.at_once():
            latest.update(evaluate(model, benchmarks, folder, cfg.TEST.COMPARE))
        results = flat_results(latest)
        log.write(iteration, results)
        checkpointer.record(results)
        return latest

    hooks: list[Hook] = [SetLearningRate(schedule), bad, stop, log]
    if benchmarks:
        hooks.append(SaveCheckpoints(checkpointer, cfg.SOLVER.CHECKPOINT_PERIOD, cfg.TEST.EVAL_PERIOD))
        hooks.append(Evaluate(evaluate_now, cfg.TEST.EVAL_PERIOD, missed=checkpointer.lacks_results()))
    else:
        hooks.append(SaveCheckpoints(checkpointer, cfg.SOLVER.CHECKPOINT_PERIOD))
    if benchmarks and cfg.LOG_PICTURE_PERIOD > 0:
        hooks.append(DrawPreview(Preview(model, benchmarks[0]), folder, writers, cfg.LOG_PICTURE_PERIOD))
    hooks.append(ProgressBar(model.device, quiet=not (main and sys.stderr.isatty())))
    return hooks


def _record(cfg: Any, checkpointer: Checkpointer, results: dict[str, float]) -> None:
    """Write down what the last checkpoint has scored, where the run was cut off before it could."""
    checkpointer.record(results)
    if results and distributed.is_main_process():
        for writer in build_metric_writers(cfg, checkpointer.folder, checkpointer.resumed_at):
            writer.write(checkpointer.resumed_at, results)
            writer.close()


def _build_model(cfg: Any, vocabulary: Vocabulary, resumed: Path | None) -> nn.Module:
    seed_everything(cfg.SEED)  # the same on all processes, so that they begin with the same weights
    model = build_model(cfg, vocabulary)
    model.return_labels()  # all that the evaluators look at
    if resumed is not None:
        load_trained(model, resumed)
    elif cfg.MODEL.WEIGHTS:
        load_trained(model, cfg.MODEL.WEIGHTS, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS)
    return model.to(pick_device(cfg.MODEL.DEVICE))


def _take_over(folder: Path, resumed: bool) -> None:
    distributed.barrier()
    if not distributed.is_main_process():
        return
    clear_unfinished(folder)
    if not resumed:
        forget_checkpoints(folder)


def _tell_changes(before: str, now: str) -> None:
    if changed := changed_keys(before, now):
        logger.warning("The config has changed since the checkpoint: %s.", ", ".join(changed))


def _tell_plan(cfg: Any, model: nn.Module, done: int, pictures: int) -> None:
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    everything = sum(parameter.numel() for parameter in model.parameters())
    solver = cfg.SOLVER
    logger.info(
        "%s: %.2f of %.2f million parameters are trained on %s (%d images).",
        type(model).__name__,
        trained / 1e6,
        everything / 1e6,
        ", ".join(cfg.DATASETS.TRAIN),
        pictures,
    )
    logger.info("Images a step: %s parts whose gradients are summed.", BatchPlan.from_config(cfg))
    logger.info(
        "Steps %d to %d (%.1f epochs), learning rate %g, %s.",
        done + 1,
        solver.MAX_ITER,
        (solver.MAX_ITER - done) * solver.IMS_PER_BATCH / pictures,
        solver.BASE_LR,
        describe_schedule(cfg, pictures),
    )
