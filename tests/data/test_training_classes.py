"""Classes that count as seen: those in the weights, whatever training data set the config names."""

import logging
from types import SimpleNamespace

import pytest

from frozenseg.data import resolve, vocabulary_of
from frozenseg.data.seen_classes import seen_classes
from frozenseg.data.training_classes import refuse_other_classes, training_classes
from frozenseg.errors import CheckpointError, ConfigError, DataError
from frozenseg.vocabulary import Vocabulary

COCO, TOYWORLD = "openvocab_coco_2017_train_panoptic_with_sem_seg", "toyworld_train"
ADE = "openvocab_ade20k_panoptic_val"


def config(*train: str) -> SimpleNamespace:
    datasets = SimpleNamespace(TRAIN=list(train), TEST=[], VOCABULARIES=[], VOCABULARY_FOLDER="", NORMALIZE_NAMES=True)
    return SimpleNamespace(DATASETS=datasets)


def trained_on(name: str) -> str:
    return f"DATASETS:\n  TRAIN: ['{name}']\n"


def test_weights_with_the_classes_of_the_config(caplog: pytest.LogCaptureFixture) -> None:
    training = training_classes(config(COCO), vocabulary_of(COCO), trained_on(COCO), "a.pth")
    assert training.metadata is resolve(COCO).metadata
    assert sum(seen_classes(resolve(ADE), training, "published")) == 64
    training = training_classes(config(COCO), None, "", "released.pth")  # a released file has no vocabulary
    assert training.vocabulary == vocabulary_of(COCO)
    assert "WARNING" not in caplog.text


def test_another_training_set_in_the_config_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    expected = seen_classes(resolve("toyworld_val_unseen"), resolve(TOYWORLD))
    training = training_classes(config(COCO), vocabulary_of(TOYWORLD), trained_on(TOYWORLD), "a.pth")
    [message] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert message.startswith(
        "a.pth was trained on 20 classes of toyworld_train ('red circle', 'red square', 'red star' …), but "
        f"DATASETS.TRAIN of the config is {COCO} with 133 classes ('person'"
    )
    assert "those in the weights count as seen" in message
    assert training.name == TOYWORLD
    assert seen_classes(resolve("toyworld_val_unseen"), training) == expected
    assert 0 < sum(expected) < len(expected)
    with pytest.raises(ConfigError, match=f"no published flags for {ADE} after training on toyworld_train"):
        seen_classes(resolve(ADE), training, "published")


def test_the_training_data_need_not_be_there(caplog: pytest.LogCaptureFixture) -> None:
    farm = Vocabulary.parse("hay; cow")
    name = "coco-panoptic:no/file.json?images=no"
    assert training_classes(config(name), farm, trained_on(name), "a.pth").vocabulary == farm
    assert training_classes(config(), farm, "", "a.pth").vocabulary == farm
    assert training_classes(config(), farm, "{", "a.pth").name == "the training data of the weights"
    assert not caplog.messages
    assert training_classes(config(name), farm, trained_on(COCO), "a.pth").vocabulary == farm
    assert "DATASETS.TRAIN is not usable: The annotation file" in caplog.text
    with pytest.raises(DataError, match="does not exist"):
        training_classes(config(name), None, "", "a.pth")
    with pytest.raises(ConfigError, match=r"b\.pth has no vocabulary and DATASETS.TRAIN is empty"):
        training_classes(config(), None, "", "b.pth")


def test_resuming_with_other_classes_is_refused() -> None:
    animals = Vocabulary.parse("cat; Guinea_Pig")
    refuse_other_classes(config("pets"), None, animals, "a.pth")
    refuse_other_classes(config("pets"), animals, Vocabulary.parse("guinea pig; cat"), "a.pth")
    with pytest.raises(
        CheckpointError,
        match=r"a\.pth was trained on 2 classes \('Guinea_Pig'\), but DATASETS.TRAIN \(pets\) has 2 \('dog'\): resume",
    ):
        refuse_other_classes(config("pets"), animals, Vocabulary.parse("cat; dog"), "a.pth")
