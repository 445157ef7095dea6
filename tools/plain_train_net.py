"""Train a model with the whole training loop in one file, to be copied and changed.

It has the same losses, configs and checkpoints as tools/train_net.py, and each script can resume a run of the other. It
has no evaluation during training, TensorBoard, logged images, dumps of bad steps, signal handling and SLURM support.

Examples:
    python tools/plain_train_net.py --config-file configs/toyworld/frozenseg_tiny.yaml OUTPUT_DIR output/plain
    torchrun --nproc-per-node 4 tools/plain_train_net.py --config-file CONFIG    # on four GPUs
    python tools/plain_train_net.py --config-file CONFIG --resume                # after an interruption
"""

# ruff: noqa: E402 (the command line is read before the slow imports, so that --help and mistakes are answered at once)
import argparse
from collections.abc import Iterable, Sequence

from frozenseg.cli.command_line import docstring_parser, run_script

PARSER = docstring_parser(__doc__)
PARSER.add_argument("--config-file", required=True, metavar="FILE", help="YAML config, for example from configs/")
PARSER.add_argument("--resume", action="store_true", help="resume the run in OUTPUT_DIR")
PARSER.add_argument("--strict", action="store_true", help="refuse objects without a mask; sets DATASETS.STRICT")
PARSER.add_argument("opts", nargs="*", metavar="KEY VALUE", help="config overrides, such as SEED 1")
if __name__ == "__main__":
    PARSER.parse_intermixed_args()

import math
import time
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from frozenseg import distributed
from frozenseg.config import CfgNode, load_config
from frozenseg.data.checks.before_run import check_samples
from frozenseg.data.loader import TrainDataset
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.data.training_classes import refuse_other_classes
from frozenseg.device import pick_device
from frozenseg.engine.checkpoints.checkpoint import Checkpointer, read_training_checkpoint
from frozenseg.engine.checkpoints.checkpoint_index import CheckpointIndex, KeepPolicy, delete_checkpoint_index
from frozenseg.engine.checkpoints.random_states import seed_everything
from frozenseg.engine.evaluation.runner import build_benchmarks, evaluate
from frozenseg.engine.processes.launch import Processes, launch
from frozenseg.engine.run import check
from frozenseg.engine.setup import prepare_folder, with_seed, write_config
from frozenseg.engine.training.data_parallel import data_parallel, without_gradient_sync
from frozenseg.engine.training.lr_schedule import build_lr_schedule
from frozenseg.engine.training.optimizer import build_gradient_clip, build_optimizer
from frozenseg.engine.training.precision import Precision
from frozenseg.engine.training.writers import JsonLines, summed_by_kind
from frozenseg.engine.training_run import build_initial_model
from frozenseg.log import get_logger
from frozenseg.modeling.checkpoint_file import read_checkpoint, trained_vocabulary
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.weights_layout import adopt_layout

logger = get_logger("frozenseg.plain")  # a child of the package's logger, so that it writes to the same log
Batch = list[dict[str, Any]]


def train(cfg: CfgNode, resume: bool) -> int:
    """Build everything, train and evaluate in one process of a group; returns the exit code."""
    folder = prepare_folder(cfg)
    newest = CheckpointIndex(folder).newest_intact() if resume and distributed.is_main_process() else None
    path = distributed.gather(newest)[0]
    checkpoint = read_training_checkpoint(path) if path else None
    done = checkpoint["trainer"]["iteration"] if checkpoint else 0
    cfg = with_seed(cfg, checkpoint["trainer"]["seed"] if checkpoint else None)

    # class names and data
    training = [resolve_for_run(cfg, name) for name in cfg.DATASETS.TRAIN]
    refuse_other_classes(cfg, trained_vocabulary(checkpoint or {}), training[0].vocabulary, str(path))
    benchmarks = build_benchmarks(cfg, training[0])
    train_set = TrainDataset.open(cfg, training)
    check_samples(train_set.parts, cfg.DATASETS.SKIP_BAD)
    loader = train_set.batches(start_iteration=done)
    del train_set  # the loader keeps a packed copy of the records

    # frozen CLIP and SAM, and the trained decoders; all processes start with the same weights
    weights = checkpoint or (read_checkpoint(cfg.MODEL.WEIGHTS) if cfg.MODEL.WEIGHTS else {})
    cfg = adopt_layout(cfg, weights.get("model", {}), path or cfg.MODEL.WEIGHTS)
    model = build_initial_model(cfg, training[0].vocabulary, path, weights)
    model.train()

    # optimiser, mixed precision, checkpoints
    optimizer, keep = build_optimizer(cfg, model), KeepPolicy.from_config(cfg)
    precision = Precision.from_config(cfg, model.device)
    checkpointer = Checkpointer(folder, model, optimizer, precision.scaler, cfg.dump(), cfg.SEED, keep)
    if checkpoint and path:
        checkpointer.resume(checkpoint, path)
    elif distributed.is_main_process():
        delete_checkpoint_index(folder)
    write_config(cfg, folder)

    loop(cfg, model, loader, optimizer, precision, checkpointer)
    evaluate(model, benchmarks, folder, cfg.TEST.COMPARE)
    logger.info("Output folder: %s", folder)
    return 0


def loop(
    cfg: CfgNode,
    model: MaskClassifier,
    loader: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    precision: Precision,
    checkpointer: Checkpointer,
) -> None:
    """Run the remaining steps."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    schedule, clip, scaler = build_lr_schedule(cfg), build_gradient_clip(cfg), precision.scaler
    done, parallel = checkpointer.resumed_at, data_parallel(model, model.device)
    lines = JsonLines(checkpointer.folder, done) if distributed.is_main_process() else None
    seed_everything(cfg.SEED + distributed.rank())
    for iteration, batch in zip(range(done, cfg.SOLVER.MAX_ITER), loader, strict=False):
        if iteration == done:
            checkpointer.restore_random_states()  # the start of the loader has drawn random numbers
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * schedule.factor(iteration)

        optimizer.zero_grad(set_to_none=True)
        losses = backward(parallel, batch, cfg.SOLVER.IMAGES_AT_ONCE, precision)
        scaler.unscale_(optimizer)
        norm = clip(parameters)
        if scaler.is_enabled() or math.isfinite(norm):  # all processes have the same gradient and decide alike
            scaler.step(optimizer)  # with float16 the scaler checks the gradient itself
            scaler.update()
        else:
            logger.warning("Step %d: the gradient is not finite, the step is skipped.", iteration + 1)

        last = iteration + 1 == cfg.SOLVER.MAX_ITER
        if iteration == 0 or last or is_due(cfg.LOG_PERIOD, iteration + 1):
            log_step(lines, iteration + 1, losses, optimizer, norm, time.perf_counter() - started)
        if last or is_due(cfg.SOLVER.CHECKPOINT_PERIOD, iteration + 1):
            checkpointer.save(iteration + 1)
    checkpointer.save_final()
    if lines is not None:
        lines.close()


def is_due(period: int, steps: int) -> bool:
    """Return True if the number of steps is a multiple of the period; False for period 0."""
    return period > 0 and steps % period == 0


def backward(model: nn.Module, batch: Batch, images_at_once: int, precision: Precision) -> dict[str, Tensor]:
    """Accumulate the gradients of a batch over micro-batches; returns the losses of the batch, detached."""
    masks_of_step = [len(element["instances"]) for element in batch]
    sums: dict[str, Tensor] = {}
    size = images_at_once or len(batch)  # of a micro-batch
    for first in range(0, len(batch), size):
        part = batch[first : first + size]
        with nullcontext() if first + size >= len(batch) else without_gradient_sync(model):
            with precision.autocast():
                losses = model(part) if len(part) == len(batch) else model(part, masks_of_step=masks_of_step)
            precision.scaler.scale(torch.stack(list(losses.values())).sum()).backward()  # type: ignore[no-untyped-call]
        for name, loss in losses.items():
            sums[name] = sums[name] + loss.detach() if name in sums else loss.detach()
    return sums


def log_step(
    lines: JsonLines | None,
    step: int,
    losses: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    norm: Tensor,
    seconds: float,
) -> None:
    """Log one line, with the losses averaged over all processes."""
    values = distributed.sum_over_ranks(torch.stack(list(losses.values())).float()) / distributed.world_size()
    kinds = summed_by_kind(dict(zip(losses, values.tolist(), strict=True)))
    total, rate = sum(kinds.values()), optimizer.param_groups[0]["lr"]
    parts = " ".join(f"{name.removeprefix('loss_')} {value:.3f}" for name, value in kinds.items())
    logger.info("step %d  loss %.3f (%s)  grad_norm %.3g  lr %.3g  %.2f s", step, total, parts, norm, rate, seconds)
    if lines is not None:
        lines.write(step, {"total_loss": total, **kinds, "lr": rate, "grad_norm": norm.item(), "time": seconds})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = PARSER.parse_intermixed_args(argv)
    return run_script(lambda: check_and_launch(arguments), "interrupted; resume with --resume")


def check_and_launch(arguments: argparse.Namespace) -> int:
    """Check the config and train in all processes that torchrun has started, or in one; returns the exit code."""
    strict = ["DATASETS.STRICT", "True"] if arguments.strict else []
    cfg = load_config(arguments.config_file, [*arguments.opts, *strict])
    check(cfg, eval_only=False)
    processes = Processes(cuda=pick_device(cfg.MODEL.DEVICE).type == "cuda")
    return launch(train, (cfg, arguments.resume), processes)


if __name__ == "__main__":
    raise SystemExit(main())
