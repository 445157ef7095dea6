"""IoU of folders of label images: computed by hand, and invalid files."""

import numpy as np
import pytest
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.evaluation.label_counts import LabelValues
from frozenseg.evaluation.prediction_file_metrics.semantic import score_semantic_files
from frozenseg.structures.label_files import write_labels

THREE = LabelValues(3)


@pytest.fixture
def folders(tmp_path):
    """Two label images, one of 16 bits, one in a subfolder."""
    write_labels(tmp_path / "truth/a.png", np.array([[0, 0, 0, 1], [1, 255, 255, 1]], dtype=np.uint8))
    write_labels(tmp_path / "truth/more/b.tif", np.array([[1, 1]], dtype=np.uint16))
    write_labels(tmp_path / "guess/a.tif", np.array([[0, 0, 1, 1], [1, 2, 9, 255]], dtype=np.uint16))
    write_labels(tmp_path / "guess/more/b.png", np.array([[1, 2]], dtype=np.uint8))
    return tmp_path / "truth", tmp_path / "guess"


def test_counts_that_are_worked_out_by_hand(folders):
    scores = score_semantic_files(*folders, THREE, workers=1, quiet=True)
    # class 0: 2 of 3; class 1: 3 right of 5 true, 4 predicted, one of them false; class 2 is never annotated; the pixel
    # without a predicted class is missed by class 1; predictions on unlabelled pixels do not count
    assert scores.per_category == {
        "0": {"IoU": pytest.approx(200 / 3), "ACC": pytest.approx(200 / 3)},
        "1": {"IoU": 50, "ACC": 60},
        "2": {"IoU": None, "ACC": None},
    }
    results = scores.results["sem_seg"]
    assert results["mIoU"] == pytest.approx((200 / 3 + 50) / 2)
    assert results["mIoU_occurring"] == pytest.approx((200 / 3 + 50) / 3)
    assert results["pACC"] == pytest.approx(500 / 8)
    assert scores.notes == ["1 labelled pixels (12.50 %) are predicted as 255, no class: they count as wrong."]
    assert score_semantic_files(*folders, THREE, workers=2, quiet=True) == scores


def test_labels_may_begin_at_1_with_0_for_unlabelled(folders):
    for path in sorted(path for folder in folders for path in folder.rglob("*.*")):
        labels = np.asarray(Image.open(path)).astype(np.uint8)
        path.unlink()
        write_labels(path.with_suffix(".png"), np.where(labels == 255, 0, labels + 1).astype(np.uint8))
    scores = score_semantic_files(*folders, LabelValues(3, 0, 1), workers=1, quiet=True)
    assert list(scores.per_category) == ["1", "2", "3"]
    assert scores.results["sem_seg"]["mIoU"] == pytest.approx((200 / 3 + 50) / 2)


def test_nothing_right_tells_the_likely_causes(folders):
    write_labels(folders[1] / "a.tif", np.full((2, 4), 2, dtype=np.uint16))
    write_labels(folders[1] / "more/b.png", np.full((1, 2), 0, dtype=np.uint8))
    scores = score_semantic_files(*folders, THREE, workers=1, quiet=True)
    assert scores.results["sem_seg"]["mIoU"] == 0
    assert "another value of the first class" in scores.notes[0]


@pytest.mark.parametrize(("value", "classes"), [(3, 3), (254, 3), (2, 2)])
def test_predicted_values_that_are_no_class_are_named(folders, value, classes):
    write_labels(folders[1] / "more/b.png", np.array([[1, value]], dtype=np.uint8))
    with pytest.raises(
        DataError, match=rf"b.png holds the value {value} on labelled pixels: expected 0 to {classes - 1}"
    ):
        score_semantic_files(*folders, LabelValues(classes), workers=1, quiet=True)


def test_bad_files_are_named(folders, tmp_path):
    def refused(message, values=THREE, folders=folders):
        with pytest.raises(DataError, match=message):
            score_semantic_files(*folders, values, workers=1, quiet=True)

    refused("a.png holds the value 1: expected 0 to 0, or 255", LabelValues(1))
    refused("nowhere of the ground truth does not exist", folders=(tmp_path / "nowhere", folders[1]))
    (tmp_path / "empty").mkdir()
    refused("There is no label image", folders=(tmp_path / "empty", folders[1]))
    write_labels(folders[1] / "c.png", np.zeros((1, 1), dtype=np.uint8))
    refused("a prediction for image c, which the ground truth does not have")
    (folders[1] / "c.png").unlink()
    write_labels(folders[1] / "more/b.png", np.zeros((2, 1), dtype=np.uint8))
    refused("image more/b is 2×1 pixels, its ground truth 1×2")
    Image.new("RGB", (2, 1), "red").save(folders[1] / "more/b.png")
    refused("b.png has 3 channels")
    (folders[1] / "more/b.png").unlink()
    refused(r"no prediction for image more/b \(1 of 2 are missing\)")


def test_truth_without_a_label_is_named(folders):
    (folders[0] / "a.png").unlink()
    (folders[1] / "a.tif").unlink()
    write_labels(folders[0] / "more/b.tif", np.array([[255, 255]], dtype=np.uint16))
    with pytest.raises(DataError, match="has no labelled pixel: check --ignore, which is 255"):
        score_semantic_files(*folders, THREE, workers=1, quiet=True)


def test_binary_masks_of_0_and_255_are_named(tmp_path):
    for folder in ("truth", "guess"):
        write_labels(tmp_path / folder / "a.png", np.array([[0, 0, 255]], dtype=np.uint8))
    scores = score_semantic_files(tmp_path / "truth", tmp_path / "guess", LabelValues(2), workers=1, quiet=True)
    assert scores.notes == [
        "0 is the only annotated class; 1 pixels with the value 255 are unlabelled and not scored. If 255 is a class, "
        "as in binary masks with the values 0 and 255, write it as 1 in both folders and set --ignore -1."
    ]
