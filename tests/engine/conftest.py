"""Fixtures of the engine's tests."""

import logging
from collections.abc import Iterator

import pytest

from frozenseg.config import CfgNode, get_cfg
from frozenseg.log import ROOT_LOGGER


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    logger = logging.getLogger(ROOT_LOGGER)
    logger.setLevel(logging.INFO)
    yield
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True


@pytest.fixture
def cfg() -> CfgNode:
    """Return the default config."""
    return get_cfg()
