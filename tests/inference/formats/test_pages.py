"""HTML pages: self-contained, escaped, in the right order; thumbnails and drawings."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

from frozenseg.errors import ConfigError
from frozenseg.inference.formats import image_page
from frozenseg.inference.formats.contact_sheet import ContactSheet
from frozenseg.inference.formats.output_format import FormatOptions, OutputClasses
from frozenseg.inference.formats.registry import check_formats, output_formats
from frozenseg.inference.formats.review_page import ReviewPage
from frozenseg.inference.segments import Segment
from tests.inference.formats.results import CLASSES, NAMES, output_image, small_result, write_all


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def names_on(page: str) -> list[str]:
    return re.findall(r'<figure tabindex="0" data-name="([^"]*)"', page)


def test_pages_request_nothing_and_escape_names(tmp_path: Path) -> None:
    [path] = write_all(["html"], tmp_path, options=FormatOptions(title="<script>alert(1)</script>"))
    page = path.read_text(encoding="utf-8")
    assert not re.search(r"https?:|//cdn|@import|url\(", page)
    assert page.count("<script>") == 1
    assert names_on(page) == ["a.jpg", "sub/b.jpg", "sub/ünï &amp; &lt;b&gt;.png"]
    assert "dog &lt;&amp;&gt;" in page
    sources = [source for source in re.findall(r'(?:src|data-plain)="([^"]*)"', page) if source]
    assert len(sources) == 6
    assert all((tmp_path / unquote(source)).is_file() for source in sources)
    assert size_of(tmp_path / "thumbnails" / "drawn" / "sub" / "b.jpg") == (432, 324)


def test_the_review_begins_with_the_least_certain_image(tmp_path: Path) -> None:
    review = ReviewPage(tmp_path, CLASSES)
    scores = (0.5, 0.0, 0.8)
    records = [
        review.write(output_image(name), small_result().keep(min_score=score))
        for name, score in zip(NAMES, scores, strict=True)
    ]
    assert [record["certainty"] for record in records] == [0.7167, 0.6, 0.9]
    [path] = review.finish(records)
    assert names_on(path.read_text(encoding="utf-8"))[:2] == ["sub/b.jpg", "a.jpg"]


def test_images_without_segments_are_the_least_certain() -> None:
    assert image_page.certainty([]) == 0
    segment = Segment(1, 0, 0, "cat", 0.5, 1, (0, 0, 1, 1), True)
    assert image_page.certainty([segment, segment._replace(score=1.0)]) == 0.75


def test_a_page_without_images_says_so(tmp_path: Path) -> None:
    [path] = ContactSheet(tmp_path, CLASSES).finish([])
    assert "No images." in path.read_text(encoding="utf-8")


def test_overlays_have_the_requested_size_and_no_legend(tmp_path: Path) -> None:
    [folder] = write_all(["overlay"], tmp_path, options=FormatOptions(max_size=160))
    assert size_of(folder / "sub" / "b.jpg") == (160, 120)


def test_formats_are_known_by_name() -> None:
    assert set(output_formats()) == {
        *("coco-panoptic", "coco-instances", "png", "yolo-seg", "labelme", "cvat-xml", "npz", "jsonl", "overlay"),
        *("html", "review"),
    }
    assert check_formats(["png", "npz", "png"]) == ["png", "npz"]
    with pytest.raises(ConfigError, match="Unknown output format 'coco-instance'. Did you mean"):
        check_formats(["coco-instance"])
    with pytest.raises(ConfigError, match="No output format"):
        check_formats([])


def test_classes_have_distinct_ids() -> None:
    with pytest.raises(ValueError, match="2 ids for 3 classes"):
        OutputClasses(CLASSES.vocabulary, ids=(1, 2))
    with pytest.raises(ValueError, match="distinct numbers"):
        OutputClasses(CLASSES.vocabulary, ids=(1, 2, 2))
