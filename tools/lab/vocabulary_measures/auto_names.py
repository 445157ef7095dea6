"""Precision and recall of the names that the vocabulary ``auto`` uses."""

from collections.abc import Sequence
from dataclasses import replace

from frozenseg.inference.auto_vocabulary import AUTO
from frozenseg.inference.predictor import Segmenter
from lab.vocabulary_measures.toyworld_scenes import KnownScene

Row = dict[str, float | int | str]


def measure_auto_names(segmenter: Segmenter, scenes: Sequence[KnownScene], thresholds: Sequence[float]) -> list[Row]:
    """Return a row for each threshold of evidence: names with a segment against the names in the scenes.

    Args:
        segmenter: of the package's model; its rules are replaced.
        scenes: of ToyWorld.
        thresholds: values of PREDICT.AUTO_EVIDENCE.
    """
    rules = segmenter.class_rules
    rows: list[Row] = []
    try:
        for threshold in thresholds:
            segmenter.class_rules = replace(rules, auto_evidence=threshold)
            predicted, correct, present = 0, 0, 0
            for scene in scenes:
                names = set(segmenter.classify(scene.embedded, AUTO, outputs="panoptic").present)
                predicted += len(names)
                correct += len(names & set(scene.present))
                present += len(scene.present)
            precision, recall = correct / max(1, predicted), correct / present
            rows.append(
                {"evidence": threshold, "names an image": predicted / len(scenes), "precision": precision,
                 "recall": recall}
            )  # fmt: skip
    finally:
        segmenter.class_rules = rules
    return rows
