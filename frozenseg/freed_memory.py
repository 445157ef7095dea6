"""Reuse of freed memory on a CPU, instead of returning it to the operating system after each large tensor.

glibc takes large blocks from the system and returns them when they are freed. The system clears every page of the next
block at its first use, which took up to a quarter of the time of an image encoder.
"""

import ctypes
import os

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # parameters of mallopt, from glibc's malloc.h
KEPT_BYTES = 2**30  # freed memory at the end of the heap that stays with the process
BLOCK_BYTES = (2**30, 2**25)  # larger blocks are returned; older versions of glibc refuse more than the second
OF_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for later tensors, in the whole process.

    Returns:
        True if it does: with glibc, unless the environment tunes its allocator (MALLOC_TRIM_THRESHOLD_,
        MALLOC_MMAP_THRESHOLD_, GLIBC_TUNABLES), which takes precedence.
    """
    if os.name != "posix" or any(name in os.environ for name in OF_USER):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc; macOS and musl have none
    if mallopt is None:
        return False
    return any(mallopt(MMAP_THRESHOLD, size) for size in BLOCK_BYTES) and bool(mallopt(TRIM_THRESHOLD, KEPT_BYTES))
