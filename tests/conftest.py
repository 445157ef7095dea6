"""What every test may rely on: two threads, shared with a process beside it, and no network."""

import os
import socket
from typing import Any

import pytest
import torch

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)
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
