"""Ground truth of a few pixels, on disk as in a data set."""

import numpy as np
import pytest
from PIL import Image

from frozenseg.data import Metadata
from frozenseg.structures.panoptic import id_to_rgb


@pytest.fixture
def metadata():
    """Three classes: cat and dog are things, sky is stuff; cat is also a group of classes."""
    return Metadata(
        name="little_world",
        evaluator_type="coco_panoptic_seg",
        stuff_classes=["cat,kitten", "dog", "sky"],
        thing_dataset_id_to_contiguous_id={17: 0, 18: 1},
        stuff_dataset_id_to_contiguous_id={17: 0, 18: 1, 187: 2},
        ignore_label=255,
        json_file=None,
        category_groups={"feline": [0]},
    )


@pytest.fixture
def write_ids(tmp_path):
    """Write (H, W) segment ids as a panoptic PNG; returns the record fields."""

    def write(ids, segments, image_id=1):
        path = tmp_path / f"panoptic_{image_id}.png"
        Image.fromarray(id_to_rgb(np.array(ids))).save(path)
        return {"image_id": image_id, "pan_seg_file_name": str(path), "segments_info": segments}

    return write


@pytest.fixture
def write_labels(tmp_path):
    """Write (H, W) class labels as a semantic PNG; returns the record fields."""

    def write(labels, image_id=1):
        path = tmp_path / f"semantic_{image_id}.png"
        Image.fromarray(np.array(labels, dtype=np.uint8)).save(path)
        return {"image_id": image_id, "sem_seg_file_name": str(path)}

    return write
