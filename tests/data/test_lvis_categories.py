"""The LVIS vocabulary: complete, its words unambiguous, and spelled like COCO's where COCO shows the same."""

import csv
from collections import Counter
from pathlib import Path

import frozenseg
from frozenseg.data.spec import read_categories

ROWS = read_categories("lvis.tsv")
TABLE = Path(frozenseg.__file__).parent / "data/categories/lvis.tsv"
COCO_WORDS = {word for row in read_categories("coco_panoptic.tsv") for word in row.names}


def test_all_classes_are_there_in_the_order_of_their_ids():
    assert [row.id for row in ROWS] == list(range(1, 1204))
    assert all(row.isthing for row in ROWS)
    with TABLE.open(encoding="utf-8", newline="") as file:
        frequencies = Counter(row["frequency"] for row in csv.DictReader(file, delimiter="\t"))
    assert frequencies == {"r": 337, "c": 461, "f": 405}


def test_words_are_plain_and_stand_for_one_class():
    words = [word for row in ROWS for word in row.names]
    assert [word for word in words if not word or set(word) & set("_:()")] == []
    assert [word for word, count in Counter(word.lower() for word in words).items() if count > 1] == []


def test_classes_that_coco_shows_share_a_word_with_it():
    seen = [row for row in ROWS if set(row.names) & COCO_WORDS]
    assert len(seen) == 100
    names = {row.names[0] for row in seen}
    assert names >= {"tv", "baseball bat", "bicycle", "fire hydrant", "cell phone", "donut", "wine glass"}
    assert not names & {"bat", "hair clip", "baseball", "tank top", "drinking glass"}
