"""AP of COCO on a random world: equal to pycocotools to the last digit, with either package."""

import contextlib
import importlib.util
import io
import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from frozenseg.evaluation import coco_ap as module
from frozenseg.evaluation.coco_ap import FASTER_COCO_EVAL, PYCOCOTOOLS, ap_package, ap_package_version, coco_ap
from frozenseg.structures.masks import encode_rle
from tests.evaluation.squares import SIZE, annotation, square

CATEGORIES, IMAGES = [3, 7, 8, 90], [11, 4, 5, 9, 30]
ORDER = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR@1", "AR@10", "AR@100", "ARs", "ARm", "ARl")  # of COCOeval.stats
PACKAGES = [
    PYCOCOTOOLS,
    pytest.param(
        FASTER_COCO_EVAL, marks=pytest.mark.skipif(ap_package() != FASTER_COCO_EVAL, reason=f"needs {FASTER_COCO_EVAL}")
    ),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Objects of all sizes, crowds, an image and a category without any; guesses near them, doubled, and far off."""
    rng = np.random.default_rng(0)
    truth, guesses = [], []
    for number in range(1, 41):
        image, category = int(rng.choice(IMAGES[:-1])), int(rng.choice(CATEGORIES[:-1]))
        left, top, side = (int(value) for value in (*rng.integers(0, 60, 2), rng.choice([12, 40, 110])))
        truth.append({**annotation(number, image, category, square(left, top, side)), "iscrowd": int(number % 9 == 0)})
        for _ in range(int(rng.integers(0, 4))):
            moved = square(left + int(rng.integers(0, 9)), top, side - int(rng.integers(0, 6)))
            guesses.append((image, category if rng.random() < 0.8 else 90, moved, round(float(rng.random()), 2)))
    guesses += [(30, 3, square(0, 0, 30), 0.5)] + [(4, 7, square(3, 3, 9), 0.001 * n) for n in range(300)]
    path = tmp_path_factory.mktemp("world") / "instances.json"
    images = [{"id": image, "height": SIZE, "width": SIZE} for image in IMAGES]
    categories = [{"id": category, "name": str(category)} for category in CATEGORIES]
    path.write_text(json.dumps({"images": images, "categories": categories, "annotations": truth}))
    lines = [
        {"image_id": image, "category_id": category, "segmentation": encode_rle(mask[None])[0], "score": score}
        for image, category, mask, score in guesses
    ]
    return path, lines


def official(path, lines, images):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        evaluation = COCOeval(truth, truth.loadRes([dict(line) for line in lines]), "segm")
        evaluation.params.imgIds = images
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("images", [IMAGES, [4, 30]])
def test_it_is_pycocotools_to_the_last_digit(world, package, images):
    path, lines = world
    theirs = official(path, lines, images)
    actual = coco_ap(path, lines, images, CATEGORIES, package)
    expected = np.where(theirs.stats < 0, np.nan, theirs.stats)
    # faster-coco-eval divides by tp + fp, pycocotools by tp + fp + 2.2e-16
    rounding = 0 if package == PYCOCOTOOLS else 1e-15
    metrics = [actual.metrics[name] for name in ORDER]
    assert metrics == pytest.approx(expected.tolist(), abs=rounding, rel=0, nan_ok=True)
    np.testing.assert_allclose(actual.precision, theirs.eval["precision"][:, :, :, 0, -1], rtol=0, atol=rounding)
    assert 0.05 < actual.metrics["AP"] < 0.95


@pytest.mark.parametrize("package", PACKAGES)
def test_lines_with_boxes_are_sized_by_them(world, package):
    path, lines = world
    boxed = [{**line, "bbox": [0, 0, 40 + index % 90, 40]} for index, line in enumerate(lines)]
    theirs = official(path, boxed, IMAGES).stats
    expected = np.where(theirs < 0, np.nan, theirs)
    actual = coco_ap(path, boxed, IMAGES, CATEGORIES, package).metrics
    assert [actual[name] for name in ORDER] == pytest.approx(expected.tolist(), abs=1e-15, rel=0, nan_ok=True)
    assert actual["APs"] != coco_ap(path, lines, IMAGES, CATEGORIES, package).metrics["APs"]


@pytest.mark.parametrize("package", PACKAGES)
def test_images_may_have_names(world, package, tmp_path):
    content = json.loads(world[0].read_text())
    for entry in content["images"]:
        entry["id"] = f"street_{entry['id']}"
    lines = [{**line, "image_id": f"street_{line['image_id']}"} for line in world[1]]
    for line in content["annotations"]:
        line["image_id"] = f"street_{line['image_id']}"
    (tmp_path / "named.json").write_text(json.dumps(content))
    named = coco_ap(tmp_path / "named.json", lines, ["street_4", "street_30"], CATEGORIES, package)
    assert named.metrics == pytest.approx(coco_ap(*world, [4, 30], CATEGORIES, PYCOCOTOOLS).metrics, nan_ok=True)


@pytest.mark.parametrize("package", PACKAGES)
def test_without_predictions_everything_is_missed(world, package, capsys):
    metrics = coco_ap(world[0], [], IMAGES, CATEGORIES, package).metrics
    assert metrics == dict.fromkeys(ORDER, 0.0)
    assert capsys.readouterr().out == ""


def test_the_fast_package_is_taken_where_it_is_installed(monkeypatch):
    assert ap_package_version().split()[0] == ap_package()
    monkeypatch.setattr(module, "importlib", importlib)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert ap_package() == PYCOCOTOOLS
