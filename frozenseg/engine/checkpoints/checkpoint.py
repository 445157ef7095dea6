"""Checkpoints of a training run: atomic writing, safe reading, exact resumption.

A checkpoint has the trained tensors only; frozen encoders are identified by the hash of their weights. A checkpoint of
a training in progress also has the state of optimiser, gradient scaler and random generators.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from frozenseg import distributed
from frozenseg.config import values_from_text
from frozenseg.config.defaults import names_with_role
from frozenseg.engine.checkpoints import random_states
from frozenseg.engine.checkpoints.checkpoint_index import CheckpointIndex, KeepPolicy, warn_of_unknown_metric
from frozenseg.errors import CheckpointError
from frozenseg.log import get_logger
from frozenseg.modeling.checkpoint_file import read_checkpoint, write_checkpoint
from frozenseg.modeling.load_weights import checkpoint_content
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.modeling.weight_checks import count_non_finite

logger = get_logger(__name__)
FINAL = "model_final.pth"
STATE_ENTRIES = ("iteration", "optimizer", "optimizer_state", "scaler_state", "random_states")
CONFIG_OPTIONS = ("initial_lr", "weight_decay")  # of parameter groups: set by the config, not by the checkpoint


class Checkpointer:
    """Writer of a run's checkpoints, and restorer of optimiser, gradient scaler and random generators.

    Saving is collective: every process calls it, rank 0 writes.

    Args:
        folder: output folder of the run.
        model: model, not wrapped.
        optimizer: optimiser of its trainable parameters.
        scaler: gradient scaler of mixed precision.
        config: resolved config, YAML.
        seed: seed of the run.
        policy: rule for the checkpoints to keep.

    Attributes:
        last: newest checkpoint of the run, or the one that was resumed; None before the first one.
        resumed_at: steps of the earlier run that was resumed; 0 for a new run.
    """

    def __init__(
        self,
        folder: Path,
        model: SegmentationModel,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        config: str,
        seed: int,
        policy: KeepPolicy = KeepPolicy(),  # noqa: B008 (immutable)
    ) -> None:
        self.folder, self.model, self.optimizer, self.scaler = folder, model, optimizer, scaler
        self.config, self.seed, self.policy = config, seed, policy
        self.last: Path | None = None
        self.resumed_at = 0
        self._frozen: dict[str, str] | None = None
        self._random_states: dict[str, Any] | None = None

    def save(self, iteration: int, states: dict[str, Any] | None = None) -> Path:
        """Write a checkpoint to resume from, unless it is written already; return its file.

        Args:
            iteration: number of finished steps.
            states: states of this process's random generators after them; None for the current ones.

        Raises:
            CheckpointError: the file cannot be written; earlier checkpoints are not changed.
        """
        path = self.folder / f"model_{iteration:07d}.pth"
        if path == self.last:
            return path
        all_states = distributed.gather(random_states.random_states() if states is None else states)
        if distributed.is_main_process():
            trainer = {
                "iteration": iteration,
                "seed": self.seed,
                "optimizer": type(self.optimizer).__name__,
                "optimizer_state": self.optimizer.state_dict(),
                "scaler_state": self.scaler.state_dict(),
                "random_states": all_states,
            }
            write_checkpoint(path, {**self._content(), "trainer": trainer})
            self._add_to_index(path, iteration)
            logger.info("Checkpoint: %s", path)
        self.last = path
        return path

    def record(self, results: Mapping[str, float]) -> None:
        """Store the results of the last checkpoint in the index, and delete checkpoints that are not kept.

        Args:
            results: percent by ``benchmark/task/metric``.
        """
        if self.last is None or not distributed.is_main_process():
            return
        warn_of_unknown_metric(self.policy.best, results)
        index = CheckpointIndex(self.folder)
        index.record(self.last.name, results)
        index.prune(self.policy)

    def lacks_results(self) -> bool:
        """Return True if the resumed checkpoint has no results; False for a new run."""
        entries = CheckpointIndex(self.folder).entries if distributed.is_main_process() else {}
        lacks = self.last is not None and self.last.name in entries and not entries[self.last.name]["results"]
        return distributed.on_any_rank(lacks)

    def save_final(self) -> Path:
        """Write the trained tensors only, to keep and to share; return the file."""
        path = self.folder / FINAL
        if distributed.is_main_process():
            write_checkpoint(path, self._content())
            logger.info("Trained weights: %s", path)
        return path

    def resume(self, checkpoint: Mapping[str, Any], path: Path) -> None:
        """Restore optimiser and gradient scaler; :meth:`restore_random_states` restores the generators.

        Args:
            checkpoint: content with ``trainer``; its weights are in the model already.
            path: file of the checkpoint.

        Raises:
            CheckpointError: the checkpoint belongs to another optimiser.
        """
        state = checkpoint["trainer"]
        _check_state(state, path)
        if state["optimizer"] != type(self.optimizer).__name__:
            raise CheckpointError(
                f"{path} was trained with {state['optimizer']}, but the config selects "
                f"{type(self.optimizer).__name__}: resume with the same SOLVER.OPTIMIZER, or start from the checkpoint "
                "with --weights and without --resume."
            )
        options = [{key: group[key] for key in CONFIG_OPTIONS if key in group} for group in self.optimizer.param_groups]
        try:
            self.optimizer.load_state_dict(state["optimizer_state"])
        except ValueError as error:
            raise CheckpointError(
                f"The optimiser state of {path} has other parameter groups than the config: resume with the same "
                "SOLVER keys, or start from the checkpoint with --weights and without --resume."
            ) from error
        for group, values in zip(self.optimizer.param_groups, options, strict=True):
            group.update(values)
        if state["scaler_state"] and self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler_state"])
        self.last, self.resumed_at = path, state["iteration"]
        if distributed.is_main_process():
            CheckpointIndex(self.folder).drop_after(state["iteration"])
        processes = len(state["random_states"])
        if processes == distributed.world_size():
            self._random_states = state["random_states"][distributed.rank()]
        else:
            logger.warning(
                "The run had %d processes and has %d now: images and sampled points are the same, dropout differs.",
                processes,
                distributed.world_size(),
            )

    def restore_random_states(self) -> None:
        """Restore this process's random generators as the resumed run has left them; do nothing for a new run."""
        if self._random_states is not None:
            random_states.restore_random_states(self._random_states)

    def _add_to_index(self, path: Path, iteration: int) -> None:
        try:
            index = CheckpointIndex(self.folder)
            index.add(path.name, iteration)
            index.prune(self.policy)
        except OSError as error:
            raise CheckpointError(
                f"{path} was written, but the index of {self.folder} cannot be updated ({error}): make room there."
            ) from error

    def _content(self) -> dict[str, Any]:
        if self._frozen is None:
            self._frozen = self.model.frozen_hashes()
        return checkpoint_content(self.model, self._frozen, self.config)


def read_training_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint that training can be resumed from.

    Raises:
        CheckpointError: the file is missing or damaged, or has trained weights only.
    """
    checkpoint = read_checkpoint(path)
    if "trainer" not in checkpoint:
        raise CheckpointError(
            f"{path} has trained weights only, expected a checkpoint with optimiser state: use --weights without "
            "--resume."
        )
    return checkpoint


def _check_state(state: Mapping[str, Any], path: Path) -> None:
    """Raise CheckpointError if the state of a run lacks an entry, or if the optimiser's is not finite."""
    fresh = "start from the checkpoint with --weights and without --resume"
    if missing := [name for name in STATE_ENTRIES if name not in state]:
        raise CheckpointError(f"{path} lacks the entry {missing[0]!r} of its training state: {fresh}.")
    optimizer_state = state["optimizer_state"]
    per_weight = optimizer_state.get("state") if isinstance(optimizer_state, Mapping) else None
    if not isinstance(per_weight, Mapping):
        raise CheckpointError(f"{path} has a damaged optimiser state: {fresh}.")
    for index, values in per_weight.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and (bad := count_non_finite(value)):
                raise CheckpointError(
                    f"{path} has an optimiser state that is NaN or infinite: {bad:,} of the {value.numel():,} values "
                    f"of {name!r} of weight {index}. Resume from an earlier checkpoint, or {fresh}."
                )


def changed_keys(before: str, now: str) -> list[str]:
    """Return the sorted names of the keys that differ between two resolved configs and change what is learned.

    Args:
        before: YAML; may be of another version, with other keys.
        now: YAML.
    """
    ignored = names_with_role("start", "cost", "output")
    values_before, values_now = values_from_text(before, "checkpoint"), values_from_text(now, "config")
    names = sorted((values_before.keys() | values_now.keys()) - ignored)
    return [name for name in names if values_before.get(name) != values_now.get(name)]
