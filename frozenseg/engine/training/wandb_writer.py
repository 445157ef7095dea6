"""Writer of training metrics and images for Weights & Biases (the extra ``wandb``)."""

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path

import yaml
from PIL import Image

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError


class WeightsAndBiases:
    """A run of Weights & Biases. ``WANDB_MODE=offline`` keeps it on this machine.

    The output folder identifies the run, so that a resumed training continues the same one.

    Args:
        cfg: reads LOG_WANDB_PROJECT, the project; all keys are recorded with the run.
        folder: output folder of the training; W&B writes to ``wandb/`` in it.

    Raises:
        ConfigError: the package is not installed.
    """

    def __init__(self, cfg: CfgNode, folder: Path) -> None:
        if importlib.util.find_spec("wandb") is None:
            raise ConfigError(
                "LOG_WANDB_PROJECT is set, but W&B is not installed: pip install 'frozenseg[wandb]', or leave the key "
                "empty."
            )
        import wandb

        self._image = wandb.Image
        self._run = wandb.init(
            project=cfg.LOG_WANDB_PROJECT,
            dir=str(folder),
            id=hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16],
            resume="allow",
            config=yaml.safe_load(cfg.dump()),
        )

    def write(self, iteration: int, scalars: Mapping[str, float | None]) -> None:
        """Add one point to each curve."""
        self._run.log({name: value for name, value in scalars.items() if value is not None}, step=iteration)

    def show(self, iteration: int, image: Image.Image) -> None:
        """Add an image under the name ``pictures``."""
        self._run.log({"pictures": self._image(image)}, step=iteration)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()
