"""Shapes checked where tensors cross a border, with an error that names the tensor."""

from torch import Tensor

from frozenseg.errors import ShapeError


def check_shape(name: str, tensor: Tensor, letters: str, **sizes: int) -> None:
    """Check the rank of a tensor, and the size of the named axes that are known.

    Example: ``check_shape("mask_features", x, "B d H W", d=256)``.

    Args:
        name: what the tensor is called in the message.
        tensor: any dtype.
        letters: one word an axis; a number stands for exactly that size.
        **sizes: known sizes by letter.

    Raises:
        ShapeError: another rank or size.
    """
    axes = letters.split()
    expected = [sizes.get(axis, int(axis) if axis.isdigit() else None) for axis in axes]
    right = tensor.ndim == len(axes) and all(
        size is None or size == actual for size, actual in zip(expected, tensor.shape, strict=True)
    )
    if not right:
        wanted = ", ".join(
            axis if size is None or axis.isdigit() else f"{axis}={size}"
            for axis, size in zip(axes, expected, strict=True)
        )
        raise ShapeError(f"{name} has shape {tuple(tensor.shape)}, expected ({wanted}).")
