"""Edits of segments: each changes pixels and names as expected, and is undone exactly."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.inference.editing import MAX_EDITS, EditedImage
from frozenseg.inference.result import Result
from frozenseg.structures.instances import Instances
from frozenseg.vocabulary import Vocabulary

CLASSES = Vocabulary.from_strings(["cat,kitten", "dog", "sky"], isthing=[True, True, False])
IMAGE = Image.new("RGB", (4, 2))
MAP = [[1, 1, 2, 2], [3, 3, 3, 3]]


def prediction(pixels: list[list[int]] = MAP, vocabulary: Vocabulary = CLASSES) -> Result:
    """Return a result whose segment N is of class N - 1."""
    infos = [
        {"id": number, "category_id": number - 1, "isthing": vocabulary.isthing[number - 1], "score": number / 10}
        for number in sorted({value for row in pixels for value in row} - {0})
    ]
    return Result(IMAGE, vocabulary, (torch.tensor(pixels, dtype=torch.int32), infos))


@pytest.fixture
def edited() -> EditedImage:
    image = EditedImage(2, 4, CLASSES)
    image.predict(prediction(), "panoptic")
    return image


def rows(edited: EditedImage) -> list[str]:
    """Return the name of each pixel by its first letter, ``.`` for none."""
    letters = {each.id: each.name[0] for each in edited.segments}
    return ["".join(letters.get(value, ".") for value in row) for row in edited.runs.pixels().tolist()]


def box(*area: int) -> np.ndarray:
    mask = np.zeros((2, 4), dtype=bool)
    top, bottom, left, right = area
    mask[top:bottom, left:right] = True
    return mask


def test_a_prediction_is_the_first_state(edited: EditedImage) -> None:
    assert rows(edited) == ["ccdd", "ssss"]
    assert [(each.name, each.isthing, each.score) for each in edited.segments] == [
        ("cat", True, 0.1), ("dog", True, 0.2), ("sky", False, 0.3)]  # fmt: skip


EDITS: list[tuple[Callable[[EditedImage], object], list[str]]] = [
    (lambda edited: edited.add(box(0, 1, 1, 3), "bird"), ["cbbd", "ssss"]),
    (lambda edited: edited.erase(box(0, 2, 0, 1)), [".cdd", ".sss"]),
    (lambda edited: edited.rename([1], "dog"), ["dddd", "ssss"]),
    (lambda edited: edited.merge([2, 1]), ["dddd", "ssss"]),
    (lambda edited: edited.delete([1, 3]), ["..dd", "...."]),
    (lambda edited: edited.predict(prediction([[2, 2, 2, 2], [0, 0, 0, 0]]), "panoptic"), ["dddd", "...."]),
]


@pytest.mark.parametrize(("edit", "expected"), EDITS)
def test_an_edit_changes_pixels_and_is_undone_and_repeated(
    edited: EditedImage, edit: Callable[[EditedImage], object], expected: list[str]
) -> None:
    before = (rows(edited), edited.segments, edited.vocabulary)
    edit(edited)
    after = (rows(edited), edited.segments, edited.vocabulary)
    assert after[0] == expected
    edited.undo()
    assert (rows(edited), edited.segments, edited.vocabulary) == before
    assert edited.can_redo
    edited.redo()
    assert (rows(edited), edited.segments, edited.vocabulary) == after


def test_a_covered_segment_is_removed(edited: EditedImage) -> None:
    edited.add(box(0, 1, 0, 4), "bird")
    assert [each.name for each in edited.segments] == ["sky", "bird"]


def test_kept_segments_stay_on_top_of_the_next_prediction(edited: EditedImage) -> None:
    edited.add(box(0, 1, 1, 2), "bird", score=0.9)
    edited.keep([3])
    edited.predict(prediction([[1, 1, 1, 1], [1, 1, 1, 1]], Vocabulary.from_strings(["water"])), "panoptic")
    assert rows(edited) == ["wbww", "ssss"]
    assert edited.classes().names == ("water", "sky", "bird")
    assert edited.classes().isthing == (True, False, True)
    edited.keep([each.id for each in edited.segments], is_kept=False)
    edited.predict(prediction(), "panoptic")
    assert rows(edited) == ["ccdd", "ssss"]


def test_a_predicted_thing_under_a_kept_one_is_left_out(edited: EditedImage) -> None:
    edited.add(box(0, 1, 0, 2), "bird")
    edited.predict(prediction([[1, 1, 1, 2], [3, 3, 3, 3]]), "panoptic")
    assert rows(edited) == ["bb.d", "ssss"]
    edited.predict(prediction([[3, 3, 3, 2], [2, 2, 2, 2]]), "panoptic")
    assert rows(edited) == ["bbsd", "dddd"]  # stuff stays around it


def test_an_added_segment_replaces_the_thing_under_it() -> None:
    edited = EditedImage(2, 4, CLASSES)
    edited.predict(prediction([[1, 1, 1, 3], [3, 3, 3, 3]]), "panoptic")
    edited.add(box(0, 1, 0, 2), "cat")
    assert rows(edited) == ["cc.s", "ssss"]
    edited.add(box(0, 2, 2, 4), "dog")
    assert rows(edited) == ["ccdd", "ssdd"]  # stuff stays around it


def test_the_first_prediction_is_not_undone(edited: EditedImage) -> None:
    assert not edited.can_undo


def test_an_edited_segment_is_kept(edited: EditedImage) -> None:
    edited.rename([1], "fox")
    edited.merge([2, 3])
    edited.predict(prediction([[2, 2, 2, 2], [2, 2, 2, 2]]), "panoptic")
    assert rows(edited) == ["ffdd", "dddd"]
    assert [(each.name, each.is_kept) for each in edited.segments] == [("fox", True), ("dog", True)]


def test_a_synonym_is_the_name_of_its_class(edited: EditedImage) -> None:
    edited.rename([2], "kitten")
    edited.add(box(1, 2, 0, 1), " kitten ", isthing=False)
    assert [(each.name, each.isthing) for each in edited.segments if each.id in (2, 4)] == [("cat", True)] * 2
    assert edited.classes() == CLASSES
    both = Vocabulary.from_strings(["cat,kitten", "kitten"])
    edited.predict(prediction([[1, 1, 2, 2], [2, 2, 2, 2]], both), "panoptic")
    edited.rename([1], "kitten")
    assert edited.segments[0].name == "kitten"  # a class of this name


def test_the_instance_view_has_the_small_ones_on_top() -> None:
    masks = torch.from_numpy(np.stack([box(0, 1, 0, 1), box(0, 1, 0, 2), box(0, 2, 0, 4), box(1, 2, 3, 4)]))
    boxes, labels = torch.zeros(4, 4), torch.tensor([0, 1, 2, 0])
    scores = torch.tensor([0.5, 0.9, 0.4, 0.2])  # the last one is below the limit of drawings
    instances = Instances((2, 4), pred_masks=masks, pred_boxes=boxes, scores=scores, pred_classes=labels)
    edited = EditedImage(2, 4, CLASSES)
    edited.predict(Result(IMAGE, CLASSES, instances=instances), "instance")
    assert rows(edited) == ["cdss", "ssss"]


def test_the_semantic_view_has_a_segment_for_each_class_without_a_score() -> None:
    edited = EditedImage(2, 4, CLASSES)
    edited.predict(Result(IMAGE, CLASSES, semantic=torch.tensor([[2, 0, 2, 2], [-1, -1, 0, 2]])), "semantic")
    assert rows(edited) == ["scss", "..cs"]
    assert [each.score for each in edited.segments] == [None, None]


def test_the_result_has_what_is_shown(edited: EditedImage) -> None:
    edited.rename([2], "fox")
    result = edited.result(IMAGE, hidden=[1])
    coco = result.to_coco(file_name="a.png")
    assert [(each["name"], each["area"], each["bbox"]) for each in coco["annotations"]] == [
        ("fox", 2, [2, 0, 2, 1]), ("sky", 4, [0, 1, 4, 1])]  # fmt: skip
    assert [each["name"] for each in coco["categories"]] == ["cat", "dog", "sky", "fox"]
    assert result.mask_of("fox").sum() == 2


def test_segments_of_a_class_have_shades(edited: EditedImage) -> None:
    edited.rename([2], "cat")
    colours = edited.colours()
    assert len(set(colours.values())) == 3


def test_the_number_of_steps_is_bounded(edited: EditedImage) -> None:
    for number in range(MAX_EDITS + 20):
        edited.rename([1], f"name {number}")
    for _ in range(MAX_EDITS):
        assert edited.can_undo
        edited.undo()
    assert not edited.can_undo
    edited.undo()
    assert rows(edited)[1] == "ssss"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda edited: edited.delete([7]), r"\[7\] are selected, expected ids of the image: \[1, 2, 3\]"),
        (lambda edited: edited.keep([]), "are selected"),
        (lambda edited: edited.merge([1]), "expected two or more"),
        (lambda edited: edited.rename([1], "  "), "empty name"),
        (lambda edited: edited.rename([1], "a;b"), "separate names"),
        (lambda edited: edited.add(np.zeros((2, 4), bool), "cat"), "0 pixels"),
        (lambda edited: edited.erase(np.ones((2, 2), bool)), r"expected \(2, 4\)"),
    ],
)
def test_a_wrong_edit_changes_nothing(edited: EditedImage, edit: Callable[[EditedImage], object], message: str) -> None:
    before = (rows(edited), edited.segments)
    with pytest.raises(DataError, match=message):
        edit(edited)
    assert (rows(edited), edited.segments) == before
