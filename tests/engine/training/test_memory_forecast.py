"""Memory of training: foretold from small steps, compared with real ones."""

import logging
import re

import pytest
import torch
from torch import Tensor, nn

from frozenseg.engine.training import memory_forecast
from frozenseg.engine.training.memory_forecast import Images, MemoryReport, Needed, _LiveTensors, _step_peaks, forecast
from frozenseg.engine.training.precision import Precision
from frozenseg.errors import ConfigError
from frozenseg.modeling.build import build_model
from tests.engine.one_layer import trainer
from tests.tiny import TRAINING, tiny_config

CPU = torch.device("cpu")
MIB = 2**20


def test_live_tensors_are_counted_once_and_forgotten() -> None:
    with _LiveTensors() as tensors:
        x = torch.zeros(256)  # 1024 bytes
        y = x.view(16, 16)[0]  # no more
        x += 1
        assert tensors.live == 1024
        z = torch.ones(512)
        del z
        assert (tensors.live, tensors.peak) == (1024, 3072)
        del x, y
        assert tensors.live == 0


@pytest.mark.parametrize("options", [(), ("MODEL.SEM_SEG_HEAD.RECOMPUTE", True)])
def test_small_steps_foretell_large_ones(options: tuple[object, ...]) -> None:
    model = build_model(tiny_config("FCCLIP", *options), TRAINING).train()
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad])
    state = torch.get_rng_state()
    needed = forecast(model, Images(2, 128), optimizer, Precision.of())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(value.grad is None for value in model.parameters())
    assert model.criterion.statistics.take() == {}
    trained = sum(4 * value.numel() for value in model.parameters() if value.requires_grad)
    assert (needed.gradients, needed.states) == (trained, 2 * trained)
    forward, backward = _step_peaks(model, Images(2, 128), Precision.of())
    assert needed.activations == pytest.approx(max(forward, backward - trained), rel=0.15)


class Square(nn.Module):
    """Keeps a tensor of its own making for each pixel; what is known of it can be worked out."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.criterion = self.statistics = self

    def take(self) -> None:
        """Stand in for the statistics."""

    def forward(self, batch: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Return a loss that keeps eight bytes a pixel."""
        images = torch.stack([element["image"][0].float() for element in batch])
        return {"loss": (images * self.weight).square().sum()}


def test_by_hand() -> None:
    model = Square()
    needed = forecast(model, Images(4, 128), torch.optim.SGD(model.parameters(), lr=1.0), Precision.of())
    assert (needed.gradients, needed.states) == (4, 4)
    pixels = 4 * 128 * 128
    # float images and their product are kept; going backwards come the gradients of the square and of the product
    assert 8 * pixels <= needed.activations <= 21 * pixels


def test_what_was_foretold_is_compared(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_forecast, "start_measuring", lambda device: 100 * MIB)
    monkeypatch.setattr(memory_forecast, "peak_since", lambda device: 200 * MIB)
    made = trainer(max_iter=4)
    made.hooks.append(MemoryReport(lambda: Needed(60 * MIB, 10 * MIB, 20 * MIB), CPU))
    with caplog.at_level(logging.INFO):
        made.train()
    assert caplog.messages == [
        "Memory: 190 MiB at most (now 100; activations 60, gradients 10, states 20).",
        "Memory: the first steps took 200 MiB (foretold: -5 %).",
    ]


def test_a_machine_that_cannot_tell(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: torch.device) -> int:
        raise ConfigError("no /proc here")

    monkeypatch.setattr(memory_forecast, "start_measuring", refuse)
    made = trainer(max_iter=3)
    made.hooks.append(MemoryReport(lambda: Needed(60 * MIB, 0, 0), CPU))
    with caplog.at_level(logging.INFO):
        made.train()
    assert caplog.messages == [
        "Memory that training takes beside the model: activations 60, gradients 0, states 0 MiB."
    ]


def test_on_this_machine(caplog: pytest.LogCaptureFixture) -> None:
    made = trainer(max_iter=2)
    made.hooks.append(MemoryReport(lambda: Needed(0, 0, 0), CPU))
    with caplog.at_level(logging.INFO):
        made.train()
    assert re.search(r"at most|beside the model", caplog.messages[0])
