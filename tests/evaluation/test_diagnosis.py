"""Diagnoses: logged if the headline score of a benchmark is 0 or NaN, and only then."""

import logging

from frozenseg.evaluation.diagnosis import diagnose, warn_about_zero_scores

NAN = float("nan")


def test_scores_above_zero_have_no_diagnosis():
    assert diagnose("pets", {"panoptic_seg": {"PQ": 0.01, "U_PQ": 0.0, "PQ_th": NAN}, "recall": {"R": 0.0}}) == ""


def test_a_zero_has_likely_causes():
    hint = diagnose("pets", {"panoptic_seg": {"PQ": 0.0}, "sem_seg": {"mIoU": 1.0}, "segm": {"AP": 0.0}})
    assert hint.startswith("PQ and AP on pets: 0 for all classes. Likely causes: (1) the weights")
    for cause in ("class names are in another order", "category ids", "OBJECT_MASK_THRESHOLD", "another size"):
        assert cause in hint
    assert "label images" not in hint


def test_what_is_not_annotated_is_nan():
    assert diagnose("pets", {"sem_seg": {"mIoU": NAN}}) == (
        "mIoU on pets: NaN, because no class is annotated in the evaluated images."
    )


def test_there_is_one_warning(caplog):
    zero = {"sem_seg": {"mIoU": 0.0}}
    with caplog.at_level(logging.WARNING):
        warn_about_zero_scores({"pets": {"sem_seg": {"mIoU": 3.0}}})
        assert caplog.messages == []
        warn_about_zero_scores({"pets": zero, "zoo": zero})
    (message,) = caplog.messages
    assert "mIoU on pets: 0" in message
    assert "mIoU on zoo: 0" in message
