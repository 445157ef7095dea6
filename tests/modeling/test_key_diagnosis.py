"""Names and shapes tell which config keys to set."""

from functools import reduce
from operator import getitem

import pytest

from frozenseg.modeling.build import build_model
from frozenseg.modeling.key_diagnosis import COUNTS, SIZES, advice
from frozenseg.modeling.without_initialisation import WithoutInitialisation
from tests.tiny import TRAINING, tiny_config

Shapes = dict[str, tuple[int, ...]]
CLIP = "MODEL.FC_CLIP.CLIP_MODEL_NAME"
FUSE = "MODEL.MASK_FORMER.SAM_FEATURE_FUSE_LAYER"


def shapes(name: str, *options: object) -> Shapes:
    with WithoutInitialisation():
        state = build_model(tiny_config(name, *options), TRAINING).state_dict()
    return {name: tuple(value.shape) for name, value in state.items()}


def trained(whole: Shapes) -> Shapes:
    return {name: shape for name, shape in whole.items() if not name.startswith(("backbone.", "sam."))}


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("FrozenSeg", ("MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS", 3), "Set {} 3 (now 1)."),
        ("FrozenSeg", (FUSE, 2), "Set {} 2 (now 0)."),
        ("FrozenSeg", (FUSE, -1), "Set {} -1 (now 0)."),
        ("FCCLIP", ("MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", 9), "Set {} 9 (now 6)."),
        ("FCCLIP", ("MODEL.MASK_FORMER.DEC_LAYERS", 3), "Set {} 3 (now {own})."),
        ("FCCLIP", ("MODEL.SEM_SEG_HEAD.TRANSFORMER_ENC_LAYERS", 2), "Set {} 2 (now 1)."),
    ],
)
def test_the_key_and_its_value_are_named(name: str, options: tuple[str, int], sentence: str) -> None:
    now = reduce(getitem, options[0].split("."), tiny_config(name))
    whole = shapes(name, *options)
    expected = sentence.format(options[0], own=now)
    assert advice(whole, shapes(name), ()) == expected
    frozen = ("backbone", "sam") if name == "FrozenSeg" else ("backbone",)
    assert advice(trained(whole), shapes(name), frozen) == expected


def test_several_keys_stand_in_one_sentence() -> None:
    options = ("MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS", 3, "MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", 9)
    assert advice(shapes("FrozenSeg", *options), shapes("FrozenSeg"), ()) == (
        "Set MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS 3 (now 1), MODEL.MASK_FORMER.NUM_OBJECT_QUERIES 9 (now 6)."
    )


def test_the_two_models_are_told_apart() -> None:
    frozenseg, fcclip = shapes("FrozenSeg"), shapes("FCCLIP")
    for given in (frozenseg, trained(frozenseg)):
        assert advice(given, fcclip, ()) == (
            "The file is of the model FrozenSeg, the config of FCCLIP: use a config with MODEL.META_ARCHITECTURE "
            "FrozenSeg."
        )
    for given in (fcclip, trained(fcclip)):
        assert advice(given, frozenseg, ()) == (
            "The file is of the model FCCLIP, the config of FrozenSeg: use a config with MODEL.META_ARCHITECTURE "
            "FCCLIP."
        )


def test_another_clip_is_named() -> None:
    sentence = advice(shapes("FCCLIP", CLIP, "toy_resnet"), shapes("FCCLIP"), ())
    assert sentence.startswith("It was trained with another CLIP (")
    assert "res5 of " in sentence
    assert sentence.endswith(": set CLIP_MODEL_NAME to that CLIP.")


def test_what_does_not_tell_is_left_open() -> None:
    own = shapes("FrozenSeg")
    assert advice(own, own, ()) == ""
    given = {"sam.x": (1,), "void_embedding.weight": (), "sem_seg_head.predictor.x": (1,)}
    assert advice(given, own, ()).startswith("Set MODEL.MASK_FORMER.SAM_FEATURE")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("image_encoder.pos_embed", "The file holds the weights of SAM alone: set MODEL.SAM_WEIGHTS to its path."),
        (
            "visual.trunk.stem.0.weight",
            "The file holds the weights of CLIP alone: set CLIP_PRETRAINED_WEIGHTS to its path.",
        ),
        ("weight", "The file holds no weights of the decoder: use a file of a trained FrozenSeg or FC-CLIP."),
    ],
)
def test_a_file_of_something_else_is_called_by_its_name(name: str, sentence: str) -> None:
    assert advice({name: (1,)}, shapes("FCCLIP"), ()) == sentence


def test_every_weight_of_the_tables_is_one() -> None:
    own = shapes("FrozenSeg")
    assert all(size.weight in own for size in SIZES)
    assert all(any(name.startswith(count.prefix) for name in own) for count in COUNTS)
