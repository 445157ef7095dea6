"""Tables of the measurements."""

from collections.abc import Iterator, Sequence

from tabulate import tabulate

from lab.model_timing.paired_rounds import CaseTimes
from lab.model_timing.parts import FORWARD, REST, WHOLE

GIB = 2**30
CHECKOUTS = ("this", "other")


def table_of_case(times: CaseTimes, parts: Sequence[str], floor: dict[str, float]) -> str:
    """Return the table of one case: a row for each part.

    Args:
        times: measurements.
        parts: of the workload.
        floor: seconds of each part; may be empty.
    """
    names = CHECKOUTS[: len(times.rounds)]
    headers = ["part", *(f"{name}, s" for name in names), "share"]
    headers += ["ratio (range)"] * (len(names) > 1) + ["floor, s", "x floor"] * bool(floor)
    rows = [list(_cells(times, part, floor, len(names))) for part in (*parts, REST, FORWARD, WHOLE)]
    rows = [row for row in rows if any(cell != "-" for cell in row[1 : 1 + len(names)])]
    table = tabulate(rows, headers, disable_numparse=True, colalign=("left", *["right"] * (len(headers) - 1)))
    return f"{times.case}\n\n{table}\n\n{memory_line(times, names)}"


def table_of_cases(cases: Sequence[CaseTimes], parts: Sequence[str]) -> str:
    """Return the table that shows how time and memory grow: a row for each case, a column for each part, seconds."""
    shown = [part for part in (*parts, WHOLE) if any(times.median(part) is not None for times in cases)]
    rows = [
        [
            f"{times.case.height}x{times.case.width}",
            times.case.classes,
            times.case.batch,
            *(_number(times.median(part)) for part in shown),
            f"{(times.memory[0][1] - times.memory[0][0]) / GIB:.2f}",
        ]
        for times in cases
    ]
    headers = ["size", "classes", "batch", *shown, "GiB"]
    table: str = tabulate(rows, headers, disable_numparse=True, colalign=["right"] * len(headers))
    return table


def table_of_differences(times: CaseTimes) -> str:
    """Return the table of the differences of the results."""
    rows = [[row.name, f"{row.largest:.3g}", f"{row.scale:.3g}"] for row in times.differences]
    headers = ["result", "largest difference, or share of pixels", "deviation of the values, or a single value"]
    table: str = tabulate(rows, headers, disable_numparse=True)
    return table


def memory_line(times: CaseTimes, names: Sequence[str]) -> str:
    """Return the peak memory of the first run of a case, above that before it."""
    parts = [
        f"{name} {(peak - before) / GIB:.2f} GiB above {before / GIB:.2f} GiB"
        for name, (before, peak) in zip(names, times.memory, strict=True)
    ]
    return f"peak memory: {', '.join(parts)}"


def _cells(times: CaseTimes, part: str, floor: dict[str, float], checkouts: int) -> Iterator[str]:
    yield part
    seconds = [times.median(part, index) for index in range(checkouts)]
    yield from map(_number, seconds)
    yield "-" if seconds[0] is None else f"{seconds[0] / (times.median(WHOLE) or 1):.0%}"
    if checkouts > 1:
        yield str(times.ratio(part) or "-")
    if floor:
        least = floor.get(part)
        yield _number(least)
        yield "-" if not least or seconds[0] is None else f"{seconds[0] / least:.1f}"


def _number(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.3g}" if seconds < 100 else f"{seconds:.0f}"
