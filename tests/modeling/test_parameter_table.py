"""Numbers of parameters per box, and models on the meta device."""

import torch
from torch import nn

from frozenseg.modeling.build import build_model
from frozenseg.modeling.meta_device import on_meta_device
from frozenseg.modeling.parameter_table import OTHER, PARAMETER_BOXES, BoxParameters, parameter_table, sums
from tests.tiny import TRAINING, tiny_config


def test_boxes_by_hand() -> None:
    model = nn.Module()
    model.backbone = nn.Module()
    model.backbone.clip_model = nn.Module()
    model.backbone.clip_model.visual = nn.Linear(3, 5).requires_grad_(False)
    model.backbone.clip_model.text = nn.Linear(2, 1, bias=False).requires_grad_(False)
    model.void_embedding = nn.Embedding(1, 7)
    model.extra = nn.Linear(1, 4)
    table = parameter_table(model)
    assert table == [
        BoxParameters("CLIP image", 0, 20),
        BoxParameters("CLIP text", 0, 2),
        BoxParameters("void", 7, 0),
        BoxParameters(OTHER, 8, 0),
    ]
    assert sums(table) == {"trainable": 15, "frozen": 22, "frozen_without_text": 20}


def test_every_parameter_of_frozenseg_has_a_box() -> None:
    with on_meta_device():
        model = build_model(tiny_config(), TRAINING)
    table = parameter_table(model)
    assert [row.box for row in table] == list(dict.fromkeys(box for _, box in PARAMETER_BOXES))
    assert sum(row.trainable + row.frozen for row in table) == sum(value.numel() for value in model.parameters())
    assert {row.box for row in table if row.frozen} == {row.box for row in table if not row.trainable}


def test_models_on_the_meta_device_have_the_shapes_of_real_ones() -> None:
    with on_meta_device():
        empty = build_model(tiny_config(), TRAINING)
    real = build_model(tiny_config(), TRAINING)
    assert all(value.is_meta for value in empty.state_dict().values())
    assert {key: value.shape for key, value in empty.state_dict().items()} == {
        key: value.shape for key, value in real.state_dict().items()
    }
    assert not torch.zeros(1).is_meta  # the default device outside
