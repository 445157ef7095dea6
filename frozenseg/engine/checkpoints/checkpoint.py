"""Checkpoints: written at once or not at all, read without running anything in them, resumed to the same run.

A checkpoint holds the trained tensors alone; the frozen encoders are named by the hash of their weights. Between
training steps it also holds what the trainer needs to go on.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from frozenseg import distributed
from frozenseg.config import values_from_text
from frozenseg.config.defaults import names_with_role
from frozenseg.engine.checkpoints import random_states
from frozenseg.engine.checkpoints.checkpoint_index import CheckpointIndex, KeepPolicy, warn_of_unknown_metric
from frozenseg.errors import CheckpointError
from frozenseg.log import get_logger
from frozenseg.modeling.checkpoint_file import read_checkpoint, write_checkpoint
from frozenseg.modeling.load_weights import checkpoint_content

logger = get_logger(__name__)
FINAL = "model_final.pth"
OF_CONFIG = ("initial_lr", "weight_decay")  # of parameter groups: a run can go on with others


class Checkpointer:
    """Writes the checkpoints of one run, and puts optimiser, scaler and generators back from one.

    Saving is collective: every process calls, rank 0 writes.

    Args:
        folder: of the run.
        model: not wrapped.
        optimizer: of its trainable parameters.
        scaler: of mixed precision.
        config: the resolved config, YAML.
        seed: of the run.
        policy: which checkpoints are kept.
    """

    def __init__(
        self,
        folder: Path,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        config: str,
        seed: int,
        policy: KeepPolicy = KeepPolicy(),  # noqa: B008 (it cannot be changed)
    ) -> None:
        self.folder, self.model, self.optimizer, self.scaler = folder, model, optimizer, scaler
        self.config, self.seed, self.policy = config, seed, policy
        self.last: Path | None = None
        self.resumed_at = 0  # steps done by an earlier run
        self._frozen: dict[str, str] | None = None
        self._random_states: dict[str, Any] | None = None

    def save(self, iteration: int, states: dict[str, Any] | None = None) -> Path:
        """Write everything that resuming needs after ``iteration`` steps, once; returns the file.

        Args:
            iteration: steps done.
            states: of this process's random generators after them; None where they are so now.

        Raises:
            CheckpointError: the disk refuses; the checkpoints before are as they were.
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
            self._enter(path, iteration)
            logger.info("Checkpoint: %s", path)
        self.last = path
        return path

    def record(self, results: Mapping[str, float]) -> None:
        """Write down what the last checkpoint has scored, which may make it the best."""
        if self.last is None or not distributed.is_main_process():
            return
        warn_of_unknown_metric(self.policy.best, results)
        index = CheckpointIndex(self.folder)
        index.record(self.last.name, results)
        index.prune(self.policy)

    def lacks_results(self) -> bool:
        """Tell whether the checkpoint that the run goes on from was not evaluated; False for a fresh run."""
        entries = CheckpointIndex(self.folder).entries if distributed.is_main_process() else {}
        lacks = self.last is not None and self.last.name in entries and not entries[self.last.name]["results"]
        return distributed.on_any_rank(lacks)

    def save_final(self) -> Path:
        """Write the trained tensors alone, to keep and to share; returns the file."""
        path = self.folder / FINAL
        if distributed.is_main_process():
            write_checkpoint(path, self._content())
            logger.info("Trained weights: %s", path)
        return path

    def resume(self, checkpoint: Mapping[str, Any], path: Path) -> None:
        """Put optimiser and scaler back; the generators follow with :meth:`restore_random_states`.

        Args:
            checkpoint: with ``trainer``; its weights are in the model already.
            path: where it was read from.

        Raises:
            CheckpointError: it belongs to another optimiser.
        """
        state = checkpoint["trainer"]
        if state["optimizer"] != type(self.optimizer).__name__:
            raise CheckpointError(
                f"{path} was trained with {state['optimizer']}, the config asks for {type(self.optimizer).__name__}: "
                "resume with the same SOLVER.OPTIMIZER, or start from it by --weights without --resume."
            )
        own = [{key: group[key] for key in OF_CONFIG if key in group} for group in self.optimizer.param_groups]
        try:
            self.optimizer.load_state_dict(state["optimizer_state"])
        except ValueError as error:
            raise CheckpointError(
                f"The optimiser state of {path} has other parameter groups than the config makes: resume with the "
                "same SOLVER keys, or start from it by --weights without --resume."
            ) from error
        for group, wanted in zip(self.optimizer.param_groups, own, strict=True):
            group.update(wanted)
        if state["scaler_state"] and self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler_state"])
        self.last, self.resumed_at = path, state["iteration"]
        if distributed.is_main_process():
            CheckpointIndex(self.folder).forget_after(state["iteration"])
        processes = len(state["random_states"])
        if processes == distributed.world_size():
            self._random_states = state["random_states"][distributed.rank()]
        else:
            logger.warning(
                "The run had %d processes and has %d now: images and points stay the same, dropout does not.",
                processes,
                distributed.world_size(),
            )

    def restore_random_states(self) -> None:
        """Put this process's generators back to where the resumed run has left them; nothing to do for a fresh one."""
        if self._random_states is not None:
            random_states.restore_random_states(self._random_states)

    def _enter(self, path: Path, iteration: int) -> None:
        try:
            index = CheckpointIndex(self.folder)
            index.add(path.name, iteration)
            index.prune(self.policy)
        except OSError as error:
            raise CheckpointError(f"{path} cannot be entered in its folder ({error}): make room there.") from error

    def _content(self) -> dict[str, Any]:
        if self._frozen is None:
            self._frozen = self.model.frozen_hashes()
        return checkpoint_content(self.model, self._frozen, self.config)


def read_training_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint that training can go on from.

    Raises:
        CheckpointError: missing, damaged, or with trained weights alone.
    """
    checkpoint = read_checkpoint(path)
    if "trainer" not in checkpoint:
        raise CheckpointError(f"{path} holds trained weights alone: start from it by --weights, without --resume.")
    return checkpoint


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
