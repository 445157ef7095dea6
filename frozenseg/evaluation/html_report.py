"""The evaluation as one page to look at: self-contained, without scripts, for the screen and for paper."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from frozenseg.atomic import write_text
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.comparison import ERRORS
from frozenseg.evaluation.html_parts import bar, chips, element, fold, picture, stacked, table, text
from frozenseg.evaluation.html_style import STYLE
from frozenseg.evaluation.published import PublishedScore
from frozenseg.evaluation.render import RenderedImage
from frozenseg.evaluation.report import HEADLINES, NO_SCORE, TITLES, format_score, main_columns
from frozenseg.structures.palette import Colour

PER_CLASS = {"PQ": "panoptic_seg", "IoU": "sem_seg", "AP": "segm"}  # metrics that are drawn for each class
ENDS = 30  # best and worst classes that stand outside the fold
LEGEND = 24  # classes in the legend of an image
NOTHING_IN = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # the page may load nothing
SPELLED = {"S": "seen", "U": "unseen"}


@dataclass(frozen=True)
class BenchmarkReport:
    """All that the page says of a benchmark.

    Attributes:
        name: of the benchmark.
        results: ``{task: {metric: percent}}``.
        per_class: ``{metric: {class name: percent}}``.
        classes: that are scored.
        colours: of the classes.
        about: what was run: some of ``config``, ``weights``, ``vocabulary``, ``seen``, ``rules``, ``libraries``,
            ``images``, ``seconds``.
        best: the images done best, the best first.
        worst: the images done worst, the worst first.
        score: what their scores are: ``PQ`` or ``mIoU``.
        published: results of others on this benchmark.
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


def write_report(path: str | Path, benchmarks: Sequence[BenchmarkReport]) -> None:
    """Write the page, whole or not at all.

    Args:
        path: the file; its folder is made.
        benchmarks: a section each.
    """
    write_text(path, page(benchmarks))


def page(benchmarks: Sequence[BenchmarkReport]) -> str:
    """Return the page as HTML."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=NOTHING_IN),
        element("title", text("Evaluation: " + ", ".join(benchmark.name for benchmark in benchmarks))),
        element("style", STYLE),
    )
    overview = [_overview(benchmarks)] if len(benchmarks) > 1 else []
    sections = [_section(place, benchmark) for place, benchmark in enumerate(benchmarks)]
    body = element("body", element("h1", "Evaluation"), _weights(benchmarks), *overview, *sections)
    return "<!DOCTYPE html>\n" + element("html", head, body, lang="en")


def _weights(benchmarks: Sequence[BenchmarkReport]) -> str:
    weights: Mapping[str, Any] = benchmarks[0].about.get("weights", {}) if benchmarks else {}
    parts = [str(weights[key]) for key in ("model", "file") if weights.get(key)]
    parts += [f"weights {weights['hash']}"] if weights.get("hash") else []
    return element("p", text(" · ".join(parts)), class_="soft")


def _overview(benchmarks: Sequence[BenchmarkReport]) -> str:
    tasks = [task for task in HEADLINES if any(task in benchmark.results for benchmark in benchmarks)]
    rows = []
    for place, benchmark in enumerate(benchmarks):
        scores = [format_score(benchmark.results.get(task, {}).get(HEADLINES[task])) for task in tasks]
        images = text(benchmark.about.get("images", NO_SCORE))
        rows.append([element("a", text(benchmark.name), href=f"#benchmark{place}"), *scores, images])
    return table(["Benchmark", *(HEADLINES[task] for task in tasks), "images"], rows)


def _section(place: int, benchmark: BenchmarkReport) -> str:
    seen = int(benchmark.classes.subsets["S"].sum())
    counts = (
        f"{len(benchmark.classes)} classes, {seen} of them seen in training, {len(benchmark.classes) - seen} unseen"
    )
    if "images" in benchmark.about:
        counts += f"; {benchmark.about['images']} images"
    return element(
        "section",
        element("h2", text(benchmark.name), id=f"benchmark{place}"),
        element("p", text(f"{counts}. All scores in percent."), class_="soft"),
        _tiles(benchmark),
        *(_task(benchmark, task) for task in benchmark.results),
        _subsets(benchmark),
        _per_class(benchmark),
        _gallery(benchmark),
        _what_was_run(benchmark.about),
    )


def _tiles(benchmark: BenchmarkReport) -> str:
    tiles = [
        element(
            "div",
            element("b", format_score(metrics.get(HEADLINES[task]))),
            element("span", HEADLINES[task]),
            class_="tile",
        )
        for task, metrics in benchmark.results.items()
        if task in HEADLINES
    ]
    return element("div", *tiles, class_="tiles")


def _task(benchmark: BenchmarkReport, task: str) -> str:
    metrics = benchmark.results[task]
    of_others: dict[str, dict[str, float]] = {}
    for row in benchmark.published:
        if row.task == task:
            of_others.setdefault(f"{row.model}, published ({row.source})", {})[row.metric] = row.value
    columns = main_columns(task, list(metrics))
    rows = [("this run", metrics), *of_others.items()]
    cells = [[text(name), *(format_score(values.get(column)) for column in columns)] for name, values in rows]
    return table([TITLES.get(task, task), *columns], cells)


def _subsets(benchmark: BenchmarkReport) -> str:
    groups = []
    for task, headline in HEADLINES.items():
        metrics = benchmark.results.get(task, {})
        names = {headline: "all", **{f"{name}_{headline}": name for name in benchmark.classes.subsets}}
        known = {metric: name for metric, name in names.items() if not math.isnan(metrics.get(metric, math.nan))}
        bars = [bar(SPELLED.get(name, name), metrics[metric], SPELLED.get(name, "")) for metric, name in known.items()]
        groups += [element("h4", headline), element("div", *bars, class_="few")] if bars else []
    return element("h3", "Seen and unseen classes") + "".join(groups) if groups else ""


def _per_class(benchmark: BenchmarkReport) -> str:
    drawn = [metric for metric in PER_CLASS if benchmark.per_class.get(metric)]
    if not drawn:
        return ""
    seen = dict(zip(benchmark.classes.names, benchmark.classes.subsets["S"].tolist(), strict=True))
    legend = [element("span", element("b", class_=kind), kind) for kind in SPELLED.values()]
    parts = [element("h3", "Classes"), element("p", *legend, class_="chips")]
    for metric in drawn:
        ordered = sorted(benchmark.per_class[metric].items(), key=lambda item: (-item[1], item[0]))
        bars = [bar(name, value, "seen" if seen.get(name) else "unseen") for name, value in ordered]
        summary = f"{metric} of {len(bars)} classes, the best first"
        if left := len(benchmark.classes) - len(bars):
            summary += f"; {left} without"
        parts.append(fold(summary, *_columns_of(bars), unfolded=metric == drawn[0]))
    return "".join(parts)


def _columns_of(bars: Sequence[str]) -> list[str]:
    if len(bars) <= 2 * ENDS:
        return [element("div", *bars, class_="bars")]
    between = bars[ENDS:-ENDS]
    return [
        element("div", *bars[:ENDS], class_="bars"),
        fold(f"{len(between)} classes between", element("div", *between, class_="bars")),
        element("div", *bars[-ENDS:], class_="bars"),
    ]


def _gallery(benchmark: BenchmarkReport) -> str:
    if not benchmark.best:
        return ""
    legend = chips(ERRORS.values())
    explained = (
        "In the last picture of each row every pixel is one of these. Hatched is what is not scored: pixels without "
        "annotation, and crowds. In the ground truth and the prediction white lines part the segments, and hatched "
        "belongs to none."
    )
    parts = [element("h3", "Images"), legend, element("p", text(explained), class_="soft")]
    for title, images in (("done best", benchmark.best), ("done worst", benchmark.worst)):
        rows = [_row(benchmark, place, image) for place, image in enumerate(images, start=1)]
        summary = f"The {len(images)} images {title}, by {benchmark.score}"
        parts += [fold(summary, *rows, unfolded=True)] if images else []
    return "".join(parts)


def _row(benchmark: BenchmarkReport, place: int, image: RenderedImage) -> str:
    cells = [
        picture(image.image, "jpeg", "image", f"image {image.name}"),
        picture(image.ground_truth, "png", "ground truth", f"ground truth of {image.name}"),
        picture(image.prediction, "png", "prediction", f"prediction for {image.name}"),
        picture(image.errors, "png", "error", f"errors in {image.name}"),
    ]
    legend = [(benchmark.classes.names[label], benchmark.colours[label]) for label in image.classes[:LEGEND]]
    more = len(image.classes) - len(legend)
    return element(
        "div",
        element("h4", text(f"{place}. image {image.name} · {benchmark.score} {100 * image.score:.1f}")),
        element("div", *cells, class_="row"),
        chips(legend) + (element("p", f"and {more} more", class_="soft") if more else ""),
        class_="shown",
    )


def _what_was_run(about: Mapping[str, Any]) -> str:
    parts = [element("h3", "What was run")] if about else []
    if about.get("seconds"):
        parts.append(stacked(list(about["seconds"].items())))
    facts = {key: about[key] for key in ("weights", "seen") if key in about}
    rows = [[text(f"{group}: {key}"), _plain(value)] for group, items in facts.items() for key, value in items.items()]
    rows += [[text(f"rule: {name}"), text(rule)] for name, rule in about.get("rules", {}).items()]
    rows += [["versions", _plain(about["libraries"])]] if "libraries" in about else []
    if rows:
        parts.append(table(["", ""], rows, "words"))
    if words := about.get("vocabulary"):
        listed = [[text(name), text(", ".join(synonyms))] for name, synonyms in words.items()]
        parts.append(
            fold(f"Vocabulary: the words for {len(words)} classes", table(["class", "words"], listed, "words"))
        )
    if config := about.get("config"):
        parts.append(fold("Config", element("pre", text(yaml.safe_dump(config, sort_keys=False, width=100)))))
    return "".join(parts)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{name} {item}" for name, item in value.items())
    return text(value)
