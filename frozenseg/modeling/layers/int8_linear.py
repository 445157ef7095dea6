"""Linear layers of 8-bit integers for frozen encoders, by the VNNI instructions of x86 processors.

Weights are integers with a scale for each output channel. Inputs are rounded at each call with a scale for each row
(the feature vector of a place): no calibration is needed, and a place of large values does not affect the others.
Products are added in 32 bits.
"""

import torch
from torch import Tensor, nn

LARGEST = 127  # symmetric: -127 … 127
ZERO = 128  # of the unsigned inputs, which VNNI multiplies by signed weights
ROWS_OF_PRODUCT = 512  # whose outputs stay in the cache until they are scaled
ROWS_OF_ROUNDING = 64
LEAST_FEATURES = 64  # faster from about 256 on; accuracy is measured on ToyWorld's encoders, which have 64
TINY = torch.finfo(torch.float32).tiny * LARGEST  # a largest value of which the scale can be inverted


class Int8Linear(nn.Module):
    """Computes x·Wᵀ + b for a frozen layer, on a CPU and without gradient.

    Args:
        layer: the float32 layer on the CPU, whose bias is kept.

    Attributes:
        weight: (d_out, d_in) int8, under the name of the layer's weight.
    """

    scales: Tensor
    zeros: Tensor

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        integers, scales = quantize_rows(layer.weight.detach())
        self.weight = nn.Parameter(integers, requires_grad=False)
        self.bias = layer.bias
        self.register_buffer("scales", scales.flatten(), persistent=False)
        self.register_buffer("zeros", torch.zeros(len(scales), dtype=torch.int64), persistent=False)
        self._packed = _pack(integers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (…, d_in) float32 to (…, d_out) float32."""
        rows = x.reshape(-1, x.shape[-1])
        output = rows.new_empty(len(rows), len(self.weight))
        for start in range(0, len(rows), ROWS_OF_PRODUCT):
            block = slice(start, start + ROWS_OF_PRODUCT)
            self._map_rows(rows[block], output[block])
        return output.view(*x.shape[:-1], len(self.weight))

    def _map_rows(self, rows: Tensor, output: Tensor) -> None:
        """Write the layer's outputs (n, d_out) for rows (n, d_in)."""
        integers, largest = round_rows(rows)
        products = torch.ops.onednn.qlinear_pointwise(
            integers,
            1 / LARGEST,
            ZERO,
            self._packed,
            self.scales,
            self.zeros,
            None,  # the bias is added after the scale of the row
            1.0,  # scale and zero of integer outputs; these are in float32
            0,
            torch.float32,
            "none",  # no activation, without arguments or algorithm
            [],
            "",
        )  # (n, d_out)
        if self.bias is None:
            torch.mul(products, largest, out=output)
        else:
            torch.addcmul(self.bias, products, largest, out=output)

    def __getstate__(self) -> dict[str, object]:
        """Leave out the packed weight, which is not copied."""
        state = super().__getstate__()  # type: ignore[no-untyped-call]  # torch's function has no annotations
        return {name: value for name, value in state.items() if name != "_packed"}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Restore a copy."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._packed = _pack(self.weight)


def round_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Round rows to integers.

    Args:
        rows: (n, d) float32.

    Returns:
        (n, d) uint8, ZERO for 0; and the largest magnitude of each row (n, 1), which LARGEST steps from ZERO stand for.
    """
    integers, largest = rows.new_empty(rows.shape, dtype=torch.uint8), rows.new_empty(len(rows), 1)
    scratch = rows.new_empty(ROWS_OF_ROUNDING, rows.shape[1])
    for start in range(0, len(rows), ROWS_OF_ROUNDING):
        part = slice(start, start + ROWS_OF_ROUNDING)
        few, of_few = rows[part], largest[part]
        torch.maximum(few.amax(dim=1, keepdim=True), few.amin(dim=1, keepdim=True).neg_(), out=of_few)
        scaled = torch.mul(few, LARGEST / of_few.clamp_(min=TINY), out=scratch[: len(few)])
        integers[part].copy_(scaled.add_(ZERO + 0.5))  # the conversion rounds down
    return integers, largest


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nearest integers of a weight, and the scale of each output channel.

    Args:
        weight: (d_out, …) in floating point.

    Returns:
        (d_out, …) int8 from -LARGEST to LARGEST, and scales (d_out, 1, …).
    """
    largest = weight.abs().amax(dim=tuple(range(1, weight.ndim)), keepdim=True)
    scales = largest.clamp(min=TINY) / LARGEST
    return (weight / scales).round().to(torch.int8), scales


def quantize_linear_layers(module: nn.Module) -> None:
    """Replace the linear layers of at least LEAST_FEATURES inputs and outputs by :class:`Int8Linear`, in place."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Linear and min(child.in_features, child.out_features) >= LEAST_FEATURES:
                setattr(parent, name, Int8Linear(child))


def multiplies_int8(device: torch.device) -> bool:
    """Return True if this PyTorch multiplies 8-bit integers by VNNI on a device."""
    has_onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return device.type == "cpu" and has_onednn and torch.cpu._is_vnni_supported()


def _pack(integers: Tensor) -> Tensor:
    packed: Tensor = torch.ops.onednn.qlinear_prepack(integers, [ROWS_OF_PRODUCT, integers.shape[1]])
    return packed
