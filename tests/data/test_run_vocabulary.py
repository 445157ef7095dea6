"""Assignment of files of class names to data sets, and the vocabulary of a run."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from frozenseg.data import vocabulary_of
from frozenseg.data.run_vocabulary import build_vocabulary, vocabulary_files
from frozenseg.errors import ConfigError, DataError

CITY, VOC = "openvocab_cityscapes_fine_panoptic_val", "openvocab_pascal21_sem_seg_val"
CUSTOM = "folder:a?labels=b&classes=c"


def config(train: list[str], test: list[str], *entries: str, folder: str = "") -> SimpleNamespace:
    datasets = {"TRAIN": train, "TEST": test, "VOCABULARIES": list(entries), "VOCABULARY_FOLDER": folder}
    return SimpleNamespace(DATASETS=SimpleNamespace(**datasets))


def names_file(folder: Path, count: int) -> Path:
    path = folder / "names.txt"
    path.write_text("".join(f"{number}:word {number},w{number}\n" for number in range(count)), encoding="utf-8")
    return path


def test_a_file_for_each() -> None:
    assert vocabulary_files([], ["zoo"], ["pets"]) == {}
    assert vocabulary_files(["a.txt"], ["zoo"], ["pets"]) == {"pets": "a.txt"}
    assert vocabulary_files(["zoo=a.txt", "b.txt"], ["zoo"], ["pets"]) == {"zoo": "a.txt", "pets": "b.txt"}
    assert vocabulary_files([f"{CUSTOM}=a=1.txt", "zoo=b.txt"], ["zoo"], ["pets", CUSTOM]) == {
        CUSTOM: "a=1.txt",
        "zoo": "b.txt",
    }


def test_a_file_with_an_equals_sign(tmp_path: Path) -> None:
    path = tmp_path / "a=b.txt"
    path.touch()
    assert vocabulary_files([str(path)], [], ["pets"]) == {"pets": str(path)}


@pytest.mark.parametrize(
    ("entries", "test", "message"),
    [
        (
            ["a.txt"],
            ["pets", "cars"],
            r"a\.txt, but DATASETS.TEST has 2 data sets: .*NAME=a\.txt, with NAME one of zoo, pets, cars",
        ),
        (["a.txt"], [], "DATASETS.TEST has 0 data sets"),
        (["pest=a.txt"], ["pets"], r"a file for 'pest', .*\. Did you mean 'pets'\? Its data sets: zoo, pets"),
        (["a.txt", "pets=b.txt"], ["pets"], r"gives pets two files, a\.txt and b\.txt: remove one"),
    ],
)
def test_entries_that_cannot_be_assigned(entries: list[str], test: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        vocabulary_files(entries, ["zoo"], test)


def test_class_names_of_a_file_replace_those_of_the_data_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="frozenseg")
    cfg = config(["toyworld_train"], [CITY], str(names_file(tmp_path, 19)))
    vocabulary = build_vocabulary(cfg, CITY)
    assert vocabulary.classes[18] == ("word 18", "w18")
    assert vocabulary.isthing == vocabulary_of(CITY).isthing  # the data set's
    assert f"{CITY}: prompted with the class names of {tmp_path}/names.txt, 19 classes, 38 names." in caplog.text
    assert build_vocabulary(cfg, "toyworld_train") == vocabulary_of("toyworld_train")


def test_a_file_of_another_data_set(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=rf"names\.txt has 20 classes, numbered 0 to 19, {VOC} has 21, numbered 0 to 20"
    ):
        build_vocabulary(config([], [VOC], str(names_file(tmp_path, 20))), VOC)
