"""Hints: told where a whole benchmark scores nothing, and only there."""

import logging

from frozenseg.evaluation.diagnosis import diagnose, warn_about_zero_scores

NAN = float("nan")


def test_nothing_is_said_of_scores_above_nothing():
    assert diagnose("pets", {"panoptic_seg": {"PQ": 0.01, "U_PQ": 0.0, "PQ_th": NAN}, "recall": {"R": 0.0}}) == ""


def test_a_zero_has_likely_causes():
    hint = diagnose("pets", {"panoptic_seg": {"PQ": 0.0}, "sem_seg": {"mIoU": 1.0}, "segm": {"AP": 0.0}})
    assert hint.startswith("PQ and AP on pets: 0 for all classes. Likely causes: (1) the weights")
    for cause in ("words stand in another order", "category ids", "OBJECT_MASK_THRESHOLD", "another size"):
        assert cause in hint
    assert "label pictures" not in hint


def test_what_is_not_annotated_is_no_number():
    assert diagnose("pets", {"sem_seg": {"mIoU": NAN}}) == (
        "mIoU on pets: not a number, because no class is annotated in the evaluated images."
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
