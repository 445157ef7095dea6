"""False segments of names that a scene does not have, and recall of those that it has.

Both depend on the negatives that compete with the vocabulary, and on the void discount.
"""

import random
import statistics
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


def measure_void_discount(
    segmenter: Segmenter, scenes: Sequence[KnownScene], counts: Sequence[int], discounts: Sequence[float]
) -> list[Row]:
    """Return a row for each number of names and each void discount, without negatives.

    Args:
        segmenter: a model for ToyWorld; its settings are restored at the end.
        scenes: of ToyWorld, embedded by it.
        counts: numbers of names in the vocabulary.
        discounts: values of GEOMETRIC_ENSEMBLE_VOID_DISCOUNT, 0-1.
    """
    rules, settings = segmenter.class_rules, segmenter.model.inference_settings
    rows = []
    try:
        segmenter.class_rules = replace(rules, negatives=None)
        for count in counts:
            for discount in discounts:
                weights = settings.ensemble.weights._replace(void_discount=discount)
                ensemble = settings.ensemble._replace(weights=weights)
                segmenter.model.inference_settings = replace(settings, ensemble=ensemble)
                rows.append({"names": count, "void discount": discount, **_measure(segmenter, scenes, count)})
    finally:
        segmenter.class_rules, segmenter.model.inference_settings = rules, settings
    return rows


def mean_rows(runs: Sequence[Sequence[Row]], keys: Sequence[str]) -> list[Row]:
    """Return the mean of each number over several models.

    Args:
        runs: rows of each model, in the same order.
        keys: columns that are equal in all runs.
    """
    return [
        {key: rows[0][key] if key in keys else statistics.fmean(float(row[key]) for row in rows) for key in rows[0]}
        for rows in zip(*runs, strict=True)
    ]


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
