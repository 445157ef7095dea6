"""Names that no file system accepts: one sentence from every reader, not the system's error."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from frozenseg.data import vocabulary_of
from frozenseg.errors import FrozenSegError
from frozenseg.inference.image_inputs import load_image
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.structures.json_files import read_json
from frozenseg.vocabulary.files import read_vocabulary_lines

NAMES = {"too long": "a" * 5000, "null character": "a\0b"}
READERS: dict[str, Callable[[str], object]] = {
    "weights": read_checkpoint,
    "weights with an ending": lambda name: read_checkpoint(f"{name}.pth"),
    "JSON": lambda name: read_json(Path(name), "ground truth"),
    "image": load_image,
    "class list": read_vocabulary_lines,
    "class list of a folder": lambda name: vocabulary_of(f"folder:.?labels=.&classes={quote(name)}"),
    "ground truth of COCO": lambda name: vocabulary_of(f"coco-panoptic:{quote(name)}.json?images=.&masks=."),
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_an_impossible_name_is_refused_in_one_sentence(reader: Callable[[str], object], name: str) -> None:
    with pytest.raises(FrozenSegError):
        reader(name)
