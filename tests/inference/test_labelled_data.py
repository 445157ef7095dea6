"""Labelled data sets: split by names, images as links, copies or PNGs, the table of classes, names of data sets."""

from pathlib import Path

import pytest
from PIL import Image

from frozenseg.data.custom_dataset import custom_spec
from frozenseg.inference.data_split import TRAIN, VAL, split_images
from frozenseg.inference.formats.output_format import OutputClasses
from frozenseg.inference.labelled_data import LabelledData, data_name, data_set_name, write_class_table
from frozenseg.inference.result import Result
from frozenseg.inference.run_outputs import RunOutputs
from frozenseg.inference.sources.source_image import SourceImage
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.files import VocabularyLine, read_vocabulary_lines

CLASSES = OutputClasses(
    Vocabulary.from_strings(["cat,kitten", "sky"], stuff=["sky"]), ids=(7, 3), colours=((1, 2, 3), (4, 5, 6))
)
RESULT = Result(Image.new("RGB", (8, 6)), CLASSES.vocabulary)
NAMES = [f"{number}.jpg" for number in range(100)]


@pytest.mark.parametrize(
    ("count", "fraction", "expected"), [(100, 0.2, 20), (3, 0.1, 1), (3, 0.9, 2), (1, 0.5, 0), (5, 0.0, 0), (5, 1.0, 4)]
)
def test_the_size_of_the_validation_split(count: int, fraction: float, expected: int) -> None:
    split = split_images(NAMES[:count], fraction)
    assert list(split.values()).count(VAL) == expected


def test_the_split_depends_on_names_only_and_changes_little() -> None:
    split = split_images(NAMES, 0.2)
    assert split == split_images(NAMES[::-1], 0.2)
    fewer = split_images(NAMES[:90], 0.2)
    assert sum(split[name] != fewer[name] for name in fewer) <= 4


def data(folder: Path, copy: bool = False, split: dict[str, str] | None = None) -> LabelledData:
    outputs = {TRAIN: RunOutputs([]), VAL: RunOutputs([])}
    return LabelledData(folder, outputs, RunOutputs([]), split or {"sub/a.jpg": TRAIN, "clip.mp4": VAL}, copy)


@pytest.mark.parametrize("copy", [False, True])
def test_an_image_file_is_in_the_data_set_unchanged(tmp_path: Path, copy: bool) -> None:
    path = tmp_path / "photos/sub/a.jpg"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (8, 6), "red").save(path)
    image = SourceImage("sub/a.jpg", "sub/a", Image.new("RGB", (8, 6)), path=path)
    for _ in range(2):  # an interrupted run writes it twice
        assert data(tmp_path / "out", copy).write(image, RESULT)["split"] == TRAIN
    target = tmp_path / "out/images/sub/a.jpg"
    assert target.read_bytes() == path.read_bytes()
    assert target.samefile(path) is not copy
    assert [file.name for file in target.parent.iterdir()] == ["a.jpg"]


def test_frames_and_downloads_are_stored_as_png_in_the_split_of_their_video(tmp_path: Path) -> None:
    name = "clip.mp4/frame_000001"
    frame = SourceImage(name, name, Image.new("RGB", (8, 6)), path=Path("clip.mp4"))
    assert data(tmp_path).write(frame, RESULT)["split"] == VAL
    with Image.open(tmp_path / "images/clip.mp4/frame_000001.png") as stored:
        assert (stored.format, stored.size) == ("PNG", (8, 6))
    assert data_name(SourceImage("photo.jpg", "photo", None), ()) == "photo.jpg.png"
    assert data_name(SourceImage("photo.png", "photo", None), ()) == "photo.png"


def test_the_class_table_is_read_back(tmp_path: Path) -> None:
    write_class_table(tmp_path / "classes.tsv", CLASSES)
    assert read_vocabulary_lines(tmp_path / "classes.tsv") == [
        VocabularyLine(7, ("cat", "kitten"), True, (1, 2, 3)),
        VocabularyLine(3, ("sky",), False, (4, 5, 6)),
    ]


def test_names_of_data_sets_escape_their_special_characters(tmp_path: Path) -> None:
    folder = tmp_path / "what? a=b & 100% 'it'"
    name = data_set_name(folder, folder / "train/panoptic.json", "labels_train")
    assert "'" not in name
    files = custom_spec(name).files
    assert files["panoptic_json"] == str(folder / "train/panoptic.json")
    assert files["image_root"] == str(folder / "images")
    assert files["panoptic_root"] == str(folder / "train/panoptic")


def test_a_new_name_is_none_of_the_inputs(tmp_path: Path) -> None:
    frame = SourceImage("clip.mp4/frame_1", "clip.mp4/frame_1", Image.new("RGB", (8, 6)))
    split = {"clip.mp4": TRAIN, "Clip.mp4/Frame_1.png": VAL, "clip.mp4/frame_1_2.png": VAL}
    data(tmp_path, split=split).write(frame, RESULT)
    assert (tmp_path / "images/clip.mp4/frame_1_3.png").is_file()


@pytest.mark.parametrize("copy", [False, True])
def test_names_with_as_many_bytes_as_the_system_allows(tmp_path: Path, copy: bool) -> None:
    names = [f"{'ä' * 120}{letter}.png" for letter in "ab"]
    for name in names:
        Image.new("RGB", (8, 6)).save(tmp_path / name)
        image = SourceImage(name, name[:-4], Image.new("RGB", (8, 6)), path=tmp_path / name)
        data(tmp_path / "out", copy, dict.fromkeys(names, TRAIN)).write(image, RESULT)
        assert (tmp_path / "out/images" / data_name(image, ())).is_file()
    assert len(list((tmp_path / "out/images").iterdir())) == 2
