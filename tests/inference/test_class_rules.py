"""Negatives, background and absent classes: hand-made class scores, and the rules that lead to them."""

import pytest
import torch

from frozenseg.config import load_config
from frozenseg.errors import ConfigError, DataError
from frozenseg.inference.class_rules import ClassRules, negative_classes
from frozenseg.modeling.build import build_model
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.postprocess.hidden_classes import EVIDENCE, HiddenClasses
from frozenseg.structures.argmax import INVALID_CLASS
from frozenseg.structures.image_list import ImageSize
from frozenseg.vocabulary import Vocabulary
from tests.tiny import TRAINING, tiny_config

SIZE = ImageSize(2, 4)
LEFT = torch.tensor([[9.0, 9, -9, -9], [9, 9, -9, -9]])
MASKS = torch.stack([LEFT, -LEFT])  # two queries: the left and the right half
FEW = ClassRules(negatives=Vocabulary.parse("wall,fence; red star; car"), negatives_up_to=2, negative_weight=0.5)


@pytest.fixture(scope="module")
def model() -> MaskClassifier:
    return build_model(tiny_config("FCCLIP"), TRAINING).eval()


def outputs(model: MaskClassifier, settings: InferenceSettings, probabilities: list[list[float]]) -> dict[str, object]:
    """Return the outputs of two queries with these probabilities of the classes and void."""
    hidden = HiddenClasses.of_image(torch.tensor(probabilities).log(), MASKS, settings)
    logits = hidden.merged(torch.tensor(probabilities).log())
    flags = hidden.merged_flags(settings.vocabulary.isthing)
    labels = {**settings.postprocessor.__dict__, "labels": True}
    output = type(settings.postprocessor)(**labels)(logits, MASKS, flags, true_size=SIZE, target_size=SIZE)
    return hidden.removed_from(output)


def test_a_mask_of_a_negative_has_no_label(model: MaskClassifier) -> None:
    settings = FEW.settings(model, Vocabulary.parse("cat"))  # and wall, red star, car
    assert settings.negatives == 3
    result = outputs(model, settings, [[0.6, 0.1, 0.1, 0.1, 0.1], [0.2, 0.7, 0.0, 0.0, 0.1]])
    ids, segments = result["panoptic_seg"]
    assert ids.tolist() == [[1, 1, 0, 0]] * 2
    assert [segment["category_id"] for segment in segments] == [0]
    assert result["sem_seg"].tolist() == [[0, 0, INVALID_CLASS, INVALID_CLASS]] * 2
    assert set(result["instances"].pred_classes.tolist()) == {0}
    assert result[EVIDENCE].tolist() == pytest.approx([0.6 / 0.85])  # the negatives have half of their weight


@pytest.mark.parametrize(("weight", "labels"), [(1.0, 0), (0.25, 1)])
def test_the_weight_is_the_prior_odds_of_negatives(model: MaskClassifier, weight: float, labels: int) -> None:
    rules = ClassRules(negatives=Vocabulary.parse("wall"), negatives_up_to=1, negative_weight=weight)
    result = outputs(model, rules.settings(model, Vocabulary.parse("cat")), [[0.3, 0.6, 0.1], [0.01, 0.01, 0.98]])
    assert len(result["panoptic_seg"][1]) == labels


def test_segments_are_numbered_without_gaps(model: MaskClassifier) -> None:
    settings = FEW.settings(model, Vocabulary.parse("cat; dog"))
    result = outputs(model, settings, [[0.0, 0.1, 0.9, 0.0, 0.0, 0.0], [0.0, 0.8, 0.0, 0.1, 0.0, 0.1]])
    ids, segments = result["panoptic_seg"]
    assert ids.tolist() == [[0, 0, 1, 1]] * 2
    assert segments[0]["id"] == 1
    assert segments[0]["category_id"] == 1


def test_absent_classes_are_not_forced_on_pixels(model: MaskClassifier) -> None:
    rules = ClassRules(min_evidence=0.3)
    probabilities = [[0.8, 0.1, 0.1], [0.0, 0.2, 0.8]]
    result = outputs(model, rules.settings(model, Vocabulary.parse("cat; dog")), probabilities)
    assert result["sem_seg"].tolist() == [[0, 0, INVALID_CLASS, INVALID_CLASS]] * 2
    assert set(result["instances"].pred_classes.tolist()) == {0}
    assert result[EVIDENCE].tolist() == pytest.approx([0.8, 0.2])


def test_empty_masks_are_no_evidence(model: MaskClassifier) -> None:
    settings = ClassRules(min_evidence=0.3).settings(model, Vocabulary.parse("cat"))
    hidden = HiddenClasses.of_image(torch.tensor([[0.9, 0.1]]).log(), torch.full((1, 2, 4), -9.0), settings)
    assert hidden.evidence.tolist() == [0.0]
    assert hidden.hidden.tolist() == [True]


def test_without_rules_the_settings_are_those_of_evaluation(model: MaskClassifier) -> None:
    vocabulary = Vocabulary.parse("cat; dog; sky")
    assert ClassRules().settings(model, vocabulary) == model.settings_for(vocabulary)
    assert FEW.settings(model, vocabulary).negatives == 0  # three classes are more than two
    assert not model.inference_settings.hides_classes


def test_background_catches_the_rest(model: MaskClassifier) -> None:
    settings = FEW.settings(model, Vocabulary.parse("cat; Background; dog"))
    assert settings.background == (1,)
    assert settings.negatives == 3  # whatever the size of the vocabulary
    assert settings.negative_weight == 1.0
    assert settings.requested.names == ("cat", "Background", "dog")
    result = outputs(model, settings, [[0.1, 0.7, 0.1, 0, 0, 0, 0.1], [0.0, 0.1, 0.8, 0, 0, 0, 0.1]])
    assert result["panoptic_seg"][0].tolist() == [[0, 0, 1, 1]] * 2
    assert result["sem_seg"].tolist() == [[INVALID_CLASS, INVALID_CLASS, 2, 2]] * 2
    with pytest.raises(DataError, match="The vocabulary has only 'background', which catches the pixels"):
        FEW.settings(model, Vocabulary.parse("background"))


@pytest.mark.parametrize(
    ("vocabulary", "left"),
    [("star", "wall car"), ("large red stars", "wall car"), ("fence", "red star car"), ("cars; wall", "red star")],
)
def test_negatives_that_may_be_the_class_are_left_out(model: MaskClassifier, vocabulary: str, left: str) -> None:
    settings = FEW.settings(model, Vocabulary.parse(vocabulary))
    assert " ".join(names[0] for names in settings.vocabulary.classes[-settings.negatives :]) == left


def test_negatives_of_the_config() -> None:
    rules = ClassRules.from_config(tiny_config("FCCLIP", "PREDICT.NEGATIVE_NAMES", "wall; floor"))
    assert rules.negatives == Vocabulary.parse("wall; floor")
    assert rules.negatives_up_to == 2
    assert rules.background == ("background", "other")
    assert len(negative_classes("toyworld")) == 42
    assert "person" in negative_classes("").names


def test_the_names_of_a_small_clip_are_data_of_the_zoo() -> None:
    rules = ClassRules.from_config(load_config("toyworld/fcclip_tiny"))
    assert (len(rules.negatives or ()), rules.auto_names) == (42, ("toyworld_wide",))
    rules = ClassRules.from_config(load_config("fcclip/r50", ["PREDICT.NEGATIVE_NAMES", "voc"]))
    assert (len(rules.negatives or ()), len(rules.auto_names)) == (21, 5)
    rules = ClassRules.from_config(load_config("toyworld/fcclip_tiny", ["PREDICT.AUTO_NAMES", "coco; voc"]))
    assert rules.auto_names == ("coco", "voc")


def test_all_classes_cannot_be_negatives(model: MaskClassifier) -> None:
    settings = model.inference_settings
    with pytest.raises(ConfigError, match="3 of the 3 classes of the vocabulary are negatives, expected fewer"):
        InferenceSettings(settings.vocabulary, settings.seen, settings.postprocessor, settings.ensemble, negatives=3)
