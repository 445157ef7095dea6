"""Run of ``tools/train_net.py``: trains or evaluates the model that a config describes."""

import os
import sys
from argparse import Namespace
from pathlib import Path

import torch

from frozenseg import distributed
from frozenseg.config import CfgNode, load_config
from frozenseg.data.batch_plan import BatchPlan
from frozenseg.device import pick_device
from frozenseg.engine.arguments import overrides
from frozenseg.engine.checkpoints.checkpoint_index import (
    CheckpointIndex,
    KeepPolicy,
    delete_checkpoint_index,
    delete_unfinished_checkpoints,
)
from frozenseg.engine.checkpoints.random_states import seed_everything
from frozenseg.engine.evaluation.runner import evaluate, flat_results
from frozenseg.engine.evaluation_run import run_evaluation
from frozenseg.engine.processes.launch import Processes, launch
from frozenseg.engine.setup import errors_in_log_file, prepare_folder, write_config
from frozenseg.engine.training.data_parallel import data_parallel
from frozenseg.engine.training.failure_messages import clear_failures
from frozenseg.engine.training.hooks import Evaluate
from frozenseg.engine.training.lr_schedule import describe_schedule
from frozenseg.engine.training.trainer import Trainer
from frozenseg.engine.training.writers import build_metric_writers
from frozenseg.engine.training_run import TrainingRun, run_hooks
from frozenseg.errors import CheckpointError, ConfigError
from frozenseg.evaluation.expected import check_results
from frozenseg.evaluation.types import TaskResults
from frozenseg.log import get_logger
from frozenseg.modeling.pretrained import weights_file
from frozenseg.output_paths import file_in_the_way
from frozenseg.registry import META_ARCH, PIXEL_DECODER, TRANSFORMER_DECODER

logger = get_logger(__name__)


def start(arguments: Namespace, cfg: CfgNode | None = None) -> int:
    """Run the command line of ``tools/train_net.py``; return the exit code.

    Args:
        arguments: from :func:`parse_arguments`.
        cfg: the resolved config; None to read that of the command line.

    Raises:
        FrozenSegError: a mistake that the user can correct.
    """
    if cfg is None:
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


def check(cfg: CfgNode, eval_only: bool) -> None:
    """Check the keys that a run needs, before it starts.

    Args:
        cfg: the resolved config.
        eval_only: True for an evaluation without training.

    Raises:
        ConfigError: no data set to train or evaluate on, an unknown part of the model, or a file in the way of a cache
            folder.
        CheckpointError: MODEL.WEIGHTS does not exist.
    """
    if not cfg.DATASETS.TRAIN:
        raise ConfigError("DATASETS.TRAIN is empty: name the data set with the classes that the model is trained on.")
    if eval_only and not cfg.DATASETS.TEST:
        raise ConfigError("DATASETS.TEST is empty: name the data sets to evaluate on.")
    META_ARCH.look_up(cfg.MODEL.META_ARCHITECTURE)
    PIXEL_DECODER.look_up(cfg.MODEL.SEM_SEG_HEAD.PIXEL_DECODER_NAME)
    TRANSFORMER_DECODER.look_up(cfg.MODEL.MASK_FORMER.TRANSFORMER_DECODER_NAME)
    KeepPolicy.from_config(cfg)
    caches = {"MODEL.TEXT_CACHE_DIR": cfg.MODEL.TEXT_CACHE_DIR, "TEST.SAM_MASK_CACHE": cfg.TEST.SAM_MASK_CACHE}
    for name, folder in caches.items():
        if folder and (obstacle := file_in_the_way(folder)):
            raise ConfigError(f"{name} is {folder!r}, which cannot be a folder ({obstacle}): choose another one.")
    if cfg.MODEL.WEIGHTS and not os.path.isfile(weights_file(cfg.MODEL.WEIGHTS)):
        raise CheckpointError(
            f"There is no checkpoint {cfg.MODEL.WEIGHTS}; give --weights the path of a file, or a name in "
            "`frozenseg models`."
        )


def run(cfg: CfgNode, eval_only: bool, resume: bool) -> int:
    """Train or evaluate as one of the processes; return the exit code.

    Args:
        cfg: the resolved config.
        eval_only: evaluate instead of training.
        resume: continue the training from the last checkpoint in OUTPUT_DIR, or an interrupted evaluation.

    Raises:
        FrozenSegError: a mistake that the user can correct.
    """
    torch.backends.cudnn.benchmark = cfg.CUDNN_BENCHMARK
    folder = prepare_folder(cfg)
    with errors_in_log_file():
        if eval_only:
            run_evaluation(cfg, folder, _newest_intact_checkpoint(folder) if resume else None, resume)
        else:
            _train(cfg, folder, resume)
    logger.info("Output folder: %s", folder)
    return 0


def _train(cfg: CfgNode, folder: Path, resume: bool) -> None:
    training = TrainingRun.from_config(cfg, folder, _checkpoint_to_resume(folder) if resume else None)
    _clean_folder(folder, training.is_resumed)
    write_config(training.cfg, folder, f"images a step: {BatchPlan.from_config(training.cfg)}")
    results = _evaluate_complete_run(training) if training.is_complete else _run_steps(training)
    if results is not None:
        check_results(training.expected, results)


def _checkpoint_to_resume(folder: Path) -> Path | None:
    path = _newest_intact_checkpoint(folder)
    if path is None:
        logger.warning("--resume: %s has no checkpoint to resume from; starting a fresh run.", folder)
    return path


def _newest_intact_checkpoint(folder: Path) -> Path | None:
    """Return the checkpoint that rank 0 selects, on all processes."""
    path: Path | None = CheckpointIndex(folder).newest_intact() if distributed.is_main_process() else None
    selected: list[Path | None] = distributed.gather(path)
    return selected[0]


def _clean_folder(folder: Path, is_resumed: bool) -> None:
    """Delete unfinished files of an interrupted run; in a fresh run also the index of earlier checkpoints."""
    distributed.barrier()
    if not distributed.is_main_process():
        return
    delete_unfinished_checkpoints(folder)
    if not is_resumed:
        delete_checkpoint_index(folder)


def _run_steps(training: TrainingRun) -> dict[str, TaskResults] | None:
    """Run the remaining steps; return the last results, empty without benchmarks, or None if stopped by a signal."""
    cfg, model = training.cfg, training.model
    _log_plan(training)
    seed_everything(cfg.SEED + distributed.rank())
    hooks = run_hooks(training)
    trainer = Trainer(
        data_parallel(model, model.device),
        training.loader,
        training.optimizer,
        steps=range(training.start_iteration, cfg.SOLVER.MAX_ITER),
        images_at_once=cfg.SOLVER.IMAGES_AT_ONCE,
        clip=training.clip,
        precision=training.precision,
        hooks=hooks,
    )
    with clear_failures(trainer, cfg):
        trainer.train()
    if trainer.stopped:
        logger.info("Stopped before the last step; continue with --resume.")
        return None
    return next((hook.results for hook in hooks if isinstance(hook, Evaluate)), {})


def _evaluate_complete_run(training: TrainingRun) -> dict[str, TaskResults]:
    """Write the final weights and evaluate, where the resumed run has no steps left."""
    cfg, checkpointer = training.cfg, training.checkpointer
    logger.info("%s has all %d steps: nothing is left to train.", checkpointer.last, cfg.SOLVER.MAX_ITER)
    checkpointer.save_final()  # the resumed run may have ended between its last checkpoint and this file
    weights = str(checkpointer.last)
    results = evaluate(training.model, training.benchmarks, checkpointer.folder, cfg.TEST.COMPARE, weights=weights)
    if checkpointer.lacks_results():
        _record_missed_scores(training, flat_results(results))
    return results


def _record_missed_scores(training: TrainingRun, scores: dict[str, float]) -> None:
    """Record the scores of the last checkpoint, where the resumed run ended before it could."""
    checkpointer = training.checkpointer
    checkpointer.record(scores)
    if scores and distributed.is_main_process():
        for writer in build_metric_writers(training.cfg, checkpointer.folder, training.start_iteration):
            writer.write(training.start_iteration, scores)
            writer.close()


def _log_plan(training: TrainingRun) -> None:
    cfg, model, images = training.cfg, training.model, training.loader.num_images
    solver, first_step = cfg.SOLVER, training.start_iteration + 1
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    total = sum(parameter.numel() for parameter in model.parameters())
    logger.info(
        "%s: %.2f of %.2f million parameters are trained on %s (%d images).",
        type(model).__name__,
        trained / 1e6,
        total / 1e6,
        ", ".join(cfg.DATASETS.TRAIN),
        images,
    )
    logger.info("Images a step: %s parts whose gradients are summed.", BatchPlan.from_config(cfg))
    logger.info(
        "Steps %d to %d (%.1f epochs), learning rate %g, %s.",
        first_step,
        solver.MAX_ITER,
        (solver.MAX_ITER - first_step + 1) * solver.IMS_PER_BATCH / images,
        solver.BASE_LR,
        describe_schedule(cfg, images),
    )
