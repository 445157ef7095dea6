"""Linear layers of 8-bit integers against the readable form, and the layers of a model that they replace."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from frozenseg.errors import ConfigError
from frozenseg.modeling import frozen
from frozenseg.modeling.layers.int8_linear import (
    LARGEST,
    ROWS_OF_PRODUCT,
    ZERO,
    Int8Linear,
    multiplies_int8,
    quantize_linear_layers,
    quantize_rows,
    round_rows,
)

CPU = torch.device("cpu")
needs_vnni = pytest.mark.skipif(not multiplies_int8(CPU), reason="this processor has no VNNI instructions")


def readable(layer: nn.Linear, x: Tensor) -> Tensor:
    """Multiply rounded inputs by rounded weights in float64."""
    weight, scales = quantize_rows(layer.weight)
    integers, largest = round_rows(x.flatten(0, -2))
    products = (integers.double() - ZERO) @ weight.double().T
    y = products * scales.double().T * largest.double() / LARGEST
    return (y if layer.bias is None else y + layer.bias.double()).unflatten(0, x.shape[:-1])


@needs_vnni
@torch.no_grad()
@settings(max_examples=25, deadline=None)
@given(
    rows=st.sampled_from([0, 1, 63, 64, 65, ROWS_OF_PRODUCT, ROWS_OF_PRODUCT + 3]),
    inputs=st.integers(1, 130),
    outputs=st.integers(1, 70),
    bias=st.booleans(),
    scale=st.sampled_from([1e-30, 1e-3, 1.0, 1e4]),
)
def test_products_of_integers(rows: int, inputs: int, outputs: int, bias: bool, scale: float) -> None:
    layer, x = nn.Linear(inputs, outputs, bias=bias), torch.randn(2, rows, inputs) * scale
    y = Int8Linear(layer)(x)
    assert (y.shape, y.dtype) == ((2, rows, outputs), torch.float32)
    torch.testing.assert_close(y, readable(layer, x).float(), rtol=1e-5, atol=1e-5 * scale)


def test_rows_are_rounded_on_their_own() -> None:
    rows = torch.tensor([[1.0, -0.5, 0.0, 0.004], [1000.0, -1000.0, 4.0, 3.9], [0.0, 0.0, 0.0, 0.0]])
    integers, largest = round_rows(rows)
    assert (integers.int() - ZERO).tolist() == [[127, -63, 0, 1], [127, -127, 1, 0], [0, 0, 0, 0]]
    assert largest[:2].tolist() == [[1.0], [1000.0]]


def test_weights_are_rounded_by_output_channel() -> None:
    integers, scales = quantize_rows(torch.tensor([[2.54, -1.27], [0.0, 0.0], [0.0127, 0.01]]))
    assert integers.tolist() == [[127, -64], [0, 0], [127, 100]]
    assert (integers * scales)[0].tolist() == pytest.approx([2.54, -1.28])


@needs_vnni
@torch.no_grad()
def test_the_error_is_that_of_eight_bits() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(256, 128), torch.randn(300, 256)
    exact = layer(x)
    assert 0.001 < (Int8Linear(layer)(x) - exact).norm() / exact.norm() < 0.012


@needs_vnni
@torch.no_grad()
def test_layers_are_replaced_and_copied() -> None:
    model = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Sequential(nn.Linear(64, 63), nn.Conv2d(64, 64, 1)))
    names = model.state_dict().keys()
    quantize_linear_layers(model)
    assert [type(module) for module in model.modules()].count(Int8Linear) == 1
    assert isinstance(model[0], Int8Linear)
    assert model.state_dict().keys() == names
    x = torch.randn(3, 64)
    assert torch.equal(copy.deepcopy(model[0])(x), model[0](x))


def test_a_device_without_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = frozen.Frozen.__new__(type("Encoder", (frozen.Frozen,), {"image_trunk": lambda self: ()}))
    nn.Module.__init__(encoder)
    encoder.precision = torch.int8
    with pytest.raises(ConfigError, match="int8 needs a CPU with VNNI, and cuda:1 has none: set it to"):
        encoder.require_instructions(torch.device("cuda:1"))
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    with pytest.raises(ConfigError, match="this CPU has none"):
        encoder.require_instructions(CPU)
