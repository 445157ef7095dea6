"""Classes of the command line: those of a data set that was labelled without class names, classes as settings."""

from frozenseg.cli.chosen_classes import class_settings, used_classes
from frozenseg.inference.auto_vocabulary import AutoVocabulary
from frozenseg.inference.formats.output_format import OutputClasses
from frozenseg.vocabulary import Vocabulary

NAMES, ISTHING = (("cat", "kitten"), ("sky",), ("dog",)), (True, False, True)
RECORDS = [{"segments": {"dog": 2}}, {"segments": {"cat": 1, "dog": 1}}, {"segments": {}}]


def test_a_data_set_labelled_with_auto_has_the_classes_with_segments() -> None:
    used = used_classes(OutputClasses(AutoVocabulary(NAMES, ISTHING), ids=(5, 7, 9)), RECORDS)
    assert used.vocabulary == Vocabulary((("cat", "kitten"), ("dog",)), (True, True))
    assert used.ids == (5, 9)


def test_a_data_set_has_all_classes_that_were_named() -> None:
    classes = OutputClasses(Vocabulary(NAMES, ISTHING))
    assert used_classes(classes, RECORDS) is classes


def test_classes_as_settings_of_a_run() -> None:
    settings = class_settings(OutputClasses(Vocabulary(NAMES, ISTHING), ids=(5, 7, 9)))
    assert (settings["words"], settings["stuff"], settings["class ids"]) == ("cat,kitten; sky; dog", "sky", [5, 7, 9])
    assert class_settings(OutputClasses(AutoVocabulary(NAMES, ISTHING))) == {"words": "auto (3 names)"}
