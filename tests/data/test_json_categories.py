"""Categories of COCO JSONs, as tools write them."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from frozenseg.data.json_categories import read_json_categories
from frozenseg.errors import DataError

CAT, DOG = {"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}


def read(folder: Path, categories: Any, annotations: Any = ()) -> list[tuple[Any, ...]]:
    path = folder / "a.json"
    path.write_text(json.dumps({"categories": categories, "annotations": annotations}), encoding="utf-8")
    return [tuple(category) for category in read_json_categories(path)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (1, "cat", True, None)),
        ({"id": "1"}, (1, "cat", True, None)),
        ({"id": 1.0}, (1, "cat", True, None)),
        ({"name": " road,  route "}, (1, "road route", True, None)),
        ({"isthing": 0}, (1, "cat", False, None)),
        ({"isthing": "0"}, (1, "cat", False, None)),
        ({"isthing": False}, (1, "cat", False, None)),
        ({"isthing": "true"}, (1, "cat", True, None)),
        ({"isthing": None, "color": None}, (1, "cat", True, None)),
        ({"color": "#1f77b4"}, (1, "cat", True, (31, 119, 180))),  # COCO Annotator
        ({"color": [1, 2, 3]}, (1, "cat", True, (1, 2, 3))),
        ({"color": [1.0, 2.0, 3.0]}, (1, "cat", True, (1, 2, 3))),
        ({"color": "red"}, (1, "cat", True, None)),
        ({"color": [300, 0, 0]}, (1, "cat", True, None)),
        ({"color": {"r": 1}}, (1, "cat", True, None)),
    ],
)
def test_fields(fields: dict[str, Any], expected: tuple[Any, ...], tmp_path: Path) -> None:
    assert read(tmp_path, [{**CAT, **fields}]) == [expected]


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        ([{**CAT, "id": None}], "category number 1 has the id None, expected a whole number"),
        ([CAT, {**DOG, "id": 1.5}], r"category number 2 has the id 1\.5"),
        ([{**CAT, "id": True}], "category number 1 has the id True"),
        ([{**CAT, "name": None}], "has the name None for category 1, expected the name of a class"),
        ([{**CAT, "name": " , "}], "has the name ' , ' for category 1"),
        ([{**CAT, "name": 3}], "has the name 3 for category 1"),
        ([{**CAT, "isthing": "maybe"}], "category 1: isthing 'maybe' is no flag: expected 1 or 0"),
        ([CAT, {**DOG, "id": 1}], "categories .* and .* have the same id 1, expected distinct ids"),
        ([], "has no categories, expected a list of id and name"),
        ({"1": "cat"}, "categories is .*, expected a list"),
        (["cat"], "entry 1 of categories is 'cat', expected a JSON object"),
        (None, "categories is None, expected a list"),
    ],
)
def test_refused(categories: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, categories)


def test_equal_categories_are_read_once(tmp_path: Path) -> None:
    assert read(tmp_path, [CAT, {**CAT, "id": "1"}, DOG]) == read(tmp_path, [CAT, DOG])


def test_the_category_of_a_roboflow_project(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    members = [{**CAT, "supercategory": "pets"}, {**DOG, "supercategory": "pets"}]
    project = {"id": 0, "name": "pets", "supercategory": "none"}
    for _ in range(2):
        assert [name for _, name, *_ in read(tmp_path, [project, *members], [{"category_id": 1}])] == ["cat", "dog"]
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().endswith(
        "a.json: the category 0, 'pets', is left out, as it groups all others and no object has it."
    )
    assert len(read(tmp_path, [project, *members], [{"category_id": 0}])) == 3
    assert len(read(tmp_path, [project, *members], [{"segments_info": [{"category_id": 0}]}])) == 3
    assert len(read(tmp_path, [project, {**CAT, "supercategory": "none"}])) == 2


def test_commas_in_names_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read(tmp_path, [{"id": 1, "name": "road, route"}, {"id": 2, "name": "a,b"}])
    [message] = caplog.messages
    assert "the comma in 'road, route', and others in names, are read as spaces" in message
