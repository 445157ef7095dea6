"""Instances, padded batches, masks, panoptic ids, shape checks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from frozenseg.errors import ShapeError
from frozenseg.structures.image_list import ImageList, ImageSize
from frozenseg.structures.instances import Instances
from frozenseg.structures.masks import boxes_around, decode_rle, encode_rle
from frozenseg.structures.panoptic import id_to_rgb, rgb_to_id
from frozenseg.structures.shapes import check_shape


def test_instances_index_all_fields_alike() -> None:
    instances = Instances((4, 6), scores=torch.tensor([0.1, 0.9, 0.5]), pred_classes=torch.tensor([7, 8, 9]))
    chosen = instances[instances.scores > 0.4]
    assert chosen.pred_classes.tolist() == [8, 9]
    assert instances[-1].pred_classes.tolist() == [9]
    assert [len(one) for one in instances] == [1, 1, 1]
    assert chosen.image_size == (4, 6)
    assert len(Instances((1, 1))) == 0


def test_instances_refuse_another_length_and_name_unknown_fields() -> None:
    instances = Instances((4, 6), scores=torch.rand(2))
    with pytest.raises(ShapeError, match="'pred_classes' has 3 rows, the other fields have 2"):
        instances.pred_classes = torch.rand(3)
    with pytest.raises(AttributeError, match="no field 'boxes'; it has scores"):
        _ = instances.boxes
    with pytest.raises(IndexError):
        _ = instances[2]


def test_instances_move_their_tensors() -> None:
    moved = Instances((1, 1), scores=torch.rand(1), names=["cat"]).to(torch.float64)
    assert moved.scores.dtype == torch.float64
    assert moved.names == ["cat"]


def test_batches_are_padded_right_and_bottom() -> None:
    batch = ImageList.from_images([torch.ones(3, 5, 7), torch.ones(3, 33, 2)], divisibility=32)
    assert batch.padded_size == ImageSize(64, 32)
    assert batch.sizes == (ImageSize(5, 7), ImageSize(33, 2))
    assert batch.tensor[0, 0].sum() == 35
    assert batch.tensor[0, 0, :5, :7].all()


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.integers(0, 256**3 - 1)))
def test_panoptic_ids_survive_their_colours(ids: np.ndarray) -> None:
    assert (rgb_to_id(id_to_rgb(ids)) == ids).all()


def test_panoptic_ids_by_hand() -> None:
    assert rgb_to_id(np.array([[[120, 120, 120]]], dtype=np.uint8)) == 7895160
    assert id_to_rgb(np.array([[16777215]])).tolist() == [[[255, 255, 255]]]


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)))
def test_masks_survive_run_lengths(masks: np.ndarray) -> None:
    runs = encode_rle(masks)
    package = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8)))
    assert runs == [{"size": run["size"], "counts": run["counts"].decode()} for run in package]
    assert (decode_rle(runs, *masks.shape[1:]) == masks).all()


def test_no_masks_no_runs() -> None:
    assert encode_rle(np.zeros((0, 3, 4), dtype=bool)) == []
    assert decode_rle([], 3, 4).shape == (0, 3, 4)


def test_boxes_end_after_the_last_pixel() -> None:
    masks = torch.zeros(3, 4, 6, dtype=torch.bool)
    masks[0, 1:3, 2:5] = True
    masks[2, 3, 5] = True
    assert boxes_around(masks).tolist() == [[2, 1, 5, 3], [0, 0, 0, 0], [5, 3, 6, 4]]
    assert boxes_around(masks[:0]).shape == (0, 4)


def test_shape_errors_name_the_tensor_and_both_shapes() -> None:
    check_shape("x", torch.zeros(2, 3, 4), "B d 4", d=3)
    with pytest.raises(ShapeError, match=r"mask_features has shape \(2, 3\), expected \(B, d=4\)"):
        check_shape("mask_features", torch.zeros(2, 3), "B d", d=4)
    with pytest.raises(ShapeError, match=r"expected \(B, d, H, W\)"):
        check_shape("x", torch.zeros(2), "B d H W")


def test_boxes_of_thin_masks_and_of_full_ones() -> None:
    masks = torch.zeros(3, 1, 5, dtype=torch.bool)
    masks[0], masks[1, 0, 4] = True, True
    assert boxes_around(masks).tolist() == [[0, 0, 5, 1], [4, 0, 5, 1], [0, 0, 0, 0]]
    assert boxes_around(masks.transpose(1, 2)).tolist() == [[0, 0, 1, 5], [0, 4, 1, 5], [0, 0, 0, 0]]
