"""Conditions of every test: two threads, shared with a process beside it, no network, and no log of another test.

Triton's kernels run in its interpreter where there is no GPU; Triton reads the variable when it is imported.
"""

import logging
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from frozenseg.log import ROOT_LOGGER

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")
LOCAL = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections to other machines: tests are offline."""
    connect = socket.socket.connect

    def only_here(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in LOCAL:
            raise AssertionError(f"A test wants to talk to {address}.")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_here)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Close the console and the log files that a script has opened, which would be those of the next test."""
    logger = logging.getLogger(ROOT_LOGGER)
    level = logger.level
    yield
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True
    logger.setLevel(level)
