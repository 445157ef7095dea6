"""Checks of the weights of a file before they are used: dense, of a plausible size, finite."""

from collections.abc import Mapping

import torch
from torch import Tensor

from frozenseg.errors import CheckpointError

EXPANSION = 4  # bytes of all tensors for each byte of the file; tied weights are counted each time
FLOOR = 1 << 20  # bytes of tensors that are allowed in any file


def refuse_implausible(weights: Mapping[str, Tensor], source: str, file_bytes: int) -> None:
    """Raise CheckpointError for tensors without values, not dense ones, and sizes that the file cannot hold.

    Only sizes and strides are read: a tensor of 4 bytes with stride 0 can state a size of terabytes.

    Args:
        weights: tensors by name.
        source: the file, for the message.
        file_bytes: size of the file.
    """
    total = 0
    for name, weight in weights.items():
        if kind := _unusual_kind(weight):
            raise CheckpointError(
                f"{source} holds the weight {name!r} {kind}, expected dense tensors with values: save the state dict "
                "of the original model."
            )
        total += weight.numel() * weight.element_size()
        if total > EXPANSION * file_bytes + FLOOR:
            raise CheckpointError(
                f"{source} has {file_bytes:,} bytes, but its weights up to {name!r} {tuple(weight.shape)} state "
                f"{total:,}: it is damaged, or made to exhaust memory. Download or copy it again."
            )


def _unusual_kind(weight: Tensor) -> str:
    if weight.is_nested:
        return "as a nested tensor"
    if weight.layout != torch.strided:
        return f"with the layout {weight.layout}"
    if weight.is_quantized:
        return f"quantized ({weight.dtype})"
    return "without values (on the device 'meta')" if weight.device.type == "meta" else ""


def refuse_non_finite(weights: Mapping[str, Tensor], source: str, model: Mapping[str, Tensor] | None = None) -> None:
    """Raise CheckpointError if a weight has a value that is NaN or infinite.

    Args:
        weights: tensors by name.
        source: file or config value of the weights, for the message.
        model: tensors whose types the values are converted to, where they must be finite, too; None for no conversion.
    """
    bad: dict[str, int] = {}
    for name, weight in weights.items():
        if count := count_non_finite(weight, model[name].dtype if model else weight.dtype):
            bad[name] = count
    if bad:
        first = next(iter(bad))
        others = f", and {len(bad) - 1} more of {len(weights)} tensors" if len(bad) > 1 else ""
        raise CheckpointError(
            f"{source} holds weights that are NaN or infinite: {bad[first]:,} of the {weights[first].numel():,} values "
            f"of {first!r}{others}. The training diverged, or the file is damaged: use an earlier checkpoint, or copy "
            "the file again."
        )


def count_non_finite(weight: Tensor, dtype: torch.dtype | None = None) -> int:
    """Return the number of values that are NaN or infinite after conversion to a type.

    Args:
        weight: dense tensor; integers are always finite.
        dtype: None for the type of the weight.
    """
    if not (weight.is_floating_point() or weight.is_complex()):
        return 0
    values = weight.detach().to(dtype or weight.dtype)
    finite = (values.float() if values.element_size() == 1 else values).isfinite()  # torch has little for 8 bits
    return 0 if finite.all() else int(finite.numel() - finite.sum())
