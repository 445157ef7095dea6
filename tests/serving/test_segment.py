"""``POST /v1/segment``: both forms of the request, all formats of masks, and its refusals."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from frozenseg.serving.state import ServedModel
from frozenseg.structures.polygons import polygons_rle
from frozenseg.structures.rle import read_rle
from tests.serving.conftest import png

NAMES = "red circle; blue square; grass; water"


def form(**fields: Any) -> dict[str, Any]:
    return {"files": {"image": ("../../etc/passwd", png(), "image/png")}, "data": {"words": NAMES, **fields}}


def decoded(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_a_form_and_json_have_the_result_of_the_segmenter(
    client: TestClient, model: ServedModel, scene: Image.Image
) -> None:
    result = model.segmenter(scene, NAMES, stuff="grass; water", outputs="panoptic")
    answer = client.post("/v1/segment", **form(stuff="grass; water"))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["width"], body["height"], body["model"]) == (128, 128, "toyworld")
    assert [each["name"] for each in body["panoptic"]["segments"]] == [each.name for each in result.segments]
    assert [each["isthing"] for each in body["classes"]] == [True, True, False, False]
    json = {"image": base64.b64encode(png()).decode(), "words": NAMES.split("; "), "stuff": ["grass", "water"]}
    assert client.post("/v1/segment", json=json).json()["panoptic"] == body["panoptic"]
    json["image"] = f"data:image/png;base64,{json['image']}"
    assert client.post("/v1/segment", json=json).json()["panoptic"] == body["panoptic"]
    ids = result.panoptic[0].numpy() if result.panoptic else np.zeros(0)
    for segment in body["panoptic"]["segments"]:
        assert (read_rle(segment["segmentation"]).mask() == (ids == segment["id"])).all()


def test_run_lengths_polygons_and_png_are_the_same_masks(client: TestClient) -> None:
    fields = {"outputs": "panoptic, instance,semantic", "formats": ["rle", "polygons", "png"]}
    body = client.post("/v1/segment", **form(**fields)).json()
    panoptic, semantic = decoded(body["panoptic"]["png"]), decoded(body["semantic"]["png"])
    ids = panoptic.astype(int) @ (1, 256, 65536)
    assert body["panoptic"]["segments"]
    for segment in body["panoptic"]["segments"]:
        mask = read_rle(segment["segmentation"]).mask()
        assert (mask == (ids == segment["id"])).all()
        assert (polygons_rle(segment["polygons"], (128, 128)).mask() == mask).all()
        assert mask.sum() == segment["area"]
    for segment in body["instance"]["segments"]:
        assert (decoded(segment["png"]) == read_rle(segment["segmentation"]).mask()).all()
    for segment in body["semantic"]["segments"]:
        assert ((semantic == segment["category_id"]) == read_rle(segment["segmentation"]).mask()).all()


def test_without_class_names_the_server_has_its_classes(client: TestClient, model: ServedModel) -> None:
    body = client.post("/v1/segment", files={"image": ("a.png", png())}).json()
    assert model.classes is not None
    assert [each["name"] for each in body["classes"]] == list(model.classes.names)
    auto = client.post("/v1/segment", files={"image": ("a.png", png())}, data={"words": "auto"}).json()
    assert {each["name"] for each in auto["panoptic"]["segments"]} == {each["name"] for each in auto["classes"]}


def test_low_scores_and_small_segments_are_left_out(client: TestClient) -> None:
    segments = client.post("/v1/segment", **form()).json()["panoptic"]["segments"]
    area = max(each["area"] for each in segments)
    kept = client.post("/v1/segment", **form(min_area=area)).json()["panoptic"]["segments"]
    assert [each["area"] for each in kept] == [area]
    assert client.post("/v1/segment", **form(min_score=1)).json()["panoptic"]["segments"] == []


def test_large_uploads_leave_no_file(client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    content = io.BytesIO()
    Image.new("RGB", (700, 700)).save(content, "BMP")
    assert len(content.getvalue()) > 2**20  # kept in a temporary file
    files = {"image": ("../name.bmp", content.getvalue())}
    assert client.post("/v1/segment", files=files, data={"words": "red circle"}).status_code == 200
    assert client.post("/v1/segment", files={**files, "other": ("b", b"")}).status_code == 400
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"words": "cat;;dog"}, 400, "empty name"),
        ({"words": "ade20kk"}, 400, "Unknown vocabulary 'ade20kk'.*Did you mean 'ade20k'"),
        ({"stuff": "sky"}, 400, "'?sky'? is not in the vocabulary|not in the vocabulary: sky"),
        ({"words": ";".join(f"n{i}" for i in range(1001))}, 400, "1001 names, expected at most 1000"),
        ({"words": "x" * 50_001}, 413, "50001 characters, expected at most 50000"),
        ({"outputs": "masks"}, 422, "outputs.0: Input should be 'panoptic', 'instance' or 'semantic'"),
        ({"formats": "svg"}, 422, "formats.0"),
        ({"min_score": "nan"}, 422, "min_score"),
        ({"tolerance": "-1"}, 422, "tolerance"),
        ({"colour": "red"}, 422, "colour: Extra inputs are not permitted"),
        ({"url": "http://127.0.0.1/a.png"}, 422, "url: Extra inputs"),
    ],
)
def test_wrong_fields_have_one_sentence(client: TestClient, fields: dict[str, str], status: int, message: str) -> None:
    answer = client.post("/v1/segment", **form(**fields))
    assert answer.status_code == status
    assert re.search(message, answer.json()["error"]), answer.json()
