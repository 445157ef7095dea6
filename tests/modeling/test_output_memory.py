"""Memory of outputs: computed by hand, compared with the available memory before the work."""

import logging

import pytest
import torch

from frozenseg.device import available_memory
from frozenseg.errors import DataError
from frozenseg.modeling.postprocess import output_memory
from frozenseg.modeling.postprocess.output_memory import check_output_memory, output_bytes
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.structures.image_list import ImageSize

HUGE = ImageSize(12000, 10000)
CPU = torch.device("cpu")


def test_bytes_by_hand():
    parts = output_bytes(Postprocessor(detections=100, labels=True, recall=True), 250, 5, ImageSize(20, 50))
    strips = 4 * 2**26
    assert parts == {
        "masks": strips,
        "semantic": 16 * 1000,
        "panoptic": 26 * 1000,
        "instance": 100 * 1000,
        "recall": 500 * 1000,
    }
    scores = output_bytes(Postprocessor(panoptic=False, instance=False), 250, 847, ImageSize(20, 50))
    assert scores["semantic"] == 4 * 847 * 1000
    assert set(scores) == {"masks", "semantic"}


@pytest.mark.parametrize(("gib", "message"), [(10, "refused"), (30, "logged"), (60, ""), (None, "")])
def test_an_image_with_too_large_outputs_is_refused(gib, message, monkeypatch, caplog):
    available = None if gib is None else gib * 2**30
    monkeypatch.setattr(output_memory, "available_memory", lambda device: available)
    with caplog.at_level(logging.WARNING):
        if message == "refused":
            with pytest.raises(
                DataError, match=r"10000×12000 pixels need about .* GiB \(.*instance 11\.2\), and 10\.0"
            ):
                check_output_memory(Postprocessor(labels=True), 250, 5, HUGE, CPU)
        else:
            check_output_memory(Postprocessor(labels=True), 250, 5, HUGE, CPU)
    assert len(caplog.messages) == (message == "logged")


def test_available_memory_of_this_machine():
    available = available_memory(CPU)
    assert available is None or 2**20 < available < 2**50
