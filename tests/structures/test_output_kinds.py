"""Kinds of model output: names, fields and config keys agree with the config."""

import pytest

from frozenseg.config import get_cfg
from frozenseg.structures.output_kinds import OUTPUT_FIELDS, OUTPUT_KINDS, switch_of


@pytest.mark.parametrize("kind", OUTPUT_KINDS)
def test_every_kind_has_a_field_and_a_config_key(kind: str) -> None:
    assert OUTPUT_FIELDS[kind]
    node = get_cfg()
    for key in switch_of(kind).split("."):
        node = node[key]
    assert isinstance(node, bool)
