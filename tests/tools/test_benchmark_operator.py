"""The script that times the operator: tables, numbers in a file, and wrong arguments."""

import json
from pathlib import Path

import pytest

from lab.operator_timing import measure
from tools import benchmark_operator

TINY = ["--device", "cpu", "--size", "32x64", "--heads", "1", "--channels", "4", "--points", "1", "--rounds", "1"]


def test_tables_and_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark_operator, "CHECKED", "32x32")
    monkeypatch.setitem(measure.COPY_BYTES, "cpu", 2**16)
    assert benchmark_operator.main([*TINY, "--check", "--json", str(tmp_path / "numbers.json")]) == 0
    text = capsys.readouterr().out
    assert "largest error against float64" in text
    assert "32x64, batch 1, cpu; a copy moves" in text
    content = json.loads((tmp_path / "numbers.json").read_text("utf-8"))
    assert [row["implementation"] for row in content["timings"]] == ["torch", "bag"] * 2
    assert [row["implementation"] for row in content["errors"]] == ["torch", "bag"]
    assert content["size"]["channels"] == 4


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--dtypes", "float8"], "--dtypes has 'float8'. Did you mean"),
        (["--implementations", "bga"], "--implementations has 'bga', which cpu does not run. Did you mean 'bag'?"),
        (["--size", "3"], "'3' is not a size"),
    ],
)
def test_mistakes(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark_operator.main([*TINY, *flags]) == 2
    assert message in capsys.readouterr().err
