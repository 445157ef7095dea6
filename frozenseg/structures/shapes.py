"""Shape check for the boundaries of modules, with an error that names the tensor."""

from torch import Tensor

from frozenseg.errors import ShapeError


def check_shape(name: str, tensor: Tensor, letters: str, **sizes: int) -> None:
    """Check the rank of a tensor and the sizes of its axes.

    Example: ``check_shape("mask_features", x, "B d H W", d=256)``.

    Args:
        name: name of the tensor, for the message.
        tensor: any dtype.
        letters: names of the axes, separated by spaces; a number is a fixed size.
        **sizes: expected sizes by axis name; axes without one may have any size.

    Raises:
        ShapeError: the rank or a size differs.
    """
    axes = letters.split()
    expected = [sizes.get(axis, int(axis) if axis.isdigit() else None) for axis in axes]
    matches = tensor.ndim == len(axes) and all(
        size is None or size == actual for size, actual in zip(expected, tensor.shape, strict=True)
    )
    if not matches:
        expectation = ", ".join(
            axis if size is None or axis.isdigit() else f"{axis}={size}"
            for axis, size in zip(axes, expected, strict=True)
        )
        raise ShapeError(f"{name} has shape {tuple(tensor.shape)}, expected ({expectation}).")
