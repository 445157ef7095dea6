"""False segments of names that a scene does not have, and recall of those that it has, with and without negatives."""

import random
from collections.abc import Sequence
from dataclasses import replace

from frozenseg.inference.predictor import Segmenter
from frozenseg.toyworld.categories import all_categories
from lab.vocabulary_measures.toyworld_scenes import KnownScene

Row = dict[str, float | int | str]


def measure_absent_names(
    segmenter: Segmenter, scenes: Sequence[KnownScene], counts: Sequence[int], weights: Sequence[float]
) -> list[Row]:
    """Return a row for each number of names and each weight of the negatives; weight 0: no negatives.

    Args:
        segmenter: of the package's model; its rules are replaced.
        scenes: of ToyWorld.
        counts: numbers of names in the vocabulary.
        weights: of the negatives.
    """
    rules = segmenter.class_rules
    rows = []
    try:
        for count in counts:
            for weight in weights:
                negatives = rules.negatives if weight else None
                segmenter.class_rules = replace(
                    rules, negatives=negatives, negatives_up_to=max(counts), negative_weight=weight or 1.0
                )
                rows.append({"names": count, "negatives": weight or "none", **_measure(segmenter, scenes, count)})
    finally:
        segmenter.class_rules = rules
    return rows


def _measure(segmenter: Segmenter, scenes: Sequence[KnownScene], count: int) -> Row:
    generator = random.Random(count)  # noqa: S311 (a sample, no secret)
    stuff = {category.name for category in all_categories() if not category.isthing}
    names = [category.name for category in all_categories()]
    false_segments, images_with_any, hits, asked = 0, 0, 0, 0
    for scene in scenes:
        absent = generator.sample([name for name in names if name not in scene.present], count)
        segments = _segments(segmenter, scene, absent, stuff)
        false_segments += len(segments)
        images_with_any += bool(segments)
        present = generator.sample(scene.present, min(count, len(scene.present)))
        hits += len(set(_segments(segmenter, scene, present, stuff)))
        asked += len(present)
    return {
        "false segments an image": false_segments / len(scenes),
        "images with a false segment": images_with_any / len(scenes),
        "recall of present names": hits / asked,
    }


def _segments(segmenter: Segmenter, scene: KnownScene, names: Sequence[str], stuff: set[str]) -> list[str]:
    """Return the class name of each segment of a scene."""
    vocabulary = [f"stuff: {name}" if name in stuff else name for name in names]
    result = segmenter.classify(scene.embedded, vocabulary, outputs="panoptic")
    return [segment.name for segment in result.segments]
