"""Shipped configs load without a warning: each spells its keys for its own model."""

import logging

import pytest

from frozenseg.config import config_names, load_config

ELSEWHERE = ("_base_", "coco/", "published/")


@pytest.mark.parametrize("name", [name for name in config_names() if not name.startswith(ELSEWHERE)])
def test_a_shipped_config_loads_without_a_warning(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load_config(name)
    assert caplog.messages == []
