"""Names of custom data sets: schemes, keys, escapes and paths in any combination."""

from pathlib import Path

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from frozenseg.data import resolve
from tests.fuzz import exports
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.use_of_files import first_batch

SCHEMES = ("folder", "coco-panoptic", "coco-instances", "coco-instance", "Folder", "C", "", "http")
PATHS = ("@/images", "@/instances.json", "@/panoptic.json", "@/missing", "", "@", "@/classes.txt", "~",
         "@/images/1.png", "%00",
         "@/images/../images", "%2", "@/a%20b", "//", "\\images")  # fmt: skip
KEYS = ("images", "labels", "classes", "masks", "name", "ignore", "image", "", "IMAGES")
VALUES = st.one_of(
    st.sampled_from((*PATHS, "255", "0", "-1", "1e3", "x", "é", "a/b", "٣", "²", "65536", "=")), st.text(max_size=6)
)
RIGHT = ("coco-instances:@/instances.json?images=@/images",
         "coco-panoptic:@/panoptic.json?images=@/images&masks=@/masks",
         "folder:@/images?labels=@/labels&classes=@/classes.txt", "toyworld_val_seen")  # fmt: skip


@st.composite
def dataset_names(draw: DrawFn) -> str:
    """Draw a name; ``@`` is the folder of the files."""
    kind = draw(st.sampled_from(("right", "changed", "parts", "text")))
    right = draw(st.sampled_from(RIGHT))
    if kind == "right":
        return right
    if kind == "text":
        return draw(st.text(max_size=20))
    if kind == "changed":
        position = draw(st.integers(0, len(right) - 1))
        return right[:position] + draw(st.text(max_size=2)) + right[position + draw(st.integers(0, 2)) :]
    pairs = draw(st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=4))
    query = "&".join(f"{key}={value}" for key, value in pairs)
    return f"{draw(st.sampled_from(SCHEMES))}:{draw(st.sampled_from(PATHS))}?{query}"


@fuzz("data set names", dataset_names(), examples=100)
def test_dataset_names(name: str, folder: Path) -> None:
    exports.write_json(folder / "instances.json", exports.instances())
    exports.write_json(folder / "panoptic.json", exports.panoptic())
    exports.write_images(folder)
    exports.write_segments(folder)
    (folder / "masks").rename(folder / "labels")
    exports.write_segments(folder)
    for number in (1, 2):
        exports.write_ids(folder / f"labels/{number}.png", exports.segment_ids(number))
    (folder / "classes.txt").write_text("red circle\ngrass\n", encoding="utf-8")
    full = name.replace("@", str(folder))
    assert len(resolve(full).vocabulary) > 0
    if ":" in full:
        first_batch(full)
