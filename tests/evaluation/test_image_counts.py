"""Counts of images: written by all processes, read back, and summed to the reported PQ."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import ClassTable, mean_of_known
from frozenseg.evaluation.image_counts import METRIC, ImageCounts, read_image_counts
from frozenseg.evaluation.panoptic_matching import PanopticCounts
from frozenseg.evaluation.panoptic_quality import PanopticQuality, class_qualities

TABLE = ClassTable(
    ("cat", "dog", "sky"), np.array([True, True, False]),
    {"S": np.array([True, False, True]), "U": np.array([False, True, False])},
)  # fmt: skip
CONTRIBUTIONS: dict[str, Any] = {  # [class, tp, fp, fn, sum of IoU]
    "b.png": [[0, 2, 1, 0, 1.7], [2, 1, 0, 0, 0.9]],
    "a.png": [[1, 0, 1, 1, 0.0]],
    "empty.png": [],
}


def written(folder: Path, earlier: tuple[str, ...] = ()) -> Path:
    counts, path = ImageCounts(TABLE), folder / "pets_image_counts.json"
    for name, contribution in CONTRIBUTIONS.items():
        if name not in earlier:
            counts.observe({"file_name": f"folder/{name}"}, {}, {METRIC: contribution, "Other": 1})
    counts.write(path, {name: {METRIC: CONTRIBUTIONS[name]} for name in earlier})
    return path


def test_counts_are_sorted_by_image_and_have_all_classes(tmp_path: Path) -> None:
    table, images, counts = read_image_counts(written(tmp_path))
    assert [Path(name).name for name in images] == ["a.png", "b.png", "empty.png"]
    assert counts.tp.tolist() == [[0, 0, 0], [2, 0, 1], [0, 0, 0]]
    assert counts.fp.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert counts.fn.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert counts.iou.tolist() == [[0, 0, 0], [1.7, 0, 0.9], [0, 0, 0]]
    assert table.names == TABLE.names
    assert table.isthing.tolist() == TABLE.isthing.tolist()
    assert table.subsets["U"].tolist() == [False, True, False]


def test_sums_over_images_are_the_reported_quality(tmp_path: Path) -> None:
    metric = PanopticQuality(TABLE)
    for contribution in CONTRIBUTIONS.values():
        metric.add(contribution)
    reported = metric.evaluate()["panoptic_seg"]
    counts = PanopticCounts(*(values.sum(axis=0) for values in read_image_counts(written(tmp_path)).counts))
    assert 100 * mean_of_known(class_qualities(counts)["PQ"]) == reported["PQ"]


def test_images_of_an_interrupted_evaluation_and_of_other_processes_are_included(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = read_image_counts(written(tmp_path, earlier=("b.png",))).images
    assert sorted(Path(name).name for name in names) == ["a.png", "b.png", "empty.png"]
    monkeypatch.setattr(distributed, "gather", lambda value: [value, {"c.png": [[1, 1, 0, 0, 0.75]]}])
    saved = read_image_counts(written(tmp_path))
    assert saved.counts.iou[saved.images.index("c.png")].tolist() == [0, 0.75, 0]


CLASSES = '{"names": ["cat"], "isthing": [true], "subsets": {}}'


@pytest.mark.parametrize("content", ["", "[]", "{}", f'{{"classes": {CLASSES}, "images": {{"a": [3]}}}}'])
def test_a_damaged_file_is_refused_with_the_key(tmp_path: Path, content: str) -> None:
    path = tmp_path / "counts.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"counts\.json has no counts of images .*TEST\.SAVE_IMAGE_COUNTS True"):
        read_image_counts(path)
    with pytest.raises(DataError, match="none.json has no counts"):
        read_image_counts(tmp_path / "none.json")
