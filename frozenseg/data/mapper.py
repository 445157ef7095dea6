"""Record → batch element: reads the files of one picture and applies a recipe to them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional

from frozenseg.data.images import check_size, read_image
from frozenseg.data.metadata import Record
from frozenseg.data.segments import read_segments
from frozenseg.data.transforms.recipes import LargeScaleJitter, Rng, ShortestEdge
from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.structures.instances import Instances
from frozenseg.structures.panoptic import rgb_to_id

Sample = dict[str, Any]


class TrainMapper:
    """Picture and truth under large-scale jitter.

    Args:
        image_size: side of the square that the model sees, pixels.
        min_scale: smallest scale factor.
        max_scale: largest scale factor.
        flip: mirror half of the pictures.
    """

    def __init__(self, image_size: int, min_scale: float = 0.1, max_scale: float = 2.0, flip: bool = True) -> None:
        self.recipe = LargeScaleJitter(image_size, min_scale, max_scale, flip)

    @classmethod
    def from_config(cls, cfg: Any) -> "TrainMapper":
        """Build from the section INPUT.

        Raises:
            ConfigError: INPUT.RANDOM_FLIP is neither horizontal nor none, or INPUT.FORMAT is not RGB.
        """
        _check_format(cfg)
        if cfg.INPUT.RANDOM_FLIP not in ("horizontal", "none"):
            raise ConfigError(f"INPUT.RANDOM_FLIP is {cfg.INPUT.RANDOM_FLIP!r}: choose 'horizontal' or 'none'.")
        return cls(
            image_size=cfg.INPUT.IMAGE_SIZE,
            min_scale=cfg.INPUT.MIN_SCALE,
            max_scale=cfg.INPUT.MAX_SCALE,
            flip=cfg.INPUT.RANDOM_FLIP == "horizontal",
        )

    def __call__(self, record: Record, rng: Rng) -> Sample:
        """Load one picture for training.

        Args:
            record: with ``file_name`` and what :func:`read_segments` reads.
            rng: all that is random comes from it.

        Returns:
            The record with ``image`` (3, S, S) uint8 RGB and ``instances``: gt_classes (n,) int64 and gt_masks
            (n, S, S) bool, one row for each segment; one that was cut off has an empty mask.

        Raises:
            DataError: a file is missing, cannot be decoded, or does not fit the others.
        """
        image = read_image(record["file_name"])
        size = (image.height, image.width)
        check_size(record["file_name"], image, (record.get("height", size[0]), record.get("width", size[1])))
        ids, segments = read_segments(record, size)
        jitter = self.recipe.draw(rng, size)
        seen_ids = torch.from_numpy(rgb_to_id(np.asarray(jitter.transform_ids(ids))))  # (S, S)
        return {
            **record,
            "image": _as_tensor(jitter.transform_image(image)),
            "instances": _make_instances(seen_ids, segments),
        }


class EvalMapper:
    """Picture alone, its shorter edge brought to a given length.

    Args:
        min_size: of the shorter edge, pixels.
        max_size: the longer edge is at most this, pixels.
        read_truth: reads what a metric compares with from a record.
        keep_original: bring the picture at its own size, too.
        views: recipes for further sizes of the picture.
    """

    __test__ = False  # the name is not a test's

    def __init__(
        self,
        min_size: int,
        max_size: int,
        read_truth: Callable[[Record], Any] | None = None,
        keep_original: bool = False,
        views: Sequence[ShortestEdge] = (),
    ) -> None:
        self.recipe = ShortestEdge(min_size, max_size)
        self.read_truth, self.keep_original, self.views = read_truth, keep_original, views

    @classmethod
    def from_config(cls, cfg: Any, read_truth: Callable[[Record], Any] | None = None) -> "EvalMapper":
        """Build from the section INPUT, and from TEST: SAM's masks need pictures at their own size, AUG several sizes.

        Raises:
            ConfigError: INPUT.FORMAT is not RGB, or there are no sizes.
        """
        _check_format(cfg)
        augmentation = cfg.TEST.AUG
        if augmentation.ENABLED and not augmentation.MIN_SIZES:
            raise ConfigError("TEST.AUG.MIN_SIZES is empty: give sizes of the shortest edge, such as [480, 640, 800].")
        sizes = augmentation.MIN_SIZES if augmentation.ENABLED else []
        return cls(
            cfg.INPUT.MIN_SIZE_TEST,
            cfg.INPUT.MAX_SIZE_TEST,
            read_truth,
            keep_original=cfg.TEST.USE_SAM_MASKS,
            views=[ShortestEdge(size, augmentation.MAX_SIZE) for size in sizes],
        )

    def __call__(self, record: Record, rng: Rng | None = None) -> Sample:
        """Load one picture for testing.

        Args:
            record: with ``file_name``; ``height`` and ``width`` are added where they are missing.
            rng: not used; nothing here is random.

        Returns:
            The record with ``image`` (3, h, w) uint8 RGB, resized; ``height`` and ``width`` stay the original ones;
            ``ground_truth``, ``original_image`` (3, H, W) uint8 RGB and ``views``, a list of such, if they are wanted.

        Raises:
            DataError: a file is missing or cannot be decoded, or the picture has another size than the record says.
        """
        image = read_image(record["file_name"])
        size = (record.get("height", image.height), record.get("width", image.width))
        check_size(record["file_name"], image, size)
        resized = self.recipe.transform_image(image)
        sample = {**record, "height": size[0], "width": size[1], "image": _as_tensor(resized)}
        if self.keep_original:
            sample["original_image"] = _as_tensor(image)
        if self.views:
            sample["views"] = [_as_tensor(recipe.transform_image(image)) for recipe in self.views]
        if self.read_truth is not None:
            sample["ground_truth"] = self.read_truth(record)
        return sample


TRAIN_MAPPERS: dict[str, Callable[[Any], TrainMapper]] = {"coco_panoptic_lsj": TrainMapper.from_config}


def build_train_mapper(cfg: Any) -> TrainMapper:
    """Return the mapper that INPUT.DATASET_MAPPER_NAME names.

    Raises:
        ConfigError: no such mapper.
    """
    name = cfg.INPUT.DATASET_MAPPER_NAME
    if name not in TRAIN_MAPPERS:
        raise ConfigError(
            f"INPUT.DATASET_MAPPER_NAME is {name!r}.{did_you_mean(name, TRAIN_MAPPERS)} "
            f"Known: {', '.join(TRAIN_MAPPERS)}."
        )
    return TRAIN_MAPPERS[name](cfg)


def _check_format(cfg: Any) -> None:
    if cfg.INPUT.FORMAT != "RGB":
        raise ConfigError(f"INPUT.FORMAT is {cfg.INPUT.FORMAT!r}: RGB is the only channel order, leave the key out.")


def _as_tensor(image: Image.Image) -> Tensor:
    """Return an RGB picture as (3, H, W) uint8."""
    return functional.pil_to_tensor(image).contiguous()


def _make_instances(ids: Tensor, segments: list[dict[str, Any]]) -> Instances:
    """Return one row a segment from (S, S) integer ids."""
    numbers = torch.tensor([segment["id"] for segment in segments], dtype=ids.dtype)
    classes = torch.tensor([segment["category_id"] for segment in segments], dtype=torch.int64)
    masks = ids[None] == numbers[:, None, None]  # (n, S, S)
    return Instances((ids.shape[0], ids.shape[1]), gt_classes=classes, gt_masks=masks)
