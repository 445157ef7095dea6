"""The grid as a picture: a line a question, a dot a seed, seen and unseen."""

from collections.abc import Sequence
from pathlib import Path

from frozenseg.ablation.table import Row
from frozenseg.atomic import replacing

SHOWN = {"seen PQ": "#4c78a8", "unseen PQ": "#e45756"}
CONTROL = "unseen PQ, shuffled"


def draw_rows(rows: Sequence[Row], path: Path) -> None:
    """Draw panoptic quality of all questions, with the control in grey.

    Args:
        rows: from :func:`read_rows`.
        path: PNG or SVG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.9 + 0.34 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        for title, colour in {CONTROL: "#bbbbbb", **SHOWN}.items():
            values = [numbers[title] for numbers in row.by_seed.values() if title in numbers]
            label = title if place == 0 else None
            axes.plot([sum(values) / len(values)], [place], "|", color=colour, markersize=14, markeredgewidth=2)
            axes.plot(values, [place] * len(values), "o", color=colour, markersize=5, alpha=0.6, label=label)
    axes.set_yticks(range(len(rows)), [row.question.name for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)  # the first on top
    axes.set_xlim(left=0)
    axes.set_xlabel("panoptic quality, percent: a dot a seed, a bar their mean")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
