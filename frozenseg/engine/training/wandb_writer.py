"""Scalars and pictures of training → Weights & Biases, for those who have it (the extra ``wandb``)."""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from frozenseg.errors import ConfigError


class WeightsAndBiases:
    """A run of Weights & Biases. ``WANDB_MODE=offline`` keeps it on this machine.

    A resumed training goes on in the same run: it is known by its output folder.

    Args:
        cfg: LOG_WANDB_PROJECT is the project; all of it is shown with the run.
        folder: of the run; its files lie in ``wandb/`` there.

    Raises:
        ConfigError: the package is not installed.
    """

    def __init__(self, cfg: Any, folder: Path) -> None:
        if importlib.util.find_spec("wandb") is None:
            raise ConfigError(
                "LOG_WANDB_PROJECT is set, but W&B is not installed: pip install 'frozenseg[wandb]', or leave the key "
                "empty."
            )
        import wandb

        self._picture = wandb.Image
        self._run = wandb.init(
            project=cfg.LOG_WANDB_PROJECT,
            dir=str(folder),
            id=hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16],
            resume="allow",
            config=yaml.safe_load(cfg.dump()),
        )

    def write(self, iteration: int, scalars: dict[str, float | None]) -> None:
        """Add one point to each curve."""
        self._run.log({name: value for name, value in scalars.items() if value is not None}, step=iteration)

    def show(self, iteration: int, picture: Image.Image) -> None:
        """Add the picture to those before it."""
        self._run.log({"pictures": self._picture(picture)}, step=iteration)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()
