"""Files of class names and vocabularies in text: written classes are read again, other text is read or refused."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from frozenseg.data import vocabulary_of
from frozenseg.errors import FrozenSegError
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.files import read_vocabulary_lines
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.mutations import damaged

LETTERS = st.sampled_from("abcdefghijklmnopqrstuvwxyzäéñøßабвγδאبक猫犬ー()-& ")
NAMES = (
    st.text(LETTERS, min_size=2, max_size=9)
    .map(str.strip)
    .filter(lambda name: len(name) > 1 and any(map(str.isalpha, name)) and name not in ("id", "name", "index"))
)
CLASSES = st.lists(st.lists(NAMES, min_size=1, max_size=3, unique=True), min_size=1, max_size=6)
TABLE = "id\tname\tsynonyms\tisthing\tr\tg\tb"
FORMS = ("plain", "numbered", "table", "vocabulary", "any text", "lines", "damaged")
LINES = st.sampled_from(
    ("cat", "0 cat", "1:cat,kitten", "0:background", "id,name", "3,cat", "cat:0,0,0::",
         "# label:color_rgb:parts:actions",
     "names:", "  0: cat", "- cat", "nc: 2", "path: ../data", "background", "_background_", "__ignore__", "cat\tdog",
     "{\"name\": \"cat\"}", "[\"cat\", \"dog\"]", "cat;dog", "0", "", ",", ":", "1:", "-1:cat", "1:cat:dog",
         "\ufeffcat",
     "<Label value=\"cat\"/>", "id\tname", "1\tcat", "1\tcat\tkitten", "cat 255 0 0", "cat,255,0,0")
)  # fmt: skip


@st.composite
def class_name_cases(draw: DrawFn) -> dict[str, Any]:
    """Draw the bytes of a file of class names; ``classes`` are the written ones where the file is undamaged."""
    form = draw(st.sampled_from(FORMS))
    names = draw(CLASSES.filter(lambda lists: len({name for names in lists for name in names}) == sum(map(len, lists))))
    if form == "any text":
        return {"form": form, "data": draw(st.one_of(st.text(), st.binary())), "classes": None}
    if form == "lines":
        return {"form": form, "data": "\n".join(draw(st.lists(LINES, max_size=6))), "classes": None}
    if form == "damaged":
        return {"form": form, "data": draw(damaged(_text(names, "table").encode())), "classes": None}
    return {"form": form, "data": _text(names, form), "classes": names}


def _text(names: list[list[str]], form: str) -> str:
    if form == "plain":
        return "\n".join(",".join(synonyms) for synonyms in names)
    if form == "numbered":
        return "\n".join(f"{number}:{','.join(synonyms)}" for number, synonyms in enumerate(names))
    if form == "vocabulary":
        return "; ".join(", ".join(synonyms) for synonyms in names)
    rows = [f"{n}\t{synonyms[0]}\t{','.join(synonyms)}\t1\t{n}\t2\t3" for n, synonyms in enumerate(names)]
    return "\n".join([TABLE, *rows])


@fuzz("class names", class_name_cases(), examples=120)
def test_class_names(case: dict[str, Any], folder: Path) -> None:
    data = case["data"] if isinstance(case["data"], bytes) else case["data"].encode("utf-8", "surrogatepass")
    path = folder / "classes.txt"
    path.write_bytes(data)
    expected = None if case["classes"] is None else [tuple(synonyms) for synonyms in case["classes"]]
    try:
        if case["form"] == "vocabulary":
            read = list(Vocabulary.parse(case["data"]).classes)
        else:
            lines = read_vocabulary_lines(path)
            read = [line.names for line in lines]
            used = vocabulary_of(f"folder:{folder}?labels={folder}&classes={path}")
            numbered = [line for line in lines if line.id is not None]
            assert list(used.classes) == [line.names for line in sorted(numbered, key=lambda line: line.id) or lines]
    except FrozenSegError:
        if expected is not None:
            raise AssertionError("right class names are refused") from None
        raise
    assert expected is None or read == expected
    assert all(name.strip() for names in read for name in names)
