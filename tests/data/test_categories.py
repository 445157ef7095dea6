"""The category tables: well-formed, unambiguous to the text encoder, and true to the published facts."""

import csv
from collections import Counter
from pathlib import Path

import pytest

import frozenseg.data
from frozenseg.data.spec import CATEGORY_COLUMNS, read_categories
from frozenseg.vocabulary import Vocabulary

FOLDER = Path(frozenseg.data.__file__).parent / "categories"
TABLES = sorted(path.name for path in FOLDER.glob("*.tsv"))

# table: classes, things, classes that training on COCO has shown
COUNTS = {
    "coco_panoptic.tsv": (133, 80, 133),
    "ade20k_150.tsv": (150, 100, 73),
    "cityscapes.tsv": (19, 8, 17),
    "mapillary_65.tsv": (65, 37, 29),
    "bdd_panoptic_40.tsv": (40, 10, 20),
    "bdd_semantic_19.tsv": (19, 0, 17),
    "pascal_context_59.tsv": (59, 0, 51),
    "pascal_voc_21.tsv": (21, 0, 21),
    "ade20k_847.tsv": (847, 0, 124),
    "pascal_context_459.tsv": (459, 0, 102),
    "lvis.tsv": (1203, 1203, 106),
}
# Words that may begin with a capital letter.
PROPER = {"CD", "Christmas", "DVD", "Dalmatian", "Ferris", "LCD", "LED", "T-shirt", "TV", "iPod"} | {
    *("American", "Band-Aid", "Bible", "Brussels", "Dixie", "French", "ID", "Jolly", "Lego", "Roger", "Rollerblade"),
    *("Sharpie", "Tabasco", "Venetian"),
}
# table: strings that two classes may share, because the data set itself does not distinguish them.
MAY_SHARE: dict[str, set[str]] = {}


def raw_rows(table: str) -> list[dict[str, str]]:
    """Read a table with all its columns."""
    return list(csv.DictReader((FOLDER / table).read_text(encoding="utf-8").splitlines(), delimiter="\t"))


def index_of(table: str) -> dict[int, int]:
    """Return dataset id → contiguous id."""
    return {row.id: index for index, row in enumerate(read_categories(table))}


def vocabulary(table: str) -> Vocabulary:
    """Return the vocabulary of a table."""
    rows = read_categories(table)
    return Vocabulary(tuple(row.names for row in rows), tuple(row.isthing for row in rows))


@pytest.mark.parametrize("table", TABLES)
def test_file_is_plain_tab_separated_text(table: str) -> None:
    text = (FOLDER / table).read_bytes().decode("utf-8")
    assert text.endswith("\n")
    assert not set(text) & {"\r", '"'}
    lines = text.splitlines()
    assert tuple(lines[0].split("\t"))[: len(CATEGORY_COLUMNS)] == CATEGORY_COLUMNS
    assert {line.count("\t") for line in lines} == {lines[0].count("\t")}


@pytest.mark.parametrize("table", TABLES)
def test_ids_names_flags_and_colours(table: str) -> None:
    raw, rows = raw_rows(table), read_categories(table)
    assert len({row.id for row in rows}) == len(rows)
    assert all(row["name"] and row["name"] == row["name"].strip() for row in raw)
    assert len({row["name"] for row in raw}) == len(rows)
    assert {row["isthing"] for row in raw} <= {"0", "1"}
    assert all(0 <= channel <= 255 for row in rows for channel in row.rgb)


@pytest.mark.parametrize("table", TABLES)
def test_names_are_words_to_put_into_sentences(table: str) -> None:
    for row in read_categories(table):
        assert len(set(row.names)) == len(row.names), row
        for name in row.names:
            assert name, row
            assert name == " ".join(name.split()), row
            assert not set(name) & set("_:;{}"), row
            assert all(word == word.lower() or word in PROPER for word in name.split()), row


@pytest.mark.parametrize("table", TABLES)
def test_no_string_belongs_to_two_classes(table: str) -> None:
    uses = Counter(name for row in read_categories(table) for name in set(row.names))
    assert {name for name, count in uses.items() if count > 1} == MAY_SHARE.get(table, set())


@pytest.mark.parametrize(("table", "counts"), COUNTS.items(), ids=COUNTS)
def test_classes_things_and_seen(table: str, counts: tuple[int, int, int]) -> None:
    table_vocabulary = vocabulary(table)
    seen = table_vocabulary.seen_by(vocabulary("coco_panoptic.tsv"))
    assert (len(table_vocabulary.classes), sum(table_vocabulary.isthing), sum(seen)) == counts


def test_road_scenes_are_seen_but_poles_and_riders() -> None:
    for table in ("cityscapes.tsv", "bdd_semantic_19.tsv"):
        table_vocabulary = vocabulary(table)
        seen = table_vocabulary.seen_by(vocabulary("coco_panoptic.tsv"))
        assert [table_vocabulary.names[index] for index, flag in enumerate(seen) if not flag] == ["pole", "rider"]


def test_pascal_context_classes_that_training_has_not_shown() -> None:
    table_vocabulary = vocabulary("pascal_context_59.tsv")
    seen = table_vocabulary.seen_by(vocabulary("coco_panoptic.tsv"))
    unseen = {name for name, flag in zip(table_vocabulary.names, seen, strict=True) if not flag}
    assert unseen == {"bag", "bedclothes", "cloth", "computer", "ground", "plate", "sign", "wood"}


@pytest.mark.parametrize(
    ("table", "pairs"),
    [
        ("coco_panoptic.tsv", {1: 0, 90: 79, 92: 80, 200: 132}),
        ("cityscapes.tsv", {7: 0, 24: 11, 33: 18}),
        ("mapillary_65.tsv", {1: 0, 65: 64}),
        ("bdd_panoptic_40.tsv", {1: 0, 31: 30, 40: 39}),
        ("bdd_semantic_19.tsv", {0: 0, 18: 18}),
        ("pascal_voc_21.tsv", {0: 0, 20: 20}),
    ],
)
def test_ids_of_files_and_of_the_model(table: str, pairs: dict[int, int]) -> None:
    assert pairs.items() <= index_of(table).items()


def test_coco_lists_things_before_stuff() -> None:
    flags = [row.isthing for row in read_categories("coco_panoptic.tsv")]
    assert flags == [True] * 80 + [False] * 53


def test_first_thing_of_bdd_is_the_person() -> None:
    rows = read_categories("bdd_panoptic_40.tsv")
    assert [row.isthing for row in rows] == [False] * 30 + [True] * 10
    assert rows[30].names[0] == "person"


def test_things_of_ade_are_numbered_in_the_order_of_its_classes() -> None:
    rows = raw_rows("ade20k_150.tsv")
    assert [int(row["id"]) for row in rows] == list(range(150))
    instance = {int(row["instance_id"]): row for row in rows if row["isthing"] == "1"}
    assert list(instance) == list(range(1, 101))
    assert (instance[1]["name"], instance[1]["id"]) == ("bed", "7")
    assert (instance[100]["name"], instance[100]["id"]) == ("flag", "149")
    assert {row["instance_id"] for row in rows if row["isthing"] == "0"} == {"0"}


def test_colour_of_the_walls_of_ade_as_a_panoptic_id() -> None:
    red, green, blue = read_categories("ade20k_150.tsv")[0].rgb
    assert red + 256 * green + 256**2 * blue == 7895160


def test_pascal_context_59_points_into_the_459_classes() -> None:
    rows = raw_rows("pascal_context_59.tsv")
    number = {int(row["context_459_id"]): int(row["id"]) for row in rows}
    assert {2: 0, 397: 49, 458: 58}.items() <= number.items()
    assert list(number) == sorted(number)  # ascending, one for each class
    assert len(number) == 59


def test_pascal_sets_share_one_palette() -> None:
    voc, context = read_categories("pascal_voc_21.tsv"), read_categories("pascal_context_59.tsv")
    assert voc[0].rgb == (0, 0, 0)
    assert [row.rgb for row in voc[1:]] == [row.rgb for row in context[:20]]
    assert len({row.rgb for row in context}) == 59


def test_road_scenes_share_words_and_colours() -> None:
    city, bdd = read_categories("cityscapes.tsv"), read_categories("bdd_semantic_19.tsv")
    assert [(row.names, row.rgb) for row in city] == [(row.names, row.rgb) for row in bdd]


def test_lvis_frequencies_and_senses() -> None:
    assert Counter(row["frequency"] for row in raw_rows("lvis.tsv")) == {"r": 337, "c": 461, "f": 405}
    coco = set(vocabulary("coco_panoptic.tsv").synonyms)
    seen = {names[0] for names in vocabulary("lvis.tsv").classes if set(names) & coco}
    assert seen >= {"tv", "baseball bat", "bicycle", "fire hydrant", "cell phone", "donut", "wine glass"}
    assert not seen & {"bat", "hair clip", "baseball", "tank top", "drinking glass"}
