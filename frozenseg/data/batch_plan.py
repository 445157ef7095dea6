"""Division of the images of a training step among processes, and on each process into parts."""

from dataclasses import dataclass

from frozenseg import distributed
from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError


@dataclass(frozen=True)
class BatchPlan:
    """Division of the images of a step.

    Attributes:
        images: number of images of a step, over all processes.
        processes: number of processes that share them.
        at_once: number of images that a process computes at once; 0 for its whole share of the step.
    """

    images: int
    processes: int = 1
    at_once: int = 0

    def __post_init__(self) -> None:
        """Raise ConfigError if the images cannot be divided evenly."""
        if self.images < 1 or self.images % self.processes:
            raise ConfigError(
                f"SOLVER.IMS_PER_BATCH is {self.images}, which {self.processes} processes cannot share "
                f"equally: choose a multiple of {self.processes}."
            )
        if self.at_once < 0 or (self.at_once and self.share % self.at_once):
            divisors = [str(number) for number in range(1, self.share + 1) if self.share % number == 0]
            raise ConfigError(
                f"SOLVER.IMAGES_AT_ONCE is {self.at_once}, but each process has {self.share} images a step "
                f"(SOLVER.IMS_PER_BATCH {self.images}, processes {self.processes}): choose one of "
                f"{', '.join(divisors)}, or 0 for all of them."
            )

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "BatchPlan":
        """Read SOLVER.IMS_PER_BATCH and SOLVER.IMAGES_AT_ONCE, for the running processes.

        Raises:
            ConfigError: the images cannot be divided evenly.
        """
        return cls(cfg.SOLVER.IMS_PER_BATCH, distributed.world_size(), cfg.SOLVER.IMAGES_AT_ONCE)

    @property
    def share(self) -> int:
        """Number of images of one process."""
        return self.images // self.processes

    @property
    def parts(self) -> int:
        """Number of parts whose gradients a process sums."""
        return self.share // (self.at_once or self.share)

    def __str__(self) -> str:
        """Return the division as a product, such as ``16 = processes 2 × images at once 4 × 2``."""
        return f"{self.images} = processes {self.processes} × images at once {self.share // self.parts} × {self.parts}"
