"""Mappers: hand-computed batch elements, and the errors about bad files."""

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.data import DatasetCatalog
from frozenseg.data.mapper import EvalMapper, TrainMapper, build_train_mapper
from frozenseg.errors import ConfigError, DataError
from frozenseg.structures.panoptic import id_to_rgb

IDS = np.array([[7, 7, 70000, 70000], [7, 7, 70000, 300]])  # 2×4, three segments


@pytest.fixture
def record(tmp_path) -> dict:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    Image.fromarray(image).save(tmp_path / "image.png")
    Image.fromarray(id_to_rgb(IDS)).save(tmp_path / "ids.png")
    return {
        "file_name": str(tmp_path / "image.png"),
        "pan_seg_file_name": str(tmp_path / "ids.png"),
        "image_id": 5,
        "height": 2,
        "width": 4,
        "segments_info": [
            {"id": 300, "category_id": 3, "isthing": True, "iscrowd": 0},
            {"id": 7, "category_id": 1, "isthing": False, "iscrowd": 0},
            {"id": 70000, "category_id": 2, "isthing": True, "iscrowd": 1},
            {"id": 99, "category_id": 9, "isthing": True, "iscrowd": 0},  # nowhere to be seen
        ],
    }


def test_training_element_by_hand(record):
    mapper = TrainMapper(4, min_scale=1.0, max_scale=1.0, flip=False)  # 2×4 fits as it is
    sample = mapper(record, np.random.default_rng(0))
    assert sample["image"].shape == (3, 4, 4)
    assert sample["image"].dtype == torch.uint8
    assert torch.equal(sample["image"][:, :2], torch.arange(24, dtype=torch.uint8).view(2, 4, 3).permute(2, 0, 1))
    assert (sample["image"][:, 2:] == 128).all()
    instances = sample["instances"]
    assert instances.image_size == (4, 4)
    assert instances.gt_classes.tolist() == [3, 1, 9]  # without the crowd, in the order of the record
    assert instances.gt_classes.dtype == torch.int64
    assert instances.gt_masks.dtype == torch.bool
    assert instances.gt_masks[0].nonzero().tolist() == [[1, 3]]
    assert instances.gt_masks[1].nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert not instances.gt_masks[2].any()
    assert (sample["height"], sample["width"], sample["image_id"]) == (2, 4, 5)
    assert "image" not in record  # the record itself stays as it was


def test_without_segments_the_mask_tensor_is_empty(record):
    sample = TrainMapper(8)({**record, "segments_info": []}, np.random.default_rng(0))
    assert sample["instances"].gt_masks.shape == (0, 8, 8)
    assert len(sample["instances"]) == 0


def test_augmentation_is_a_function_of_the_generator(toy):
    mapper = TrainMapper(48)
    record = DatasetCatalog.get("toyworld_train")[0]
    first, again, other = (mapper(record, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first["image"], again["image"])
    assert torch.equal(first["instances"].gt_masks, again["instances"].gt_masks)
    assert not torch.equal(first["image"], other["image"])


def test_masks_partition_the_image(toy):
    """Every pixel of the image belongs to one segment, no pixel of the padding does."""
    mapper = TrainMapper(96, min_scale=0.5, max_scale=0.5, flip=True)
    sample = mapper(DatasetCatalog.get("toyworld_train")[1], np.random.default_rng(0))
    owners = sample["instances"].gt_masks.sum(dim=0)
    assert (owners[:32, :48] == 1).all()
    assert owners.sum() == 32 * 48


def test_test_element_keeps_the_original_size(record):
    sample = EvalMapper(6, 100)(record)
    assert sample["image"].shape == (3, 6, 12)
    assert sample["image"].dtype == torch.uint8
    assert (sample["height"], sample["width"]) == (2, 4)
    assert sample["segments_info"] == record["segments_info"]


def test_test_element_finds_the_size_itself(record):
    sample = EvalMapper(2, 100)({"file_name": record["file_name"]})
    assert (sample["height"], sample["width"]) == (2, 4)


def test_optional_outputs_of_the_mapper(record, cfg):
    cfg.TEST.USE_SAM_MASKS = True
    sample = EvalMapper.from_config(cfg, read_ground_truth=lambda record: record["file_name"])(record)
    with Image.open(record["file_name"]) as image:
        np.testing.assert_array_equal(sample["original_image"].permute(1, 2, 0).numpy(), np.asarray(image))
    assert sample["ground_truth"] == record["file_name"]
    assert not {"original_image", "ground_truth"} & EvalMapper(6, 100)(record).keys()


def test_further_sizes_of_a_image_where_they_are_requested(cfg, record):
    cfg.TEST.AUG.ENABLED = True
    views = EvalMapper.from_config(cfg)(record)["views"]
    sizes = [(view.shape[1], view.shape[2]) for view in views]
    assert [min(size) for size in sizes] == [24, 45]  # 48 would make the longer edge 96
    assert max(sizes[1]) == 90
    cfg.TEST.AUG.MIN_SIZES = []
    with pytest.raises(ConfigError, match=r"TEST\.AUG\.MIN_SIZES is empty"):
        EvalMapper.from_config(cfg)


@pytest.mark.parametrize("mapper", [TrainMapper(8), EvalMapper(8, 8)])
def test_sizes_must_agree_with_the_record(record, mapper):
    with pytest.raises(DataError, match="is 4×2 pixels, expected 5×2 as annotated"):
        mapper({**record, "width": 5}, np.random.default_rng(0))


def test_image_and_ids_must_be_of_one_size(record, tmp_path):
    Image.new("RGB", (4, 3)).save(tmp_path / "ids.png")
    with pytest.raises(DataError, match=r"ids\.png is 4×3 pixels, expected 4×2 as annotated"):
        TrainMapper(8)(record, np.random.default_rng(0))


def test_mappers_of_a_config(cfg):
    mapper = build_train_mapper(cfg)
    assert (mapper.recipe.side, mapper.recipe.min_scale, mapper.recipe.max_scale, mapper.recipe.flip) == (
        64,
        0.5,
        1.5,
        True,
    )
    recipe = EvalMapper.from_config(cfg).recipe
    assert (recipe.shortest, recipe.longest) == (32, 64)
    cfg.INPUT.RANDOM_FLIP = "none"
    assert not build_train_mapper(cfg).recipe.flip


def test_wrong_values_of_a_config(cfg):
    cfg.INPUT.RANDOM_FLIP = "vertical"
    with pytest.raises(ConfigError, match=r"RANDOM_FLIP is 'vertical': choose 'horizontal' or 'none'"):
        build_train_mapper(cfg)
    cfg.INPUT.DATASET_MAPPER_NAME = "coco_panoptic_lsi"
    with pytest.raises(ConfigError, match="Did you mean 'coco_panoptic_lsj'"):
        build_train_mapper(cfg)


@pytest.mark.parametrize("build", [build_train_mapper, EvalMapper.from_config])
def test_other_channel_orders_are_refused(cfg, build):
    cfg.INPUT.FORMAT = "BGR"
    with pytest.raises(ConfigError, match="FORMAT is 'BGR': RGB is the only channel order"):
        build(cfg)


def test_a_white_segment_does_not_gain_the_padding(record):
    """Id 16 777 215, white, is as good as any other id."""
    white = np.where(IDS == 7, 0xFFFFFF, IDS)
    Image.fromarray(id_to_rgb(white)).save(record["pan_seg_file_name"])
    segments = [{"id": 0xFFFFFF, "category_id": 1, "iscrowd": 0}]
    mapper = TrainMapper(4, min_scale=1.0, max_scale=1.0, flip=False)
    masks = mapper({**record, "segments_info": segments}, np.random.default_rng(0))["instances"].gt_masks
    assert masks[0].nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize("number", [0, -1, 2**24, 2**40, "7", 7.0, True])
def test_segment_ids_that_no_png_can_hold_are_refused(record, number):
    segments = [{"id": number, "category_id": 1, "iscrowd": 0}]
    with pytest.raises(DataError, match=r"ids\.png: a segment has the id .*expected an integer from 1 to 16777215"):
        TrainMapper(4)({**record, "segments_info": segments}, np.random.default_rng(0))


@pytest.mark.parametrize("size", [(1, 300), (400, 1), (4, 100), (16, 409)])
def test_thin_images_keep_a_pixel_on_each_side(tmp_path, size):
    Image.new("RGB", size[::-1]).save(tmp_path / "thin.png")
    Image.fromarray(id_to_rgb(np.full(size, 5))).save(tmp_path / "ids.png")
    segments = [{"id": 5, "category_id": 0, "iscrowd": 0}]
    thin = {"file_name": str(tmp_path / "thin.png"), "pan_seg_file_name": str(tmp_path / "ids.png")}
    mapper = TrainMapper(32, min_scale=0.1, max_scale=0.1)
    sample = mapper({**thin, "segments_info": segments}, np.random.default_rng(0))
    assert sample["image"].shape == (3, 32, 32)
    assert sample["instances"].gt_masks.any()
    assert min(EvalMapper(80, 133)(thin)["image"].shape[1:]) == max(1, round(133 * min(size) / max(size)))


@pytest.mark.parametrize(("annotated", "seen"), [((2, 4), "upright"), ((4, 2), "stored")])
@pytest.mark.parametrize("with_size", [True, False])
def test_orientation_follows_the_size_of_the_annotation(tmp_path, record, annotated, seen, with_size, caplog):
    """The image has 4×2 pixels (height × width) as stored; its EXIF orientation turns it to 2×4."""
    stored = np.arange(8, dtype=np.uint8).reshape(4, 2)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(id_to_rgb(np.full(annotated, 7))).save(tmp_path / "ids.png")
    sizes = {"height": annotated[0], "width": annotated[1]} if with_size else {}
    turned = {"file_name": str(tmp_path / "turned.png"), "pan_seg_file_name": str(tmp_path / "ids.png"), **sizes}
    turned["segments_info"] = record["segments_info"][1:2]
    sample = EvalMapper(2, 4)(turned)
    expected = np.rot90(stored, -1) if seen == "upright" else stored
    assert sample["image"][0].tolist() == expected.tolist()
    trained = TrainMapper(4, min_scale=1.0, max_scale=1.0, flip=False)(turned, np.random.default_rng(0))
    assert trained["image"][0, : annotated[0], : annotated[1]].tolist() == expected.tolist()
    assert trained["instances"].gt_masks.sum() == 8
    assert len(caplog.messages) == (seen == "stored")
