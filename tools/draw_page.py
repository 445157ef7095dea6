"""Draw the image of the page in the documentation: a scene of ToyWorld, its segments, and the mask of a click.

The page is served on a free port and opened in Chromium, driven by Playwright. Times are not shown, so that the same
browser draws the same file.

Examples:
  the image in the documentation:
    python tools/draw_page.py --output docs/page.jpg

  a dark one, for a telephone:
    python tools/draw_page.py --output page.png --size 360 740 --dark
"""

import argparse
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frozenseg.atomic import replacing
from frozenseg.cli.command_line import docstring_parser, run_script
from frozenseg.errors import ConfigError

if TYPE_CHECKING:
    from fastapi import FastAPI

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CLASS_NAMES = "green circle, green disc; yellow triangle; blue crescent; stuff: water"
CLICKED = (300, 14)  # point of the scene, on the crescent
MASK_OF_CLICK = "#candidate"
JPEG_QUALITY = 88
SAVING_MILLISECONDS = 600  # after an edit
HIDE_TIMES = """['#image-time', '#words-time', '#click-time', '#status'].forEach((name) => {
    document.querySelector(name).style.visibility = 'hidden';
})"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and draw.

    Args:
        argv: arguments; None for those of the process.
    """
    parser = docstring_parser(__doc__)
    parser.add_argument("--output", default="page.jpg", help="PNG or JPEG file (default: page.jpg)")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(1280, 800), metavar=("W", "H"), help="of the window (default: 1280 800)"
    )
    parser.add_argument("--dark", action="store_true", help="dark colours")
    parser.add_argument("--browser", help="Chromium (default: the one on the path)")
    arguments = parser.parse_args(argv)
    return run_script(lambda: draw(arguments))


def draw(arguments: argparse.Namespace) -> int:
    """Open the page and write its image.

    Args:
        arguments: of the command line.

    Raises:
        ConfigError: Chromium or Playwright is missing.
    """
    browser = arguments.browser or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise ConfigError("No Chromium is on the path: install it (apt-get install chromium), or pass --browser.")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise ConfigError(f"The image needs Playwright ({error}): pip install playwright.") from error
    width, height = arguments.size
    with served_page() as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])  # its page is ours
        page = chromium.new_page(viewport={"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if arguments.dark else "light")
        fill_page(page, address)
        is_png = Path(arguments.output).suffix.lower() == ".png"
        content = page.screenshot(type="png") if is_png else page.screenshot(type="jpeg", quality=JPEG_QUALITY)
        with replacing(Path(arguments.output)) as temporary:
            temporary.write_bytes(content)
        chromium.close()
    print(arguments.output)
    return 0


def fill_page(page: Any, address: str) -> None:
    """Segment the sample by class names, delete a segment, and click on its thing.

    Args:
        page: of Playwright.
        address: of the server.
    """
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    page.click("#clear-words")
    page.fill("#word", CLASS_NAMES)
    page.press("#word", "Enter")
    page.click("#samples button >> nth=0")
    page.wait_for_selector("#legend li")
    page.wait_for_selector("#busy", state="hidden")
    expression = f"import('./page_state.js').then(({{ stage }}) => stage.onPage({CLICKED[0]}, {CLICKED[1]}))"
    position = page.evaluate(expression)
    page.mouse.click(position["x"], position["y"])
    page.click("[data-edit=delete]")
    page.wait_for_selector("#selection", state="hidden")
    page.check("input[name=tool][value=point]", force=True)
    page.mouse.click(position["x"], position["y"])
    page.wait_for_selector(MASK_OF_CLICK, state="visible")
    page.wait_for_selector("#busy", state="hidden")
    page.evaluate(HIDE_TIMES)
    page.wait_for_timeout(SAVING_MILLISECONDS)
    page.wait_for_selector("#busy", state="hidden")


@contextmanager
def served_page() -> Iterator[str]:
    """Serve ToyWorld's model in a thread; yields the address."""
    from frozenseg.inference.predictor import Segmenter
    from frozenseg.serving.application import create_application
    from frozenseg.serving.state import ServedModel

    model = ServedModel(Segmenter.from_pretrained("toyworld", device="cpu"), "toyworld")
    with running_application(create_application(model)) as address:
        yield address


@contextmanager
def running_application(application: "FastAPI") -> Iterator[str]:
    """Serve an application on a free port in a thread; yields its address."""
    import uvicorn

    config = uvicorn.Config(application, port=0, log_config=None, access_log=False, ws="none", lifespan="on")
    listener = config.bind_socket()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


if __name__ == "__main__":
    raise SystemExit(main())
