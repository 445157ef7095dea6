"""Comparison with goldens: tolerances, the table of stages, and reading of goldens."""

import numpy as np
import pytest
import torch

from frozenseg.errors import DataError, ShapeError
from lab.parity.compare import Comparer, Row, first_difference, sum_tolerance, table, tolerance
from lab.parity.goldens import Arrays, Golden, find_goldens, read_golden, statistics
from lab.parity.record import thinned, write_golden

COMPARE = Comparer("case")


@pytest.mark.parametrize(
    ("golden", "floor", "expected"),
    [
        ([-1.0, 1.0], 0.0, 1e-4),  # standard deviation 1
        ([-1.0, 1.0], 1e-3, 4e-3),  # noisier
        ([5.0], 0.0, 5 * 2**-18),  # does not vary: 32 units in the last place, 2⁻²³ each
        ([], 0.0, 0.0),
    ],
)
def test_tolerance(golden: list[float], floor: float, expected: float) -> None:
    assert tolerance(np.array(golden), floor) == pytest.approx(expected)


def test_errors_shared_by_all_queries_add_up() -> None:
    sums = np.array([30.0, 34.0])  # standard deviation 2
    assert sum_tolerance(sums, 0.0, term=1e-5) == pytest.approx(34e-5, rel=1e-4)
    assert sum_tolerance(sums, 0.0, term=0.0) == pytest.approx(2e-4)  # as for other arrays
    assert sum_tolerance(sums, 1e-3, term=1e-5) == pytest.approx(4e-3)


def test_close_reads_every_kept_element() -> None:
    golden = np.array([0.0, 2.0, 4.0], dtype=np.float32)  # deviation 1.63
    actual = torch.tensor([[0.0, 9.0], [2.0001, 9.0], [4.0, 9.0]])
    row = COMPARE.close("stage", actual, golden, step=2)
    assert row.passed
    assert row.maximum == pytest.approx(1e-4, rel=1e-2)
    assert row.mean == pytest.approx(1e-4 / 3, rel=1e-2)
    assert not COMPARE.close("stage", actual + 0.001, golden, step=2).passed


def test_nan_and_another_size_never_pass() -> None:
    assert not COMPARE.close("stage", torch.tensor([float("nan"), 1.0]), np.array([0.0, 1.0])).passed
    with pytest.raises(ShapeError, match="case, stage: there are 3 values, but 2 in the golden"):
        COMPARE.close("stage", torch.zeros(3), np.zeros(2))


def test_the_whole_array_counts_too() -> None:
    values = torch.arange(10.0)
    golden = statistics(values.numpy())
    assert golden.tolist() == pytest.approx([4.5, 8.25**0.5, 45.0, 0.0, 9.0])
    assert COMPARE.whole("stage", values, golden, spread=1.0).passed
    values[3] = 20.0
    assert not COMPARE.whole("stage", values, golden, spread=1.0).passed


def test_table_and_first_difference() -> None:
    rows = [
        COMPARE.equal("first", 0),
        COMPARE.equal("second", 0, ties=2),
        Row("case", "third", 0.5, 0.25, 0.1, 0, False),
        COMPARE.equal("fourth", 3),
    ]
    lines = table(rows).splitlines()[2:]
    assert [line.split()[1] for line in lines] == ["first", "second", "third", "fourth"]
    assert [line.split()[-1] for line in lines] == ["equal", "equal", "DIFFERS", "DIFFERS"]
    assert lines[2].split()[2:5] == ["5.0e-01", "2.5e-01", "1.0e-01"]
    assert first_difference(rows) is rows[2]
    assert first_difference(rows[:2]) is None


def test_goldens_are_written_and_read(tmp_path) -> None:
    golden = Golden("a", {"losses": {}, "noise_floor": {"x": {"max": 0.5}}}, Arrays({"x/y": np.arange(3)}))
    write_golden(tmp_path / "a.json", golden)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.json", "a.npz"]
    again = read_golden(tmp_path / "a.json")
    assert (again.kind, again.floor("x", "max"), again.floor("y", "max")) == ("training", 0.5, 0.0)
    assert again.arrays["x/y"].tolist() == [0, 1, 2]


def test_what_is_no_golden(tmp_path) -> None:
    with pytest.raises(DataError, match="There are no goldens in"):
        find_goldens(tmp_path)
    write_golden(tmp_path / "fcclip_r50.json", Golden("a", {}, Arrays({"x": np.arange(3)})))
    with pytest.raises(DataError, match="Unknown case 'fcclip_r5'. Did you mean 'fcclip_r50'"):
        find_goldens(tmp_path, ["fcclip_r5"])
    whole = (tmp_path / "fcclip_r50.npz").read_bytes()
    (tmp_path / "fcclip_r50.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be read"):
        read_golden(tmp_path / "fcclip_r50.json")
    np.savez(tmp_path / "fcclip_r50.npz", x=np.array([object()], dtype=object))  # pickled inside
    with pytest.raises(DataError, match="cannot be read"):
        read_golden(tmp_path / "fcclip_r50.json")


@pytest.mark.parametrize(("size", "limit", "step"), [(10, 10, 1), (11, 10, 3), (30, 10, 3), (31, 10, 5)])
def test_thinning_takes_odd_steps(size: int, limit: int, step: int) -> None:
    values, taken = thinned(np.arange(size), limit)
    assert taken == step
    assert values.tolist() == list(range(0, size, step))
