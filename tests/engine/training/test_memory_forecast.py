"""Memory of training: the forecast from small steps, compared with real steps."""

import pytest
import torch
from torch import Tensor, nn

from frozenseg.engine.training.memory_forecast import (
    ImagesAtOnce,
    _LiveTensors,
    _step_peaks,
    forecast,
    forecast_training_memory,
)
from frozenseg.engine.training.precision import Precision
from frozenseg.modeling.build import build_model
from tests.tiny import TRAINING, tiny_config


def test_live_tensors_are_counted_once_and_released() -> None:
    with _LiveTensors() as tensors:
        x = torch.zeros(256)  # 1024 bytes
        y = x.view(16, 16)[0]  # a view has no memory of itself
        x += 1
        assert tensors.live == 1024
        z = torch.ones(512)
        del z
        assert (tensors.live, tensors.peak) == (1024, 3072)
        del x, y
        assert tensors.live == 0


def test_a_config_is_enough() -> None:
    options = ("SOLVER.IMS_PER_BATCH", 4, "SOLVER.IMAGES_AT_ONCE", 2, "INPUT.IMAGE_SIZE", 128, "MODEL.DEVICE", "cpu")
    cfg = tiny_config("FCCLIP", *options)
    memory = forecast_training_memory(cfg, TRAINING)
    model = build_model(cfg, TRAINING)
    assert memory.weights == sum(4 * value.numel() for value in [*model.parameters(), *model.buffers()])
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad])
    assert memory == forecast(model.train(), ImagesAtOnce(2, 128), optimizer, Precision.of())


@pytest.mark.parametrize("options", [(), ("MODEL.SEM_SEG_HEAD.RECOMPUTE", True)])
def test_small_steps_forecast_large_ones(options: tuple[object, ...]) -> None:
    model = build_model(tiny_config("FCCLIP", *options), TRAINING).train()
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad])
    state = torch.get_rng_state()
    memory = forecast(model, ImagesAtOnce(2, 128), optimizer, Precision.of())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(value.grad is None for value in model.parameters())
    assert model.criterion.statistics.take() == {}
    trained = sum(4 * value.numel() for value in model.parameters() if value.requires_grad)
    assert (memory.gradients, memory.optimizer_states) == (trained, 2 * trained)
    forward, backward = _step_peaks(model, ImagesAtOnce(2, 128), Precision.of())
    assert memory.activations == pytest.approx(max(forward, backward - trained), rel=0.15)


class Square(nn.Module):
    """Keeps one tensor element for each pixel, so that the memory can be worked out by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.criterion = self.statistics = self

    def take(self) -> None:
        """Stand-in for the statistics of the matching."""

    def forward(self, batch: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Return a loss that keeps eight bytes a pixel."""
        images = torch.stack([element["image"][0].float() for element in batch])
        return {"loss": (images * self.weight).square().sum()}


def test_by_hand() -> None:
    model = Square()
    memory = forecast(model, ImagesAtOnce(4, 128), torch.optim.SGD(model.parameters(), lr=1.0), Precision.of())
    assert (memory.gradients, memory.optimizer_states) == (4, 4)
    pixels = 4 * 128 * 128
    # the float images and their product are kept; the backward pass adds the gradients of square and product
    assert 8 * pixels <= memory.activations <= 21 * pixels
