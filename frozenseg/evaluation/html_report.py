"""HTML report of an evaluation: one file without scripts, for the screen and for paper.

``templates/report.html`` has the structure, ``templates/report.css`` the look; this module prepares their data.
"""

import base64
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import yaml

from frozenseg.atomic import write_text
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.comparison import ERRORS
from frozenseg.evaluation.published import PublishedScore
from frozenseg.evaluation.render import RenderedImage
from frozenseg.evaluation.report import HEADLINES, NO_SCORE, TITLES, format_score, main_columns
from frozenseg.structures.palette import Colour

TEMPLATE_FOLDER = Path(__file__).parent / "templates"
PER_CLASS = {"PQ": "panoptic_seg", "IoU": "sem_seg", "AP": "segm"}  # metrics with a bar for each class
ENDS = 30  # number of best and of worst classes shown; the classes between them are collapsed
LEGEND_SIZE = 24  # classes in the legend of an image
SUBSETS = {"S": "seen", "U": "unseen"}


@dataclass(frozen=True)
class BenchmarkReport:
    """Content of a benchmark's section.

    Attributes:
        name: of the benchmark.
        results: ``{task: {metric: percent}}``.
        per_class: ``{metric: {class name: percent}}``.
        classes: that are scored.
        colours: of the classes.
        about: the run: some of ``config``, ``weights``, ``vocabulary``, ``seen``, ``rules``, ``libraries``, ``images``,
            ``seconds``.
        best: images with the highest scores, the best first.
        worst: images with the lowest scores, the worst first.
        score: metric of the images: ``PQ`` or ``mIoU``.
        published: published scores on this benchmark.
    """

    name: str
    results: Mapping[str, Mapping[str, float]]
    per_class: Mapping[str, Mapping[str, float]]
    classes: ClassTable
    colours: Sequence[Colour]
    about: Mapping[str, Any]
    best: Sequence[RenderedImage] = ()
    worst: Sequence[RenderedImage] = ()
    score: str = "PQ"
    published: Sequence[PublishedScore] = ()


class Table(NamedTuple):
    """Headers and rows of text; the first cell of a row names it."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]


class Bar(NamedTuple):
    """A named bar: its length in percent and its kind: ``seen``, ``unseen`` or empty."""

    label: str
    percent: float
    kind: str


class Chart(NamedTuple):
    """Bars of all classes in three groups; if there are few classes, all are in ``best``."""

    summary: str
    best: Sequence[Bar]
    between: Sequence[Bar]
    worst: Sequence[Bar]


@dataclass(frozen=True)
class Section:
    """Input of the template for one benchmark: the report and values computed from it."""

    report: BenchmarkReport

    @property
    def summary(self) -> str:
        """Return the numbers of classes and images."""
        classes, about = self.report.classes, self.report.about
        seen = int(classes.subsets["S"].sum())
        counts = f"{len(classes)} classes, {seen} of them seen in training, {len(classes) - seen} unseen"
        return f"{counts}; {about['images']} images" if "images" in about else counts

    @property
    def main_scores(self) -> list[tuple[str, str]]:
        """Return the main metric of each task and its score."""
        return [
            (HEADLINES[task], format_score(metrics.get(HEADLINES[task])))
            for task, metrics in self.report.results.items()
            if task in HEADLINES
        ]

    @property
    def tasks(self) -> list[Table]:
        """Return a table for each task: this run, then published results."""
        return [self._task(task, metrics) for task, metrics in self.report.results.items()]

    @property
    def subsets(self) -> list[tuple[str, list[Bar]]]:
        """Return, for each task with subsets of classes, its main metric on all of them and on each."""
        groups = []
        for task, headline in HEADLINES.items():
            metrics = self.report.results.get(task, {})
            names = {headline: "all", **{f"{name}_{headline}": name for name in self.report.classes.subsets}}
            values = {SUBSETS.get(name, name): metrics.get(metric, math.nan) for metric, name in names.items()}
            bars = [
                Bar(name, value, name if name in SUBSETS.values() else "")
                for name, value in values.items()
                if not math.isnan(value)
            ]
            if bars:
                groups.append((headline, bars))
        return groups

    @property
    def charts(self) -> list[Chart]:
        """Return the scores of all classes, a chart for each metric that has them."""
        metrics = [metric for metric in PER_CLASS if self.report.per_class.get(metric)]
        return [self._chart(metric, self.report.per_class[metric]) for metric in metrics]

    @property
    def seconds(self) -> list[tuple[str, float, float]]:
        """Return the parts of the run: name, seconds and percent of all."""
        seconds: Mapping[str, float] = self.report.about.get("seconds") or {}
        total = sum(seconds.values()) or 1.0
        return [(name, value, 100 * value / total) for name, value in seconds.items()]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Return the facts about the run as (name, value): weights, seen classes, rules, versions."""
        about = self.report.about
        groups = {key: about[key] for key in ("weights", "seen") if key in about}
        rows = [(f"{group}: {key}", _plain(value)) for group, items in groups.items() for key, value in items.items()]
        rows += [(f"rule: {name}", str(rule)) for name, rule in about.get("rules", {}).items()]
        return rows + ([("versions", _plain(about["libraries"]))] if "libraries" in about else [])

    @property
    def vocabulary(self) -> list[tuple[str, str]]:
        """Return the classes and all their names."""
        return [(name, ", ".join(synonyms)) for name, synonyms in (self.report.about.get("vocabulary") or {}).items()]

    @property
    def config(self) -> str:
        """Return the config as YAML; empty if it is not known."""
        config = self.report.about.get("config")
        return yaml.safe_dump(config, sort_keys=False, width=100) if config else ""

    def legend(self, labels: Iterable[int]) -> list[tuple[str, Colour]]:
        """Return the names and colours of classes."""
        return [(self.report.classes.names[label], self.report.colours[label]) for label in labels]

    def _task(self, task: str, metrics: Mapping[str, float]) -> Table:
        of_others: dict[str, dict[str, float]] = {}
        for score in self.report.published:
            if score.task == task:
                name = f"{score.model}, published ({score.source})"
                of_others.setdefault(name, {})[score.metric] = score.value
        columns = main_columns(task, list(metrics))
        rows = [("this run", metrics), *of_others.items()]
        cells = [[name, *(format_score(values.get(column)) for column in columns)] for name, values in rows]
        return Table([TITLES.get(task, task), *columns], cells)

    def _chart(self, metric: str, scores: Mapping[str, float]) -> Chart:
        classes = self.report.classes
        seen = dict(zip(classes.names, classes.subsets["S"].tolist(), strict=True))
        ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        bars = [Bar(name, value, "seen" if seen.get(name) else "unseen") for name, value in ordered]
        summary = f"{metric} of {len(bars)} classes, the best first"
        if missing := len(classes) - len(bars):
            summary += f"; {missing} without"
        if len(bars) <= 2 * ENDS:
            return Chart(summary, bars, [], [])
        return Chart(summary, bars[:ENDS], bars[ENDS:-ENDS], bars[-ENDS:])


def write_report(path: str | Path, benchmarks: Sequence[BenchmarkReport]) -> None:
    """Write the page atomically.

    Args:
        path: the file; its folder is created.
        benchmarks: one section for each.
    """
    write_text(path, page(benchmarks))


def page(benchmarks: Sequence[BenchmarkReport]) -> str:
    """Return the page as HTML."""
    template = _environment().get_template("report.html")
    return template.render(
        sections=[Section(benchmark) for benchmark in benchmarks],
        weights=_weights(benchmarks),
        overview=_overview(benchmarks),
        errors=list(ERRORS.values()),
        legend_size=LEGEND_SIZE,
    )


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode("ascii")
    return environment


def _weights(benchmarks: Sequence[BenchmarkReport]) -> str:
    weights: Mapping[str, Any] = benchmarks[0].about.get("weights", {}) if benchmarks else {}
    parts = [str(weights[key]) for key in ("model", "file") if weights.get(key)]
    parts += [f"weights {weights['hash']}"] if weights.get("hash") else []
    return " · ".join(parts)


def _overview(benchmarks: Sequence[BenchmarkReport]) -> Table:
    """Return the main scores of all benchmarks."""
    tasks = [task for task in HEADLINES if any(task in benchmark.results for benchmark in benchmarks)]
    rows = []
    for benchmark in benchmarks:
        scores = [format_score(benchmark.results.get(task, {}).get(HEADLINES[task])) for task in tasks]
        rows.append([benchmark.name, *scores, str(benchmark.about.get("images", NO_SCORE))])
    return Table(["Benchmark", *(HEADLINES[task] for task in tasks), "images"], rows)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return str(value)
