"""Metadata: the class fields, set directly or derived from the fields of Detectron2."""

import pytest

from frozenseg.data.metadata import Metadata, classes_from_detectron2
from frozenseg.errors import DataError
from frozenseg.structures.dataset_metadata import DatasetMetadata
from frozenseg.structures.palette import vocabulary_colours
from frozenseg.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("fields", "classes", "isthing", "ids"),
    [
        ({"thing_classes": ["cow,cattle", "pig"]}, (("cow", "cattle"), ("pig",)), (True, True), (0, 1)),
        ({"stuff_classes": ["hay", "mud"]}, (("hay",), ("mud",)), (False, False), (0, 1)),
        (
            {"stuff_classes": ["mud", "cow"], "thing_classes": ["cow"], "thing_dataset_id_to_contiguous_id": {7: 1}},
            (("mud",), ("cow",)),
            (False, True),
            (0, 7),
        ),
        (
            {
                "stuff_classes": ["cow", "mud"],
                "thing_dataset_id_to_contiguous_id": {7: 0},
                "stuff_dataset_id_to_contiguous_id": {7: 0, 9: 1},
            },
            (("cow",), ("mud",)),
            (True, False),
            (7, 9),
        ),
    ],
)
def test_detectron2_fields_are_converted(
    fields: dict[str, object], classes: tuple[object, ...], isthing: tuple[bool, ...], ids: tuple[int, ...]
) -> None:
    metadata = Metadata(name="farm", **fields)
    assert metadata.vocabulary == Vocabulary(classes, isthing)  # type: ignore[arg-type]
    assert metadata.category_ids == ids
    assert metadata.colors == tuple(vocabulary_colours(metadata.vocabulary.names))
    assert metadata.contiguous_ids == {category: index for index, category in enumerate(ids)}
    assert list(metadata.thing_contiguous_ids.values()) == [index for index, flag in enumerate(isthing) if flag]


def test_they_may_be_set_one_after_the_other() -> None:
    metadata = Metadata(name="farm").set(stuff_classes=["mud", "cow"])
    assert metadata.vocabulary.isthing == (False, False)
    metadata.set(thing_dataset_id_to_contiguous_id={7: 1}, stuff_colors=[[1, 2, 3], [4, 5, 6]])
    assert metadata.vocabulary.isthing == (False, True)
    assert metadata.colors == ((1, 2, 3), (4, 5, 6))
    metadata.set(vocabulary=Vocabulary.parse("sheep"))
    assert metadata.vocabulary.names == ("sheep",)


def test_several_categories_of_one_class_are_all_read() -> None:
    metadata = Metadata(stuff_classes=["cow"], thing_dataset_id_to_contiguous_id={7: 0, 8: 0})
    assert metadata.contiguous_ids == metadata.thing_contiguous_ids == {7: 0, 8: 0}


def test_a_map_to_a_class_that_is_not_listed_is_an_error() -> None:
    with pytest.raises(DataError, match="'farm' assign category 7 to class 1, but stuff_classes lists 1 classes"):
        classes_from_detectron2({"name": "farm", "stuff_classes": ["mud"], "thing_dataset_id_to_contiguous_id": {7: 1}})


def test_without_classes_there_is_no_vocabulary() -> None:
    with pytest.raises(AttributeError, match="Metadata of 'farm' has no 'vocabulary'; it has name"):
        _ = Metadata(name="farm").vocabulary
    assert Metadata(name="farm").get("vocabulary") is None


def test_colors_default_to_the_palette() -> None:
    metadata: DatasetMetadata = Metadata(name="farm", vocabulary=Vocabulary.parse("cow; pig"), category_ids=(3, 4))
    assert metadata.colors == tuple(vocabulary_colours(metadata.vocabulary.names))
