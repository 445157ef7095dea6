"""Precision and recall of the names that the vocabulary ``auto`` uses."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from frozenseg.inference.auto_vocabulary import AUTO
from frozenseg.inference.predictor import Segmenter
from lab.vocabulary_measures.toyworld_scenes import KnownScene

Row = dict[str, float | int | str]


def measure_auto_names(
    segmenter: Segmenter, scenes: Sequence[KnownScene], image_weights: Sequence[float], thresholds: Sequence[float]
) -> list[Row]:
    """Return a row for each weight and threshold: names with a segment against the names in the scenes.

    Args:
        segmenter: of the package's model; its rules are replaced.
        scenes: of ToyWorld.
        image_weights: values of PREDICT.AUTO_IMAGE_WEIGHT.
        thresholds: values of PREDICT.AUTO_EVIDENCE.
    """
    rules = segmenter.class_rules
    rows: list[Row] = []
    try:
        for weight, threshold in product(image_weights, thresholds):
            segmenter.class_rules = replace(rules, auto_evidence=threshold, auto_image_weight=weight)
            predicted, correct, near, present = 0, 0, 0, 0
            for scene in scenes:
                names = set(segmenter.classify(scene.embedded, AUTO, outputs="panoptic").present)
                predicted += len(names)
                correct += len(names & set(scene.present))
                near += sum(is_near(name, scene.present) for name in names)
                present += len(scene.present)
            row: Row = {"image weight": weight, "evidence": threshold, "names an image": predicted / len(scenes)}
            precision, recall = correct / max(1, predicted), correct / present
            f1 = 2 * correct / (predicted + present)
            rows.append({**row, "precision": precision, "recall": recall, "F1": f1, "near": near / max(1, predicted)})
    finally:
        segmenter.class_rules = rules
    return rows


def is_near(name: str, present: Sequence[str]) -> bool:
    """Return True if a name is one of those present, or differs from one in a single word: ``red heart``, ``red star``.

    Args:
        name: of ToyWorld.
        present: names of a scene.
    """
    parts = name.split()
    for other in map(str.split, present):
        different = [a != b for a, b in zip(parts, other, strict=False)]
        if len(other) == len(parts) and sum(different) <= (len(parts) > 1):
            return True
    return False
