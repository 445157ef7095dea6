"""The tokenizer file gives the tokens of open_clip's tokenizer."""

from pathlib import Path

import open_clip
import pytest
from tokenizers import Tokenizer

from frozenseg.errors import ConfigError
from frozenseg.export.tokenizer_file import write_tokenizer

TEXTS = (
    "a photo of a cat.",
    "There is the Traffic_Light in the scene",
    "don't  THE dog's\tnew\nline",
    "a1b22 c ??!! x_y-z",
    "日本語 naïve café Straße 😀",
    "“curly” ‘quotes’",
    "",
    "word " * 120,  # cut at 77 tokens
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    write_tokenizer(open_clip.get_tokenizer("RN50"), path)
    return path


def test_tokens_are_those_of_open_clip(path: Path) -> None:
    expected = open_clip.get_tokenizer("RN50")(list(TEXTS)).tolist()
    encodings = Tokenizer.from_file(str(path)).encode_batch(list(TEXTS))
    assert [each.ids + [0] * (77 - len(each.ids)) for each in encodings] == expected


def test_another_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tokenizer is of type function, expected open_clip's SimpleTokenizer"):
        write_tokenizer(lambda texts: texts, tmp_path / "tokenizer.json")
