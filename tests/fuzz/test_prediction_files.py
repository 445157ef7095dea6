"""Prediction files with damaged entries against undamaged ground truth: instances and panoptic segments."""

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from frozenseg.evaluation.prediction_file_metrics.instances import score_instance_files
from frozenseg.evaluation.prediction_file_metrics.panoptic import score_panoptic_files
from tests.fuzz import exports
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.mutations import damaged, mutated

TOLERANCE = 1e-9
ODD_TEXTS = (
    b"",
    b"[" * 100_000,
    b"{" * 100_000,
    b"1" * 10_000,
    b"[]",
    b"null",
    b"\xef\xbb\xbf[]",
    b"\xff\xfe[\0]\0",
    b"[NaN]",
)


@fuzz("instance predictions", mutated(exports.result_lines()), examples=80)
def test_instance_predictions(lines: Any, folder: Path) -> None:
    annotations = exports.write_json(folder / "instances.json", exports.instances())
    predictions = exports.write_json(folder / "predictions.json", lines)
    scores = score_instance_files(annotations, predictions)
    assert not any(value > 100 + TOLERANCE for value in scores.results["segm"].values())  # NaN: no such objects
    if not scores.results["segm"]["AP"]:
        assert scores.notes, "AP is 0 without a note"


PANOPTIC_CASES = st.fixed_dictionaries(
    {
        "content": st.one_of(mutated(exports.panoptic()), st.just(exports.panoptic())),
        "png": st.one_of(st.none(), st.binary(max_size=30), st.integers(0, 2**24 - 1)),
    }
)


@fuzz("panoptic predictions", PANOPTIC_CASES, examples=60)
def test_panoptic_predictions(case: dict[str, Any], folder: Path) -> None:
    masks = exports.write_segments(folder)
    (folder / "predicted").mkdir()
    predicted = exports.write_segments(folder / "predicted")
    if isinstance(case["png"], bytes):
        data = (predicted / "1.png").read_bytes()
        (predicted / "1.png").write_bytes(case["png"] + data[len(case["png"]) :])
    elif case["png"] is not None:
        exports.write_ids(predicted / "1.png", exports.segment_ids(1) * 0 + case["png"])
    annotations = exports.write_json(folder / "panoptic.json", exports.panoptic())
    predictions = exports.write_json(folder / "predictions.json", case["content"])
    scores = score_panoptic_files(annotations, masks, predictions, predicted, workers=1, quiet=True)
    values = list(scores.results["panoptic_seg"].values())
    assert not any(value < 0 or value > 100 + TOLERANCE for value in values), values  # NaN: no such category
    if case["content"] == exports.panoptic() and case["png"] is None:
        assert scores.results["panoptic_seg"]["PQ"] == 100


@st.composite
def json_texts(draw: DrawFn) -> bytes:
    """Draw the bytes of a result file, with damage or without."""
    data = json.dumps(exports.result_lines()).encode()
    return draw(st.one_of(damaged(data), st.just(data), st.binary(max_size=40), st.sampled_from(ODD_TEXTS)))


@fuzz("JSON text", json_texts(), examples=60)
def test_json_text(data: bytes, folder: Path) -> None:
    annotations = exports.write_json(folder / "instances.json", exports.instances())
    predictions = folder / "predictions.json"
    predictions.write_bytes(data)
    score_instance_files(annotations, predictions)
