"""Names that are too long for a file system: one sentence from every reader, not the system's error."""

from collections.abc import Callable
from pathlib import Path

import pytest

from frozenseg.errors import FrozenSegError
from frozenseg.inference.image_inputs import load_image
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.structures.json_files import read_json

LONG = "a" * 5000
READERS: dict[str, Callable[[], object]] = {
    "weights": lambda: read_checkpoint(LONG),
    "weights with an ending": lambda: read_checkpoint(f"{LONG}.pth"),
    "JSON": lambda: read_json(Path(LONG), "ground truth"),
    "image": lambda: load_image(LONG),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_name_of_5000_characters_is_refused_in_one_sentence(reader: Callable[[], object]) -> None:
    with pytest.raises(FrozenSegError):
        reader()
