"""Freed memory that the process keeps, so that the next tensor of its size is written without page faults."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource
import torch
from frozenseg.freed_memory import keep_freed_memory

kept = keep_freed_memory()
size = 2**24  # 64 MiB
for _ in range(2):
    torch.ones(2 * size)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(size)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 2**26 // 4096


def faults(**environment: str) -> tuple[str, int]:
    """Return whether memory is kept, and the page faults of a tensor after larger ones."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    kept, count = done.stdout.split()
    return kept, int(count)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_a_tensor_takes_the_memory_of_larger_ones_before() -> None:
    kept, count = faults()
    if kept == "False":
        pytest.skip("this C library is not glibc")
    assert count < PAGES / 10


def test_settings_of_the_user_take_precedence() -> None:
    assert faults(MALLOC_TRIM_THRESHOLD_="131072")[0] == "False"
