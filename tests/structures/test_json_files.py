"""Garbage collection while JSON files are read."""

import gc

import pytest

from frozenseg.structures.json_files import garbage_collection_paused


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_paused_and_continues_as_it_was(enabled):
    if not enabled:
        gc.disable()
    try:
        with garbage_collection_paused():
            paused = not gc.isenabled()
        assert (paused, gc.isenabled()) == (True, enabled)
    finally:
        gc.enable()
