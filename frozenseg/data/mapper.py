"""Mappers from a record to a batch element: they read the files of one image and apply a recipe to them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from frozenseg.config import CfgNode
from frozenseg.data.record_images import read_record_image
from frozenseg.data.segments import SegmentInfo, read_segments
from frozenseg.data.transforms.recipes import LargeScaleJitter, Rng, ShortestEdge
from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.structures.image_tensor import image_tensor
from frozenseg.structures.instances import Instances
from frozenseg.structures.panoptic import rgb_to_id
from frozenseg.structures.record import Record

Sample = dict[str, Any]


class TrainMapper:
    """Mapper for training: image and ground truth under large-scale jitter.

    Args:
        image_size: side of the square input of the model, pixels.
        min_scale: smallest scale factor.
        max_scale: largest scale factor.
        flip: True to mirror half of the images.
    """

    def __init__(self, image_size: int, min_scale: float = 0.1, max_scale: float = 2.0, flip: bool = True) -> None:
        self.recipe = LargeScaleJitter(image_size, min_scale, max_scale, flip)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "TrainMapper":
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
        """Load one image for training.

        Args:
            record: with ``file_name`` and the annotation that :func:`read_segments` reads.
            rng: source of all random numbers.

        Returns:
            The record with ``image`` (3, S, S) uint8 RGB and ``instances``: gt_classes (n,) int64 and gt_masks
            (n, S, S) bool, one entry for each segment; a segment outside the crop has an empty mask.

        Raises:
            DataError: a file is missing, cannot be decoded, or has another size than the image.
        """
        image = read_record_image(record)
        size = (image.height, image.width)
        ids, segments = read_segments(record, size)
        jitter = self.recipe.draw(rng, size)
        cropped_ids = torch.from_numpy(rgb_to_id(np.asarray(jitter.transform_ids(ids))))  # (h, w)
        return {
            **record,
            "image": image_tensor(jitter.transform_image(image)),
            "instances": _make_instances(cropped_ids, segments, jitter.side),
        }


class EvalMapper:
    """Mapper for evaluation: the image alone, its shorter edge resized to a fixed length.

    Args:
        min_size: length of the shorter edge, pixels.
        max_size: upper limit of the longer edge, pixels.
        read_ground_truth: reads the ground truth of the metrics from a record.
        keep_original: True to return the image at its original size as well.
        views: resize recipes of test-time augmentation.
    """

    def __init__(
        self,
        min_size: int,
        max_size: int,
        read_ground_truth: Callable[[Record], Any] | None = None,
        keep_original: bool = False,
        views: Sequence[ShortestEdge] = (),
    ) -> None:
        self.recipe = ShortestEdge(min_size, max_size)
        self.read_ground_truth, self.keep_original, self.views = read_ground_truth, keep_original, views

    @classmethod
    def from_config(cls, cfg: CfgNode, read_ground_truth: Callable[[Record], Any] | None = None) -> "EvalMapper":
        """Build from INPUT and TEST; TEST.USE_SAM_MASKS needs images of the original size, TEST.AUG needs views.

        Raises:
            ConfigError: INPUT.FORMAT is not RGB, or there are no sizes for test-time augmentation.
        """
        _check_format(cfg)
        augmentation = cfg.TEST.AUG
        if augmentation.ENABLED and not augmentation.MIN_SIZES:
            raise ConfigError("TEST.AUG.MIN_SIZES is empty: give sizes of the shortest edge, such as [480, 640, 800].")
        sizes = augmentation.MIN_SIZES if augmentation.ENABLED else []
        return cls(
            cfg.INPUT.MIN_SIZE_TEST,
            cfg.INPUT.MAX_SIZE_TEST,
            read_ground_truth,
            keep_original=cfg.TEST.USE_SAM_MASKS,
            views=[ShortestEdge(size, augmentation.MAX_SIZE) for size in sizes],
        )

    def __call__(self, record: Record, rng: Rng | None = None) -> Sample:
        """Load one image for evaluation.

        Args:
            record: with ``file_name``; ``height`` and ``width`` are added if they are missing.
            rng: not used, because nothing is random.

        Returns:
            The record with ``image`` (3, h, w) uint8 RGB, resized; ``height`` and ``width`` are the original ones;
            if requested, ``ground_truth``, ``original_image`` (3, H, W) uint8 RGB and ``views``, a list of images.

        Raises:
            DataError: a file is missing or cannot be decoded, or the image has another size than the record states.
        """
        image = read_record_image(record)
        size = (image.height, image.width)
        resized = self.recipe.transform_image(image)
        sample = {**record, "height": size[0], "width": size[1], "image": image_tensor(resized)}
        if self.keep_original:
            sample["original_image"] = image_tensor(image)
        if self.views:
            sample["views"] = [image_tensor(recipe.transform_image(image)) for recipe in self.views]
        if self.read_ground_truth is not None:
            sample["ground_truth"] = self.read_ground_truth(record)
        return sample


TRAIN_MAPPERS: dict[str, Callable[[CfgNode], TrainMapper]] = {"coco_panoptic_lsj": TrainMapper.from_config}


def build_train_mapper(cfg: CfgNode) -> TrainMapper:
    """Return the mapper named by INPUT.DATASET_MAPPER_NAME.

    Raises:
        ConfigError: there is no mapper with this name.
    """
    name = cfg.INPUT.DATASET_MAPPER_NAME
    if name not in TRAIN_MAPPERS:
        raise ConfigError(
            f"INPUT.DATASET_MAPPER_NAME is {name!r}.{did_you_mean(name, TRAIN_MAPPERS)} "
            f"Known: {', '.join(TRAIN_MAPPERS)}."
        )
    return TRAIN_MAPPERS[name](cfg)


def _check_format(cfg: CfgNode) -> None:
    if cfg.INPUT.FORMAT != "RGB":
        raise ConfigError(f"INPUT.FORMAT is {cfg.INPUT.FORMAT!r}: RGB is the only channel order, leave the key out.")


def _make_instances(ids: Tensor, segments: Sequence[SegmentInfo], side: int) -> Instances:
    """Return one instance for each segment of an (h, w) integer id map, which is padded to a square of ``side``."""
    segment_ids = torch.tensor([segment["id"] for segment in segments], dtype=ids.dtype)
    classes = torch.tensor([segment["category_id"] for segment in segments], dtype=torch.int64)
    masks = torch.zeros(len(segments), side, side, dtype=torch.bool)  # (n, S, S)
    masks[:, : ids.shape[0], : ids.shape[1]] = ids[None] == segment_ids[:, None, None]
    return Instances((side, side), gt_classes=classes, gt_masks=masks)
