"""Several images on the page: dropped, pasted, walked through, saved in the browser, exported together."""

import base64
import json
import zipfile
from pathlib import Path

from PIL import Image

from tests.serving.browser.conftest import CIRCLE, TRIANGLE, Keep, NewPage

SEND = """([name, content]) => {
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], 'sent.png', { type: 'image/png' }));
    const options = { bubbles: true, cancelable: true };
    document.dispatchEvent(name === 'drop' ? new DragEvent(name, { ...options, dataTransfer: transfer })
        : new ClipboardEvent(name, { ...options, clipboardData: transfer }));
}"""


def test_images_are_dropped_and_pasted(new_page: NewPage, image_files: list[Path]) -> None:
    watched = new_page()
    watched.open("#words=@toyworld")
    for name, path, size in (("drop", image_files[1], 192), ("paste", image_files[0], 384)):
        content = base64.b64encode(path.read_bytes()).decode()
        watched.page.evaluate(SEND, [name, content])
        watched.until(lambda size=size: watched.value(f"state.map !== null && state.map.width === {size}"))
    watched.page.click("#new-image")
    watched.page.wait_for_selector("#start", state="visible")


def test_a_dropped_folder_is_walked_with_its_subfolders(new_page: NewPage, tmp_path: Path) -> None:
    (tmp_path / "scenes" / "night").mkdir(parents=True)
    for name in ("10.png", "9.png", "night/9.png"):
        Image.new("RGB", (64, 64)).save(tmp_path / "scenes" / name)
    (tmp_path / "scenes" / "notes.txt").write_text("no image")
    watched = new_page()
    watched.open("#words=@toyworld")
    data = {"items": [], "files": [str(tmp_path / "scenes")], "dragOperationsMask": 1}
    devtools = watched.page.context.new_cdp_session(watched.page)
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 600, "y": 300, "data": data})
    watched.until(lambda: watched.value("state.walk.items.length"))
    paths = watched.value("state.walk.items.map((item) => item.name)")
    assert paths == ["scenes/9.png", "scenes/10.png", "scenes/night/9.png"]
    watched.until(lambda: watched.value("state.map !== null"))
    watched.settle()


def test_the_walk_saves_restores_and_exports(
    new_page: NewPage, image_files: list[Path], tmp_path: Path, keep: Keep
) -> None:
    watched = new_page()
    watched.open("#words=@toyworld")
    page = watched.page
    page.set_input_files("#files", image_files)
    watched.wait_for_segments()
    assert page.inner_text("#walk-name") == "1 of 3 · scene 1.png"
    watched.click(CIRCLE)
    page.keyboard.press("F2")
    page.fill("#new-name", "ball")
    page.press("#new-name", "Enter")
    page.wait_for_selector("#legend .name:text-is('ball')")
    page.click("#next")
    watched.until(lambda: page.inner_text("#walk-name").startswith("2 of 3"))
    watched.wait_for_segments()
    assert page.eval_on_selector("#walk-progress", "(bar) => bar.value") == 2
    page.click("#previous")
    page.wait_for_selector("#legend .name:text-is('ball')")
    keep(watched, "walk")

    archive = zipfile.ZipFile(watched.download("#export-all", tmp_path / "all.zip"))
    assert archive.testzip() is None
    coco = json.loads(archive.read("coco.json"))
    assert [each["file_name"] for each in coco["images"]] == [path.name for path in image_files]
    assert {each["image_id"] for each in coco["annotations"]} == {1, 2, 3}
    names = {each["id"]: each["name"] for each in coco["categories"]}
    assert "ball" in {names[each["category_id"]] for each in coco["annotations"] if each["image_id"] == 1}
    for number, size in ((1, 384), (2, 192), (3, 192)):
        for folder in ("labels", "overlays"):
            with archive.open(f"{folder}/scene {number}.png") as file:
                assert Image.open(file).size == (size, size)

    watched.open("#words=@toyworld")  # the browser keeps the edits
    page.set_input_files("#files", image_files[0])
    page.wait_for_selector("#legend .name:text-is('ball')")


def test_hidden_segments_are_shown_again_and_saved(new_page: NewPage) -> None:
    watched = new_page()
    watched.open_scene()
    page = watched.page
    ids = {each["name"]: each["id"] for each in watched.value("state.map.segments")}
    watched.click(TRIANGLE)
    page.keyboard.press("F2")
    page.fill("#new-name", "green circle")
    page.press("#new-name", "Enter")
    watched.until_status("Renamed to green circle.")
    row = f"#legend ul button[data-key='segment {ids['green circle']}']"
    hidden = "state.map.segments.filter(stage.hidden).map((each) => each.id)"
    page.click("#legend button[aria-label='Hide green circle']")
    assert set(watched.value(hidden)) == {ids["green circle"], ids["yellow triangle"]}
    page.click(row)  # of a hidden class one segment alone is shown
    assert watched.value(hidden) == [ids["yellow triangle"]]
    page.click(row)
    page.click("#legend button[aria-label='Hide green circle']")
    assert watched.value(hidden) == []
    page.click(row)
    watched.settle()
    page.click("#new-image")
    page.click("#samples button >> nth=0")
    watched.until_status("are restored")
    watched.settle()
    assert watched.value(f"{hidden}.length") == 1
    assert watched.value("stage.hidden(state.map.at(150, 290)) && !stage.hidden(state.map.at(75, 195))")
    watched.click(TRIANGLE)
    page.keyboard.press("Delete")
    watched.until_status("Deleted.")
    page.click("#legend button[aria-label^='Hide green circle']")  # the only one of its class
    assert watched.value(hidden) == []


def test_edits_of_a_page_that_is_closed_at_once_are_kept(new_page: NewPage) -> None:
    watched = new_page()
    watched.open_scene()
    watched.settle()
    watched.click(TRIANGLE)
    watched.page.keyboard.press("Delete")
    watched.until_status("Deleted.")
    watched.open("#words=green circle; yellow triangle; blue crescent")  # before the edit is saved
    watched.page.click("#samples button >> nth=0")
    watched.until_status("are restored")
    assert "yellow triangle" not in watched.names()
    watched.settle()
    assert watched.page.evaluate("Object.keys(localStorage).filter((key) => key.includes('unsaved'))") == []


def test_saved_images_are_on_the_disk_and_not_in_memory(new_page: NewPage) -> None:
    watched = new_page()
    watched.open_scene()
    watched.settle()
    saved = "import('./page_state.js').then(async ({ savedEdits }) => "
    assert watched.page.evaluate(f"{saved}savedEdits.memory.size)") == 0
    size = watched.page.evaluate(f"{saved}(await savedEdits.load('sample 1')).overlay.size)")
    assert size > 1000


def test_edits_that_the_browser_cannot_store_are_reported(new_page: NewPage) -> None:
    watched = new_page()
    watched.open_scene()
    full = "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); }"
    watched.page.evaluate(f"() => {{ {full} }}")
    watched.click(TRIANGLE)
    watched.page.keyboard.press("Delete")
    watched.until(lambda: "cannot store the edits (QuotaExceededError)" in watched.page.inner_text("#error"))
    assert "yellow triangle" not in watched.names()


def test_a_zip_file_has_no_more_than_it_can_count(new_page: NewPage) -> None:
    watched = new_page()
    watched.open()
    many = "new Array(65536).fill({ name: 'a', blob: new Blob(['abcdefghijklmnop']) })"
    attempt = f"import('./zip.js').then(({{ zip }}) => zip({many})).catch((error) => error.message)"
    refusal = watched.page.evaluate(attempt)
    assert refusal == "65536 files with 1 MiB do not fit into a ZIP file: export fewer images at a time."
