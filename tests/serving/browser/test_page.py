"""The page in a browser: upload, type, hover, change a word, hide, mend, download; exports are what is shown."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.inference.predictor import Segmenter
from frozenseg.inference.result import Result
from frozenseg.modeling.build import build_model
from frozenseg.modeling.ensemble.mask_proposals import ProposalEnsemble
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.serving.application import create_application
from frozenseg.serving.settings import ServerSettings
from frozenseg.serving.state import ServedModel
from frozenseg.structures.segmentation import decode_segmentation
from tests.serving.browser.conftest import (
    CIRCLE,
    SIZE,
    TRIANGLE,
    WATER,
    WORDS,
    Keep,
    NewPage,
    segmenter,
)
from tests.tiny import TRAINING, tiny_config
from tools.draw_page import running_application


def expected(image: Path) -> Result:
    return segmenter()(image, WORDS.replace(", ", ","), outputs="panoptic")


def test_upload_type_hover_and_isolate(new_page: NewPage, image_files: list[Path], keep: Keep) -> None:
    watched = new_page()
    watched.open()
    page = watched.page
    watched.until(lambda: page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)"))
    assert page.locator("#samples img").count() == 3
    keep(watched, "start")
    page.click("#clear-words")
    page.set_input_files("#files", image_files[0])
    watched.until_status("Type the words")
    page.fill("#word", WORDS)
    page.press("#word", "Enter")
    watched.wait_for_segments()
    result = expected(image_files[0])
    legend = page.locator("#legend > li .name").all_inner_texts()
    assert legend == [each.name for each in sorted(result.segments, key=lambda segment: -segment.area)]
    page.mouse.move(*watched.at(CIRCLE))
    score = next(each.score for each in result.segments if each.name == "green circle")
    assert page.inner_text("#tip") == f"green circle · {score:.2f}"
    keep(watched, "hover")
    watched.click(CIRCLE)
    circle = next(each["id"] for each in watched.value("state.map.segments") if each["name"] == "green circle")
    assert watched.value("stage.isolated") == circle
    keep(watched, "isolated")
    watched.click(CIRCLE)
    assert watched.value("stage.isolated") is None


def test_a_changed_word_computes_the_words_only(new_page: NewPage) -> None:
    watched = new_page()
    watched.open_scene()
    page = watched.page
    assert re.fullmatch(r"\d+ ms|\d+\.\d+ s", page.inner_text("#image-time"))
    sent = len(watched.requests)
    page.click("#chips .chip-name >> nth=0")
    assert page.input_value("#word") == "green circle, green disc"
    page.fill("#word", "green blob, green circle")
    page.press("#word", "Enter")
    page.wait_for_selector("#legend .name:text-is('green blob')")
    watched.settle()
    assert "the features of the image were reused" in watched.status
    later = watched.requests[sent:]
    assert [each for each in later if each.endswith("/page/sessions")] == []
    assert [each for each in later if each.endswith("/segments")]
    assert re.fullmatch(r"\d+ ms|\d+\.\d+ s", page.inner_text("#words-time"))
    assert page.locator("#chips .chip-kind[aria-pressed=true]").count() == 1


def test_downloads_have_what_is_shown(new_page: NewPage, tmp_path: Path) -> None:
    watched = new_page()
    watched.open_scene()
    page = watched.page
    circle = watched.value("state.map.segments.find((each) => each.name === 'green circle')")
    page.click("#legend button[aria-label='Hide yellow triangle']")
    assert page.get_attribute("#legend button[aria-label='Hide yellow triangle']", "aria-pressed") == "true"
    page.fill("#opacity", "100")
    page.uncheck("#labels")
    page.uncheck("#outlines")

    coco = json.loads(watched.download("#download-coco", tmp_path / "coco.json").read_text())
    assert {each["name"] for each in coco["annotations"]} == watched.names() - {"yellow triangle"}
    annotation = next(each for each in coco["annotations"] if each["name"] == "green circle")
    mask = decode_segmentation(annotation["segmentation"], SIZE, SIZE)
    assert mask.sum() == circle["area"]

    labels = np.array(Image.open(watched.download("#download-labels", tmp_path / "labels.png")))
    number = next(each["id"] for each in coco["categories"] if each["name"] == "green circle")
    assert ((labels == number) == mask).all()
    assert labels[TRIANGLE[1], TRIANGLE[0]] == 255

    overlay = np.array(Image.open(watched.download("#download-overlay", tmp_path / "overlay.png")).convert("RGB"))
    assert overlay.shape == (SIZE, SIZE, 3)
    assert (overlay[mask] == circle["color"]).all()
    assert np.ptp(overlay[TRIANGLE[1] - 5 : TRIANGLE[1] + 5, TRIANGLE[0]], axis=0).max() > 0  # the image itself


def test_a_click_mends_a_segment(new_page: NewPage, tmp_path: Path, keep: Keep) -> None:
    watched = new_page()
    watched.open_scene()
    page = watched.page
    watched.click(CIRCLE)
    page.keyboard.press("Delete")
    watched.until_status("Deleted.")
    assert "green circle" not in watched.names()
    watched.tool("point")
    watched.click(CIRCLE)
    page.wait_for_selector("#candidate", state="visible")
    assert page.input_value("#candidate-name") == "green circle"
    keep(watched, "click")
    watched.click(WATER, button="right")  # a point outside
    watched.until(lambda: watched.value("state.candidate !== null && state.prompt.points.length === 2"))
    page.keyboard.press("Enter")
    watched.until_status("was added")
    watched.settle()
    assert watched.value("state.map.at(150, 290).kept")
    coco = json.loads(watched.download("#download-coco", tmp_path / "coco.json").read_text())
    assert [each["name"] for each in coco["annotations"] if each["kept"]] == ["green circle"]

    page.keyboard.press("Control+z")
    watched.until_status("Undone.")
    assert "green circle" not in watched.names()
    page.keyboard.press("Control+Shift+Z")
    watched.until_status("Repeated.")
    page.fill("#word", "purple heart")  # another vocabulary leaves the kept segment
    page.press("#word", "Enter")
    watched.until_status("of 5 classes")
    assert watched.value("state.map.at(150, 290).kept")


def test_boxes_and_strokes_have_masks_that_are_renamed_and_merged(new_page: NewPage, keep: Keep) -> None:
    watched = new_page()
    watched.open_scene("blue crescent; stuff: water")
    page = watched.page
    for tool, start, stop in (("box", (18, 115), (137, 222)), ("brush", (130, 290), (170, 295))):
        watched.tool(tool)
        page.mouse.move(*watched.at(start))
        page.mouse.down()
        page.mouse.move(*watched.at(((start[0] + stop[0]) / 2, stop[1])), steps=2)
        page.mouse.move(*watched.at(stop), steps=2)
        page.mouse.up()
        page.wait_for_selector("#candidate", state="visible")
        keep(watched, tool)
        page.fill("#candidate-name", f"{tool} thing")
        page.press("#candidate-name", "Enter")
        page.wait_for_selector(f"#legend .name:text-is('{tool} thing')")
    assert watched.value("state.map.at(75, 195).name") == "box thing"
    assert watched.value("state.map.at(150, 290).name") == "brush thing"
    watched.tool("look")
    watched.click(TRIANGLE)
    page.keyboard.down("Shift")
    watched.click(CIRCLE)
    page.keyboard.up("Shift")
    assert page.inner_text("#selection-text") == "2 segments are selected"
    page.click("[data-edit=merge]")
    watched.until_status("Merged.")
    page.click("[data-edit=rename]")
    page.fill("#new-name", "pair")
    page.press("#new-name", "Enter")
    watched.until_status("Renamed to pair.")
    page.wait_for_selector("#legend .name:text-is('pair')")
    assert watched.value("state.map.at(75, 195).id") == watched.value("state.map.at(150, 290).id")


def test_ids_of_the_old_map_edit_nothing_in_the_next_one(new_page: NewPage) -> None:
    watched = new_page()
    watched.open_scene()
    page = watched.page
    watched.click(TRIANGLE)
    edit = "import('./segments.js').then(({ edit, predict }) => (predict(), edit({ action: 'delete', ids: [1] })))"
    assert page.evaluate(edit) is False
    watched.until_status("of 4 classes")
    assert len(watched.value("state.map.segments")) == 4


def test_a_session_that_has_ended_is_opened_again(new_page: NewPage, application: Any) -> None:
    watched = new_page()
    watched.open_scene()
    page = watched.page
    watched.click(CIRCLE)
    page.keyboard.press("Delete")
    watched.until_status("Deleted.")
    watched.settle()
    session = watched.value("state.session")
    application.state.sessions.close(session)
    watched.click(TRIANGLE)
    page.keyboard.press("k")
    watched.until_status("New predictions leave them.")
    assert watched.value("state.session") != session
    assert "green circle" not in watched.names()
    assert all("404" in fault for fault in watched.faults)
    watched.faults.clear()  # the browser logs the answer


def test_two_calls_that_meet_the_end_of_a_session_open_it_once(new_page: NewPage, application: Any) -> None:
    watched = new_page()
    watched.open_scene()
    watched.settle()
    ended = watched.value("state.session")
    application.state.sessions.close(ended)
    opened = len(watched.requests)
    both = "Promise.all([1, 2].map(() => inSession((session) => api.labels(session, []).then(() => session))))"
    modules = "Promise.all([import('./session.js'), import('./api.js')])"
    used = watched.page.evaluate(f"{modules}.then(([{{ inSession }}, {{ api }}]) => {both})")
    assert used == [watched.value("state.session")] * 2
    assert ended not in used
    assert sum(each.startswith("POST") and each.endswith("/sessions") for each in watched.requests[opened:]) == 1
    assert watched.page.inner_text("#error") == ""
    assert all("404" in fault for fault in watched.faults)
    watched.faults.clear()  # the browser logs the answers


COLOUR_PAIRS = (
    "text panel",
    "muted panel",
    "accent panel",
    "warn panel",
    "on-accent accent",
    "muted ground",
    "accent soft",
)


def test_narrow_and_wide_light_and_dark(new_page: NewPage, keep: Keep) -> None:
    watched = new_page()
    watched.open_scene()
    page = watched.page
    style = "getComputedStyle(document.documentElement).getPropertyValue"
    for width, height in ((360, 740), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_selector(f"html[data-theme={scheme}]")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            keep(watched, f"{scheme}_{width}")
            for pair in COLOUR_PAIRS:
                first, second = (page.evaluate(f"{style}('--{name}').trim()") for name in pair.split())
                assert contrast(first, second) >= 4.5, pair


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours #rrggbb (WCAG 2)."""

    def luminance(colour: str) -> float:
        shares = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    dark, light = sorted(map(luminance, (first, second)))
    return (light + 0.05) / (dark + 0.05)


NAMELESS = """[...document.querySelectorAll('button, input, select, a, [role=slider]')].filter((each) =>
    !each.getAttribute('aria-label') && !each.textContent.trim() && !(each.labels && each.labels.length)
    && !each.querySelector('img[alt]:not([alt=""])')).map((each) => each.outerHTML)"""


def test_the_keys_are_enough(new_page: NewPage) -> None:
    watched = new_page()
    watched.open_scene()
    page = watched.page
    assert page.evaluate(NAMELESS) == []
    page.focus("#view")
    page.keyboard.press("p")
    for key in ("ArrowLeft",) * 11 + ("ArrowDown",) * 25:
        page.keyboard.press(key)
    assert "green circle" in watched.status  # read by screen readers
    page.keyboard.press("Space")
    page.wait_for_selector("#candidate", state="visible")
    page.keyboard.press("Enter")
    watched.until_status("was added")
    page.keyboard.press("l")
    page.keyboard.press("Space")
    assert page.inner_text("#selection-text") == "Selected: green circle"
    assert "with 4 segments" in page.get_attribute("#view", "aria-label")


def test_a_link_restores_words_and_settings(new_page: NewPage) -> None:
    first = new_page()
    first.open_scene()
    first.page.check("input[name=view][value=semantic]", force=True)
    first.page.fill("#opacity", "30")
    first.page.uncheck("#labels")
    first.settle()
    second = new_page()
    second.open(first.page.url.partition("/#")[2].join(["#", ""]))
    assert second.value("words.body()") == first.value("words.body()")
    assert second.page.is_checked("input[name=view][value=semantic]")
    assert second.page.input_value("#opacity") == "30"
    assert not second.page.is_checked("#labels")
    assert second.page.is_visible("#start")  # the image is not in the link
    assert "blue" not in "".join(request for request in second.requests)  # words are never sent in an address


def test_predictions_are_compared_with_and_without_proposals(
    new_page: NewPage, monkeypatch: pytest.MonkeyPatch, keep: Keep
) -> None:
    few = ProposalEnsemble(masks=ProposalSettings(points_per_side=6))
    monkeypatch.setattr("frozenseg.serving.session_model.ProposalEnsemble", lambda: few)
    watched = new_page()
    watched.open_scene()
    watched.page.check("input[name=sam][value=compare]", force=True)
    watched.page.wait_for_selector("#divider", state="visible")
    keep(watched, "compare")
    before = watched.value("stage.split")
    watched.page.focus("#divider")
    watched.page.keyboard.press("ArrowRight")
    assert watched.value("stage.split") > before


def test_a_model_without_sam_has_no_tools_for_clicks(new_page: NewPage) -> None:
    model = Segmenter(build_model(tiny_config("FCCLIP"), TRAINING), ShortestEdge(64, 128))
    with running_application(create_application(ServedModel(model, "tiny"))) as served:
        watched = new_page(served=served)
        watched.open("#words=cat;dog")
        watched.page.click("#samples button >> nth=0")
        watched.until_status("of 2 classes")
        assert watched.page.is_disabled("input[name=tool][value=point]")
        assert watched.page.is_disabled("input[name=sam][value=on]")
        assert "has no SAM" in watched.page.get_attribute("label:has(input[value=point])", "title")
        watched.page.goto("about:blank")


def test_the_token_is_the_password_of_the_page(new_page: NewPage) -> None:
    with running_application(
        create_application(ServedModel(segmenter(), "toyworld"), ServerSettings(token="secret"))
    ) as served:
        watched = new_page(served=served, http_credentials={"username": "any", "password": "secret"})
        watched.open_scene()
        assert "green circle" in watched.names()
        watched.page.goto("about:blank")
