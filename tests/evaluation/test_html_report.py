"""HTML report: well-formed, self-contained, with names that look like HTML escaped."""

import io
import re
from html.parser import HTMLParser

import jinja2
import numpy as np
import pytest
from PIL import Image

from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.html_report import TEMPLATE_FOLDER, BenchmarkReport, _environment, page, write_report
from frozenseg.evaluation.published import PublishedScore
from frozenseg.evaluation.render import RenderedImage

VOID_ELEMENTS = ("meta", "img")
NASTY = "<script>alert(\"1\")</script> & 'co'"
NAN = float("nan")


class Reader(HTMLParser):
    """Parser that checks the nesting of elements and keeps links, tags and texts."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.tags, self.texts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def read(content):
    reader = Reader()
    reader.feed(content)
    reader.close()
    assert reader.open == []
    return reader


def encoded(form):
    file = io.BytesIO()
    Image.new("RGB", (4, 3)).save(file, form)
    return file.getvalue()


def drawn(name, score, legend=(0, 1)):
    return RenderedImage(name, score, encoded("JPEG"), *[encoded("PNG")] * 3, list(legend))


def report(classes=3, name="pets", **changes):
    names = (NASTY, *(f"class {place}" for place in range(1, classes)))
    seen = np.arange(classes) % 2 == 0
    fields = {
        "results": {"panoptic_seg": {"PQ": 30.04, "SQ": 70.0, "S_PQ": 40.0, "U_PQ": NAN}, "strange": {"x": 1.0}},
        "per_class": {"PQ": {name: 100 * place / classes for place, name in enumerate(names[1:])}},
        "classes": ClassTable(names, np.ones(classes, dtype=bool), {"S": seen, "U": ~seen}),
        "colours": [(place % 256, 10, 200) for place in range(classes)],
        "about": {
            "weights": {"model": "FrozenSeg", "file": NASTY, "hash": "0123", "frozen": {"sam": "45"}},
            "config": {"MODEL": {"NAME": NASTY}},
            "vocabulary": {NASTY: ["a", "b"]},
            "rules": {"PanopticQuality": "as counted"},
            "libraries": {"torch": "2.6"},
            "seconds": {"data": 1.0, "model": 2.0, "metric": 1.0},
            "images": 12,
        },
        "best": [drawn(NASTY, 0.75)],
        "worst": [drawn("bad", 0.0, range(classes))],
    }
    return BenchmarkReport(name, **{**fields, **changes})


@pytest.mark.parametrize("classes", [3, 847])
def test_the_page_is_well_formed_and_loads_nothing(classes):
    content = page([report(classes), report(classes, name="zoo")])
    reader = read(content)
    assert all(link.startswith(("data:image/", "#")) for link in reader.links)
    assert "http:" not in content
    assert "https:" not in content
    assert not {"script", "link", "iframe", "object"} & set(reader.tags)
    assert "url(" not in content
    assert sum(link.startswith("data:image/") for link in reader.links) == 2 * 2 * 4


def test_names_are_escaped():
    content = page([report(name=NASTY)])
    assert "<script" not in content
    written = "".join(read(content).texts)
    for sentence in (f"1. image {NASTY} · PQ 75.0", f"MODEL:\n  NAME: {NASTY}"):
        assert sentence in written


def test_scores_are_in_tables_and_bars():
    others = [PublishedScore("Theirs", "log", "pets", "panoptic_seg", "PQ", 29.5)]
    written = " ".join(" ".join(read(page([report(published=others)])).texts).split())
    for sentence in ("3 classes, 2 of them seen in training, 1 unseen; 12 images", "this run 30.0 70.0 40.0 –",
                     "Theirs, published (log) 29.5 –", "all 30.0 seen 40.0", "model 2.0 s (50%)",
                     "PQ of 2 classes, the best first; 1 without"):  # fmt: skip
        assert sentence in written


def test_many_classes_are_folded_between_the_best_and_the_worst():
    content = page([report(100)])
    assert "39 classes between" in content  # of the 99 that have a value
    assert content.count('<span class="name"') == 99 + 2
    assert "classes between" not in page([report(61)])
    assert "and 76 more" in content  # than the 24 in a legend


def test_classes_are_sorted_and_coloured():
    bars = re.findall(r'<div class="bar (\w+)"><span class="name">(class \d)<', page([report(5)]))
    assert bars == [("seen", "class 4"), ("unseen", "class 3"), ("seen", "class 2"), ("unseen", "class 1")]


def test_a_benchmark_without_details():
    written = read(page([report(results={}, per_class={}, about={}, best=(), worst=())])).texts
    assert "Images" not in written
    assert "Run" not in written
    read(page([]))


def test_the_file_is_written_whole(tmp_path):
    write_report(tmp_path / "inference" / "report.html", [report()])
    assert [path.name for path in (tmp_path / "inference").iterdir()] == ["report.html"]
    text = (tmp_path / "inference" / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>\n<html")


def test_attributes_are_escaped():
    scores = {'"><i onclick=x title="': 50.0}
    content = page([report(per_class={"PQ": scores}, best=(), worst=())])
    assert '"><i onclick' not in content
    assert 'title="&#34;&gt;&lt;i onclick=x title=&#34;"' in content  # a name longer than its column


def test_bars_stay_within_their_tracks():
    content = page([report(per_class={"PQ": {"class 1": 120.0, "class 2": -3.0}})])
    assert '<i style="width:100.0%">' in content
    assert '<i style="width:0.0%">' in content
    assert "width:0.00%" in page([report(about={"seconds": {"data": 0.0}})])


def test_the_style_sheet_is_part_of_the_page():
    content = page([report()])
    style = content.partition("<style>")[2].partition("</style>")[0]
    assert style.strip() == (TEMPLATE_FOLDER / "report.css").read_text(encoding="utf-8").strip()
    assert "prefers-color-scheme: dark" in style


def test_a_misspelt_name_in_the_template_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="sections"):
        _environment().get_template("report.html").render()
