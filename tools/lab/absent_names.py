"""False segments of small vocabularies on ToyWorld: scenes are segmented by names of classes that they do not show.

A model with a void class should return nothing then. Letters: H×W image size.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from frozenseg.inference.predictor import Segmenter
from frozenseg.inference.result import Result
from frozenseg.toyworld.categories import Category
from frozenseg.toyworld.export import Recipe, make_scene, split_categories
from frozenseg.toyworld.scenes import Scene
from frozenseg.vocabulary import Vocabulary

SIZES = (1, 3, 10)  # numbers of absent names
MATCH = 0.5  # IoU above which a segment matches the ground truth, as in panoptic quality


class SmallVocabularyCounts(NamedTuple):
    """Counts over scenes, for vocabularies of 1, 3 and 10 absent names and for one name of a present class.

    Attributes:
        scenes: number of scenes.
        absent: segments per image, all of them false, by the number of absent names.
        present_recall: share of the segments of the present class that are matched, 0-1.
        present_false: segments per image that match none of them.
    """

    scenes: int
    absent: dict[int, float]
    present_recall: float
    present_false: float


def count_false_segments(segmenter: Segmenter, recipe: Recipe) -> SmallVocabularyCounts:
    """Segment the scenes of a ToyWorld split by small vocabularies and count the segments.

    Args:
        segmenter: the model.
        recipe: of the scenes; the names are drawn with its seed, so that all models get the same ones.
    """
    absent = dict.fromkeys(SIZES, 0)
    expected = matched = false = 0
    categories = split_categories(recipe.split)
    for number in range(1, recipe.count + 1):
        scene = make_scene(recipe, number)
        rng = np.random.default_rng([recipe.seed, number])
        image = Image.fromarray(scene.image)
        present = sorted({segment.category for segment in scene.segments}, key=lambda category: category.id)
        others = [category for category in categories if category not in present]
        order = rng.permutation(len(others))
        for size in SIZES:
            vocabulary = _vocabulary([others[index] for index in order[:size]])
            absent[size] += len(segmenter(image, vocabulary).panoptic[1])
        target = present[rng.integers(len(present))]
        result = segmenter(image, _vocabulary([target]))
        hits = _matches(result, scene, target)
        expected += sum(segment.category == target for segment in scene.segments)
        matched += hits
        false += len(result.panoptic[1]) - hits
    counts = {size: count / recipe.count for size, count in absent.items()}
    return SmallVocabularyCounts(recipe.count, counts, matched / expected, false / recipe.count)


def _vocabulary(categories: Sequence[Category]) -> Vocabulary:
    return Vocabulary([category.names for category in categories], [category.isthing for category in categories])


def _matches(result: Result, scene: Scene, category: Category) -> int:
    """Return how many segments of a class in the ground truth are matched by a predicted segment."""
    ids, segments = result.panoptic
    predictions = [ids.numpy() == segment["id"] for segment in segments]
    truths = [scene.ids == segment.id for segment in scene.segments if segment.category == category]
    return sum(any(_iou(truth, prediction) > MATCH for prediction in predictions) for truth in truths)


def _iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())
