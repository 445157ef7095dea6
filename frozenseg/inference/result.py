"""Result of the segmenter for one image, and its drawings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.structures.instances import Instances
from frozenseg.structures.output_kinds import OutputKind
from frozenseg.visualization.segmentation import draw_instances, draw_panoptic, draw_semantic
from frozenseg.vocabulary import Vocabulary

KINDS: tuple[OutputKind, ...] = ("panoptic", "instance", "semantic")


@dataclass(frozen=True)
class Result:
    """Prediction for one image.

    Attributes:
        image: the input, RGB.
        vocabulary: the C classes of the call.
        panoptic: (H, W) int32 map of segment ids, 0 for no segment, and ``{"id", "isthing", "category_id"}`` of each
            segment.
        instances: ``pred_masks`` (n, H, W) bool, ``pred_boxes`` (n, 4), ``scores`` (n,), ``pred_classes`` (n,) int64.
        semantic: (H, W) int64, the class of every pixel.
    """

    image: Image.Image
    vocabulary: Vocabulary
    panoptic: tuple[Tensor, list[dict[str, Any]]]
    instances: Instances
    semantic: Tensor

    def draw(self, kind: str = "panoptic") -> Image.Image:
        """Return the image with its masks drawn over it, and a legend; small images are enlarged, huge ones reduced.

        Args:
            kind: ``panoptic``, ``instance`` or ``semantic``.

        Raises:
            ConfigError: unknown kind.
        """
        if kind == "panoptic":
            return draw_panoptic(self.image, self.panoptic, self.vocabulary)
        if kind == "instance":
            return draw_instances(self.image, self.instances, self.vocabulary)
        if kind == "semantic":
            return draw_semantic(self.image, self.semantic, self.vocabulary)
        raise ConfigError(f"Cannot draw {kind!r}.{did_you_mean(str(kind), KINDS)} Available: {', '.join(KINDS)}.")

    def save(self, folder: str | Path, name: str = "picture") -> list[Path]:
        """Write ``NAME_panoptic.png``, ``NAME_instance.png`` and ``NAME_semantic.png``; returns their paths.

        Args:
            folder: created if it does not exist.
            name: beginning of the file names, without a folder.

        Raises:
            ConfigError: the folder cannot be created or written to, or the name is no part of a file name.
        """
        if not isinstance(name, str) or not name.strip() or any(character in name for character in "/\\\0"):
            raise ConfigError(f"name is {name!r}, expected the beginning of file names, without '/' or '\\'.")
        if not isinstance(folder, (str, Path)):
            raise ConfigError(f"folder is {folder!r}, expected a path.")
        paths = [Path(folder) / f"{name}_{kind}.png" for kind in KINDS]
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            for path, kind in zip(paths, KINDS, strict=True):
                self.draw(kind).save(path)
        except OSError as error:
            reason = error.strerror or error
            raise ConfigError(
                f"The drawings cannot be written to {folder} ({reason}): choose another folder."
            ) from error
        return paths
