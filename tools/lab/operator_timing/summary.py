"""Table of the stages of ``tools/benchmark_gpu.sh``, from the JSON files in their folder.

    python -m lab.operator_timing.summary FOLDER

writes ``table.md`` there: a row for each model, precision and batch, then the operator.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tabulate import tabulate

from frozenseg import atomic
from lab.model_timing.parts import SEGMENTATION_PARTS, TRAINING_PARTS, WHOLE, is_inside_another

GIB = 2**30
OPERATOR = "operator"


def summary(folder: Path) -> str:
    """Return the tables of a folder, in Markdown.

    Args:
        folder: with JSON files of the timing scripts; a stage without one has failed and has no row.
    """
    content = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}
    operator = content.pop(OPERATOR, None)
    tables = []
    for title, names in (("Segmentation", SEGMENTATION_PARTS), ("Training step", TRAINING_PARTS)):
        parts = [name for name in names if not is_inside_another(name)]
        training = names is TRAINING_PARTS
        rows = [row for name, each in content.items() if name.startswith("training") == training
                for row in _model_rows(name, each, parts)]  # fmt: skip
        if rows:
            tables.append(f"## {title}, milliseconds\n\n{_table(rows, ['stage', 'batch', WHOLE, *parts, 'GiB'])}")
    if operator:
        headers = ["implementation", "type", "work", "ms", "MB", "GB/s", "x roofline"]
        tables.append(f"## Deformable attention\n\n{_table(list(_operator_rows(operator)), headers)}")
    return "\n\n".join([_machine(content, operator), *tables]) + "\n"


def _machine(content: dict[str, Any], operator: dict[str, Any] | None) -> str:
    for each in content.values():
        return f"{each['hardware']['hardware']}, PyTorch {each['hardware']['torch']}"
    return f"{operator['device']}, PyTorch {operator['torch']}" if operator else "no stage has finished"


def _model_rows(name: str, content: dict[str, Any], parts: list[str]) -> Iterator[list[str]]:
    for case in content["cases"]:
        [seconds, *_] = case["seconds"]
        [(before, peak), *_] = case["memory"]
        times = [_milliseconds(seconds.get(part)) for part in (WHOLE, *parts)]
        yield [name, str(case["case"]["batch"]), *times, f"{(peak - before) / GIB:.2f}"]


def _operator_rows(content: dict[str, Any]) -> Iterator[list[str]]:
    roofline = content["copy_bytes_per_second"]
    for row in content["timings"]:
        rate = row["bytes"] / row["seconds"]
        numbers = [f"{row['bytes'] / 1e6:.0f}", f"{rate / 1e9:.3g}", f"{roofline / rate:.1f}"]
        yield [row["implementation"], row["dtype"], row["work"], _milliseconds(row["seconds"]), *numbers]


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.3g}"


def _table(rows: list[list[str]], headers: list[str]) -> str:
    table: str = tabulate(rows, headers, tablefmt="pipe", disable_numparse=True)
    return table


if __name__ == "__main__":
    target = Path(sys.argv[1])
    atomic.write_text(target / "table.md", summary(target))
