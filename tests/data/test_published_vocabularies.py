"""Folders with published files of class names, with invented names in the published form and number."""

import logging
from pathlib import Path

import pytest

from frozenseg.config import CfgNode, load_config
from frozenseg.data import vocabulary_of
from frozenseg.data.run_vocabulary import build_vocabulary
from frozenseg.data.training_classes import training_classes
from frozenseg.errors import DataError

COCO, ADE = "openvocab_coco_2017_train_panoptic_with_sem_seg", "openvocab_ade20k_panoptic_val"
COCO_IDS = sorted({*range(1, 91)} - {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}) + [
    *(92, 93, 95, 100, 107, 109, 112, 118, 119, 122, 125, 128, 130, 133, 138, 141, 144, 145, 147, 148, 149, 151, 154),
    *(155, 156, 159, 161, 166, 168, 171, 175, 176, 177, 178, 180, 181, *range(184, 201)),
]
# data set, file, numbers of its classes, numbers without a class, number of names, names of the first class
CASES = [
    (COCO, "coco_panoptic", COCO_IDS, sorted({*range(201)} - {*COCO_IDS}), 254, 3),
    (ADE, "ade20k_150", range(1, 151), [0], 403, 2),
    ("openvocab_ade20k_full_sem_seg_val", "ade20k_847", range(1, 848), [0], 1342, 2),
    ("openvocab_cityscapes_fine_panoptic_val", "cityscapes", range(19), [], 60, 2),
    ("openvocab_mapillary_vistas_panoptic_val", "mapillary_vistas", range(1, 66), [0], 153, 2),
    ("openvocab_pascal_ctx59_sem_seg_val", "pascal_ctx_59", range(1, 60), [0], 160, 2),
    ("openvocab_pascal_ctx459_sem_seg_val", "pascal_ctx_459", range(1, 460), [0], 559, 2),
    ("openvocab_pascal21_sem_seg_val", "pascal_voc_21", range(21), [], 153, 74),
    ("openvocab_pascal20_sem_seg_val", "pascal_voc_21", range(21), [], 153, 74),
]


def write(folder: Path, stem: str, numbers: list[int] | range, invalid: list[int], names: int, first: int) -> Path:
    """Write a file in the published form; the last class has the names that are missing in the total."""
    counts = [first, *[1] * (len(numbers) - 2)]
    counts.append(names - sum(counts))
    lines = dict.fromkeys(invalid, "invalid_class_id")
    for number, count in zip(numbers, counts, strict=True):
        lines[number] = ",".join(f"{stem} {number} {index}" for index in range(count))
    path = folder / f"{stem}_with_prompt_eng.txt"
    path.write_text("".join(f"{number}:{lines[number]}\n" for number in sorted(lines)), encoding="utf-8")
    return path


def config(test: str, folder: Path | str, *options: object) -> CfgNode:
    datasets = ["DATASETS.TRAIN", [COCO], "DATASETS.TEST", [test], "DATASETS.VOCABULARY_FOLDER", str(folder)]
    return load_config("fcclip/convnext_large", [*datasets, *options])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_published_files_are_used_and_counted(case: tuple, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="frozenseg")
    name, stem, numbers, *others = case
    write(tmp_path, stem, numbers, *others)
    vocabulary = build_vocabulary(config(name, tmp_path), name)
    without_background = name.startswith("openvocab_pascal20")
    count = 79 if without_background else others[1]
    assert len(vocabulary.synonyms) == count
    assert len(vocabulary) == len(vocabulary_of(name))
    assert vocabulary.names[0] == f"{stem} {list(numbers)[1 if without_background else 0]} 0"
    assert vocabulary.names[-1] == f"{stem} {list(numbers)[-1]} 0"
    assert vocabulary.isthing == vocabulary_of(name).isthing
    assert f"{name}: {count} names, as published." in caplog.text


def test_training_classes_are_published_ones_too(tmp_path: Path) -> None:
    write(tmp_path, *CASES[0][1:])
    training = training_classes(config(ADE, tmp_path), None, "", "weights.pth")
    assert training.vocabulary.names[79] == "coco_panoptic 90 0"
    assert training.vocabulary.names[80] == "coco_panoptic 92 0"


def test_another_number_of_names_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, *CASES[1][1:4], 402, 2)
    build_vocabulary(config(ADE, tmp_path), ADE)
    assert f"{ADE}: 402 names in {tmp_path}/ade20k_150_with_prompt_eng.txt, expected the 403 of pub" in caplog.text


def test_an_entry_for_a_data_set_takes_precedence(tmp_path: Path) -> None:
    write(tmp_path, *CASES[1][1:])
    path = tmp_path / "names.txt"
    path.write_text("".join(f"{number}:word {number}\n" for number in range(150)), encoding="utf-8")
    cfg = config(ADE, tmp_path, "DATASETS.VOCABULARIES", [f"{ADE}={path}"])
    assert build_vocabulary(cfg, ADE).names[149] == "word 149"


@pytest.mark.parametrize(
    "name", ["bdd10k_val_sem_seg", "openvocab_ade20k_instance_val", "openvocab_lvis_v1_val", "toyworld_val_seen"]
)
def test_data_sets_without_a_published_file_keep_their_names(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="frozenseg")
    assert build_vocabulary(config(name, tmp_path), name) == vocabulary_of(name)
    assert f"{name}: no published file of class names in {tmp_path}" in caplog.text


def test_a_file_for_lvis_is_used_but_was_not_published_for_evaluation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="frozenseg")
    name = "openvocab_lvis_v1_val"
    write(tmp_path, "lvis_1203", range(1, 1204), [], 1300, 1)
    assert build_vocabulary(config(name, tmp_path), name).names[1202] == "lvis_1203 1203 0"
    path = tmp_path / "lvis_1203_with_prompt_eng.txt"
    assert f"{name}: 1300 names in {path}, but published results were made with the names of the data" in caplog.text


def test_a_missing_file_or_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=rf"has no ade20k_150_with_prompt_eng\.txt, the class names of {ADE}: add .*voc_21"
    ):
        build_vocabulary(config(ADE, tmp_path), ADE)
    with pytest.raises(DataError, match=r"VOCABULARY_FOLDER is '/none', which is not a folder: .*coco_panoptic_with_"):
        build_vocabulary(config(ADE, "/none"), ADE)
