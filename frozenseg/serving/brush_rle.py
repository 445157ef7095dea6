"""Run lengths of Label Studio's brush (the format ``rle-pack``): an image of four equal channels as a string of bits.

Header: 32 bits number of values, 5 bits bits of a value - 1, four times 4 bits of a size - 1. Then blocks: 1 for a run,
2 bits for the index of its size, as many bits as that size for its length - 1, 8 bits for its value.
``label_studio_sdk.converter.brush.decode_rle`` reads it; that package itself is too large for a server.
"""

import numpy as np

BRUSH_CHANNELS = 4
INSIDE = 255
VALUE_BITS = 8
RUN_SIZES = (3, 6, 10, 16)  # bits of the length of a run
LONGEST_RUN = 2 ** RUN_SIZES[-1]


def brush_rle(mask: np.ndarray) -> list[int]:
    """Return the bytes of a mask, as the field ``rle`` has them.

    Args:
        mask: (H, W) bool.
    """
    pixels = mask.ravel()
    starts = np.flatnonzero(np.diff(pixels, prepend=~pixels[:1]))
    lengths = np.diff(starts, append=pixels.size) * BRUSH_CHANNELS
    sizes = "".join(f"{size - 1:04b}" for size in RUN_SIZES)
    header = f"{pixels.size * BRUSH_CHANNELS:032b}{VALUE_BITS - 1:05b}{sizes}"
    runs = zip(lengths.tolist(), pixels[starts].tolist(), strict=True)
    blocks = [_run(length, INSIDE * inside) for length, inside in runs]
    bits = header + "".join(blocks)
    bits += "0" * (-len(bits) % 8)
    return list(int(bits, 2).to_bytes(len(bits) // 8, "big"))


def _run(length: int, value: int) -> str:
    """Return the blocks of a run."""
    parts = [LONGEST_RUN] * (length // LONGEST_RUN) + [length % LONGEST_RUN]
    return "".join(_block(part, value) for part in parts if part)


def _block(length: int, value: int) -> str:
    index = next(index for index, size in enumerate(RUN_SIZES) if length <= 2**size)
    return f"1{index:02b}{length - 1:0{RUN_SIZES[index]}b}{value:0{VALUE_BITS}b}"
