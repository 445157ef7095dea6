"""Expected scores: the form is checked before a run, the values after it."""

import pytest

from frozenseg.errors import ConfigError, FrozenSegError
from frozenseg.evaluation.expected import ExpectedScore, check_results, read_expected

ROW = ["panoptic_seg", "PQ", 30, 0.5]
RESULTS = {"pets": {"panoptic_seg": {"PQ": 30.4, "SQ": 70.0}, "sem_seg": {"mIoU": float("nan")}}}


def test_a_row_is_about_the_one_benchmark_or_names_its_own():
    assert read_expected([ROW], ["pets"]) == (ExpectedScore("pets", "panoptic_seg", "PQ", 30.0, 0.5),)
    assert read_expected([["zoo", *ROW]], ["pets", "zoo"]) == (ExpectedScore("zoo", "panoptic_seg", "PQ", 30.0, 0.5),)
    assert read_expected([], []) == ()


@pytest.mark.parametrize(
    ("row", "benchmarks", "message"),
    [
        (ROW, ["pets", "zoo"], "but 2 benchmarks are run: name one"),
        (ROW[:3], ["pets"], r"has the row \['panoptic_seg', 'PQ', 30\]: expected \[task, metric, value, tolerance\]"),
        ("PQ", ["pets"], r"has the row 'PQ': expected \[task"),
        (["panoptic_seg", "PQ", "30", 1], ["pets"], "the last two finite numbers"),
        (["panoptic_seg", "PQ", 30, float("nan")], ["pets"], "the last two finite numbers"),
        (["panoptic_seg", "PQ", True, 1], ["pets"], "the last two finite numbers"),
        (["panoptic_seg", 5, 30, 1], ["pets"], r"expected \[task"),
        (["panoptic_seg", "PQ", 30, -1], ["pets"], "tolerance must not be below 0"),
        (["pet", *ROW], ["pets", "zoo"], "'pet' is not run. Did you mean 'pets'"),
    ],
)
def test_other_rows_are_refused(row, benchmarks, message):
    with pytest.raises(ConfigError, match=message):
        read_expected([row], benchmarks)


def expect(*rows):
    check_results(read_expected(rows, ["pets"]), RESULTS)


def test_what_is_within_the_tolerance_passes():
    expect(ROW, ["panoptic_seg", "SQ", 70, 0], ["pets", "panoptic_seg", "PQ", 30.9, 0.5])


def test_every_value_that_is_off_is_named():
    with pytest.raises(FrozenSegError) as error:
        expect(
            ROW,
            ["panoptic_seg", "PQ", 31, 0.5],
            ["sem_seg", "mIoU", 20, 100],
            ["segm", "AP", 1, 1],
            ["panoptic_seg", "PG", 1, 1],
        )
    assert str(error.value) == (
        "4 of 5 results differ from TEST.EXPECTED_RESULTS: "
        "pets/panoptic_seg/PQ: expected 31 ± 0.5, got 30.4000; "
        "pets/sem_seg/mIoU: expected 20 ± 100, got nan; "
        "pets/segm/AP: there is no task 'segm', only panoptic_seg, sem_seg; "
        "pets/panoptic_seg/PG: there is no such metric, only PQ, SQ."
    )
