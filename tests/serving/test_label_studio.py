"""Label Studio's protocol: set-up, brush masks and polygons, images by address, and its own reader of brush masks."""

import base64
import importlib.util
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from frozenseg.serving.application import create_application
from frozenseg.serving.brush_rle import LONGEST_RUN, brush_rle
from frozenseg.serving.label_config import mask_controls
from frozenseg.serving.refusals import RequestRefusedError
from frozenseg.serving.routes import label_studio
from frozenseg.serving.settings import LabelStudio, ServerLimits, ServerSettings
from frozenseg.serving.state import ServedModel
from frozenseg.serving.studio_access import StudioAccess
from frozenseg.structures.polygons import polygons_rle
from frozenseg.toyworld.samples import sample_scene
from tests.serving.conftest import png

INTERFACE = """
<View>
  <Image name="img" value="$photo"/>
  <BrushLabels name="brush" toName="img">
    <Label value="Circle" predicted_values="red circle,crimson circle"/>
    <Label value="blue square" alias="square"/>
    <Label value="water" model_stuff="true" background="blue"/>
  </BrushLabels>
  <PolygonLabels name="poly" toName="img" model_score_threshold="0.3"><Label value="water"/></PolygonLabels>
  <Choices name="quality" toName="img"><Choice value="good"/></Choices>
</View>
"""
DATA = f"data:image/png;base64,{base64.b64encode(png()).decode()}"


def read_brush(rle: list[int]) -> np.ndarray:
    """Read rle-pack bit by bit, as its description says."""
    bits = "".join(f"{byte:08b}" for byte in rle)
    position = 0

    def number(size: int) -> int:
        nonlocal position
        position += size
        return int(bits[position - size : position], 2)

    total, width = number(32), number(5) + 1
    sizes = [number(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        is_run = number(1)
        count = number(sizes[number(2)]) + 1
        values += [number(width)] * count if is_run else [number(width) for _ in range(count)]
    return np.array(values, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (1, LONGEST_RUN // 4 + 1), (300, 301)])
def test_brush_masks_are_read_back(shape: tuple[int, int]) -> None:
    masks = [np.zeros(shape, dtype=bool), np.ones(shape, dtype=bool), np.random.default_rng(0).random(shape) < 0.1]
    for mask in masks:
        values = read_brush(brush_rle(mask)).reshape(*shape, 4)
        assert (values == np.where(mask, 255, 0)[..., None]).all()


@pytest.mark.skipif(
    importlib.util.find_spec("label_studio_sdk") is None, reason="label-studio-sdk pins an older NumPy than the tests'"
)
def test_label_studio_accepts_the_predictions(client: TestClient) -> None:
    from label_studio_sdk.converter.brush import decode_rle, mask2rle
    from label_studio_sdk.label_interface import LabelInterface

    mask = np.random.default_rng(1).random((37, 53)) < 0.2
    assert (decode_rle(brush_rle(mask)) == decode_rle(mask2rle(255 * mask.astype(np.uint8)))).all()
    interface = LabelInterface(INTERFACE)
    body = {"tasks": [{"id": 1, "data": {"photo": DATA}}], "label_config": INTERFACE}
    [prediction] = client.post("/predict", json=body).json()["results"]
    assert interface.validate_prediction(prediction)
    assert {each["type"] for each in prediction["result"]} == {"brushlabels", "polygonlabels"}
    wrong = {**prediction, "result": [{**prediction["result"][0], "from_name": "unknown"}]}
    assert not interface.validate_prediction(wrong)


def test_the_interface_names_tags_classes_and_labels() -> None:
    brush, polygons = mask_controls(INTERFACE)
    assert (brush.kind, brush.from_name, brush.to_name, brush.data_key) == ("BrushLabels", "brush", "img", "photo")
    assert brush.vocabulary.classes == (("red circle", "crimson circle"), ("blue square",), ("water",))
    assert brush.vocabulary.isthing == (True, True, False)
    assert brush.labels == ("Circle", "square", "water")
    assert (polygons.kind, polygons.min_score) == ("PolygonLabels", 0.3)


@pytest.mark.parametrize(
    ("interface", "message"),
    [
        ("<View", "damaged XML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><View/>', "document type"),
        ("<View><Image name='i' value='$i'/></View>", "no BrushLabels or PolygonLabels"),
        (INTERFACE.replace("0.3", "high"), "model_score_threshold is 'high'"),
    ],
)
def test_wrong_interfaces_are_refused(interface: str, message: str) -> None:
    with pytest.raises(RequestRefusedError, match=message):
        mask_controls(interface)


def test_set_up_health_and_events(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "UP", "model_class": "FrozenSeg"}
    answer = client.post("/setup", json={"project": "1.2", "schema": INTERFACE, "extra_params": "{}"})
    assert answer.json()["model_version"].startswith("toyworld ")
    assert client.post("/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 201


def test_tasks_get_brush_masks_and_polygons(client: TestClient, model: ServedModel) -> None:
    body = {"tasks": [{"id": 1, "data": {"photo": DATA}}] * 2, "label_config": INTERFACE, "params": {"context": None}}
    results = client.post("/predict", json=body).json()["results"]
    assert len(results) == 2
    brush, polygons = mask_controls(INTERFACE)
    expected = model.segmenter(sample_scene(4, 128), brush.vocabulary, outputs="panoptic")
    regions = [each for each in results[0]["result"] if each["from_name"] == "brush"]
    masks = list(expected.each_mask(largest_first=True))
    assert len(regions) == len(masks) > 0
    for region, (segment, mask) in zip(regions, masks, strict=True):
        assert (region["type"], region["to_name"], region["image_rotation"]) == ("brushlabels", "img", 0)
        assert (region["original_width"], region["original_height"]) == (128, 128)
        assert region["value"]["brushlabels"] == [brush.labels[segment.label_id]]
        assert (read_brush(region["value"]["rle"]).reshape(128, 128, 4)[..., 3] == np.where(mask, 255, 0)).all()
    outlines = [each["value"] for each in results[0]["result"] if each["from_name"] == "poly"]
    water = model.segmenter(sample_scene(4, 128), polygons.vocabulary, outputs="panoptic").keep(0.3)
    points = [(np.array(each["points"]) * 1.28).ravel().tolist() for each in outlines]
    covered = polygons_rle(points, (128, 128)).mask() if points else np.zeros((128, 128), dtype=bool)
    assert (covered != water.mask_of("water")).mean() < 0.03
    assert all(each["closed"] and each["polygonlabels"] == ["water"] for each in outlines)


def test_an_image_of_two_tags_is_loaded_once(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    decode = label_studio.decode_base64
    monkeypatch.setattr(label_studio, "decode_base64", lambda text: loaded.append(text) or decode(text))
    body = {"tasks": [{"data": {"photo": DATA}}], "label_config": INTERFACE}
    assert client.post("/predict", json=body).status_code == 200
    assert loaded == [DATA]


def test_tasks_do_not_overfill_a_short_queue(model: ServedModel) -> None:
    interface = (
        '<View><Image name="i" value="$i"/><BrushLabels name="b" toName="i"><Label value="water"/></BrushLabels></View>'
    )
    body = {"tasks": [{"data": {"i": DATA}}] * 3, "label_config": interface}
    settings = ServerSettings(limits=ServerLimits(requests=1, batch=8))
    with TestClient(create_application(model, settings), "http://127.0.0.1:8000") as client:
        answer = client.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["results"]) == 3


@pytest.mark.parametrize(
    ("source", "status"),
    [("http://169.254.169.254/latest", 403), ("/etc/passwd", 403), ("file:///etc/passwd", 403), (7, 400), ("", 400)],
)
def test_addresses_and_paths_are_not_read(client: TestClient, source: Any, status: int) -> None:
    body = {"tasks": [{"data": {"photo": source}}], "label_config": INTERFACE}
    assert client.post("/predict", json=body).status_code == status


def test_addresses_of_label_studio() -> None:
    studio = StudioAccess(LabelStudio("http://localhost:8080", "secret"))
    assert "secret" not in repr(studio.studio)
    inside = ["/data/a.png", "http://localhost:8080/a.png", "http://LOCALHOST:8080/a.png"]
    outside = ["//evil.org/a.png", "http://localhost:80/a.png", "https://localhost:8080/a", "http://evil.org@x/a"]
    outside += ["file:///etc/passwd", "a.png", "/\\evil.org/a", "http://localhost:8080@evil.org/a", "http://x:y/a"]
    assert [studio.has(address) for address in inside + outside] == [True] * 3 + [False] * len(outside)
