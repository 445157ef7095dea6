"""Plot of an ablation study: one line per ablation, one dot per seed, for seen and unseen classes and the control."""

from collections.abc import Sequence
from pathlib import Path

from frozenseg.atomic import replacing
from frozenseg.errors import ConfigError
from lab.ablation.table import Column, StudyResults

CONTROL, FIRST, UNSEEN = "#bbbbbb", "#4c78a8", "#e45756"


def check_matplotlib() -> None:
    """Check that matplotlib is installed, before any training.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ConfigError("Plots need matplotlib: pip install -e '.[plot]', or pip install matplotlib.") from error


def draw_results(results: StudyResults, path: Path) -> None:
    """Draw the main metric of all ablations, with the control in grey.

    Args:
        results: from :func:`read_results`.
        path: PNG or SVG file.
    """
    from matplotlib.figure import Figure

    rows, columns = results.rows, plotted_columns(results.columns)
    figure = Figure(figsize=(8, 0.9 + 0.34 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for title, colour in columns.items():
        axes.plot([], [], "o", color=colour, markersize=5, alpha=0.6, label=title)
        for height, row in enumerate(rows):
            values = [numbers[title] for numbers in row.by_seed.values() if title in numbers]
            if values:
                axes.plot([sum(values) / len(values)], [height], "|", color=colour, markersize=14, markeredgewidth=2)
                axes.plot(values, [height] * len(values), "o", color=colour, markersize=5, alpha=0.6)
    axes.set_yticks(range(len(rows)), [row.ablation.name for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)  # the first one on top
    axes.set_xlim(left=0)
    axes.set_xlabel("percent; dots: seeds, bars: mean over seeds")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def plotted_columns(columns: Sequence[Column]) -> dict[str, str]:
    """Return titles and colours: the first column, the first of unseen classes, and the control of the same task."""
    plain = [column for column in columns if not column.shuffled]
    first, unseen = plain[0], next((column for column in plain if column.metric.startswith("U_")), None)
    controlled = (unseen or first).benchmark, (unseen or first).task
    controls = (column for column in columns if column.shuffled and (column.benchmark, column.task) == controlled)
    chosen = {CONTROL: next(controls, None), FIRST: first, UNSEEN: unseen}
    return {column.title: colour for colour, column in chosen.items() if column is not None}
