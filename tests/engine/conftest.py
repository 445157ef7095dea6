"""Fixtures of the engine's tests."""

import logging

import pytest

from frozenseg.config import CfgNode, get_cfg
from frozenseg.log import ROOT_LOGGER


@pytest.fixture(autouse=True)
def _logs_at_info() -> None:
    logging.getLogger(ROOT_LOGGER).setLevel(logging.INFO)


@pytest.fixture
def cfg() -> CfgNode:
    """Return the default config."""
    return get_cfg()
