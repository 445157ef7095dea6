"""A real browser on a running server: Debian's Chromium, driven by Playwright; skipped with a reason without them.

``FROZENSEG_SCREENSHOTS`` names a folder in which the screenshots are kept.
"""

import functools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from frozenseg.inference.predictor import Segmenter
from frozenseg.serving.application import create_application
from frozenseg.serving.state import ServedModel
from frozenseg.toyworld.samples import sample_scene
from tools.draw_page import running_application

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MILLISECONDS = 20_000  # of a step; the machine may be busy
WORDS = "green circle, green disc; yellow triangle; blue crescent; stuff: water"
SIZE = 384  # of the scene
CIRCLE, TRIANGLE, WATER = (150, 290), (75, 195), (300, 200)  # points of the scene in these things


@functools.cache
def segmenter() -> Segmenter:
    return Segmenter.from_pretrained("toyworld", device="cpu")


@pytest.fixture(scope="session")
def application() -> Any:
    return create_application(ServedModel(segmenter(), "toyworld", segmenter().vocabulary_of("toyworld")))


@pytest.fixture(scope="session")
def address(application: Any) -> Iterator[str]:
    with running_application(application) as served:
        yield served


@pytest.fixture(scope="module")  # its event loop runs in the thread of the tests
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on the path: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


class Watched:
    """A page of the browser, the requests that it has sent, and its faults.

    Attributes:
        page: Playwright's page.
        requests: method and address of each.
        faults: messages of the console and uncaught errors.
    """

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.requests: list[str] = []
        self.faults: list[str] = []
        page.set_default_timeout(MILLISECONDS)
        page.on("request", lambda request: self.requests.append(f"{request.method} {request.url}"))
        page.on("console", lambda message: message.type == "error" and self.faults.append(message.text))
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def open(self, fragment: str = "") -> None:
        self.page.goto("about:blank")  # another fragment alone would not load the page
        self.page.goto(f"{self.address}/{fragment}")
        self.page.wait_for_selector("html[data-ready]")

    def open_scene(self, words: str = WORDS) -> None:
        """Open the first sample with words."""
        self.open()
        self.page.click("#clear-words")
        self.page.fill("#word", words)
        self.page.press("#word", "Enter")
        self.page.click("#samples button >> nth=0")
        self.wait_for_segments()

    def wait_for_segments(self) -> None:
        self.page.wait_for_selector("#legend li")
        self.page.wait_for_selector("#busy", state="hidden")

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait for a condition; the page's policy forbids the evaluated texts of Playwright's own wait."""
        end = time.monotonic() + MILLISECONDS / 1000
        while not condition():
            assert time.monotonic() < end, f"status {self.status!r}, error {self.page.inner_text('#error')!r}"
            self.page.wait_for_timeout(20)

    @property
    def status(self) -> str:
        return str(self.page.inner_text("#status"))

    def until_status(self, text: str) -> None:
        self.until(lambda: text in self.status)

    def settle(self) -> None:
        """Wait until the page has nothing to do, the saving of edits included."""
        self.page.wait_for_timeout(450)
        self.page.wait_for_selector("#busy", state="hidden")

    def at(self, point: tuple[float, float]) -> tuple[float, float]:
        """Return the position on the page of a point of the image."""
        position = self.value(f"stage.onPage({point[0]}, {point[1]})")
        return position["x"], position["y"]

    def click(self, point: tuple[float, float], **options: Any) -> None:
        self.page.mouse.click(*self.at(point), **options)

    def value(self, expression: str) -> Any:
        """Return a value of the page's modules."""
        return self.page.evaluate(f"import('./page_state.js').then(({{ stage, state, words }}) => {expression})")

    def names(self) -> set[str]:
        return {each["name"] for each in self.value("state.map.segments")}

    def tool(self, name: str) -> None:
        self.page.check(f"input[name=tool][value={name}]", force=True)

    def download(self, button: str, path: Path) -> Path:
        with self.page.expect_download() as expected:
            self.page.click(button)
        expected.value.save_as(path)
        return path


NewPage = Callable[..., Watched]
Keep = Callable[[Watched, str], None]


@pytest.fixture
def new_page(browser: Any, address: str) -> Iterator[NewPage]:
    """Open pages that may have no fault and send no request to another address."""
    opened: list[tuple[Any, Watched]] = []

    def make(width: int = 1280, height: int = 800, served: str = address, **options: Any) -> Watched:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        watched = Watched(context.new_page(), served)
        opened.append((context, watched))
        return watched

    yield make
    for context, watched in opened:
        context.close()
        foreign = [each for each in watched.requests if watched.address not in each and "blob:" not in each]
        assert [each for each in foreign if "about:" not in each] == []
        assert watched.faults == []


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Keep a screenshot under a name."""
    folder = Path(os.environ.get("FROZENSEG_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)

    def shoot(watched: Watched, name: str) -> None:
        watched.page.screenshot(path=folder / f"{name}.png")

    return shoot


@pytest.fixture(scope="session")
def image_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images")
    paths = []
    for index, (number, size) in enumerate(((4, 384), (87, 192), (119, 192)), start=1):
        paths.append(folder / f"scene {index}.png")
        sample_scene(number, size).save(paths[-1])
    return paths
