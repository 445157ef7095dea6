"""X-AnyLabeling's protocol: its fields, the prompts of the tool, and its own client where it is installed."""

import base64
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from frozenseg.inference.formats.outlines import mask_polygons
from frozenseg.serving.process import BoundServer
from frozenseg.serving.routes.x_anylabeling import Parameters, prompted_classes
from frozenseg.serving.state import ServedModel
from frozenseg.structures.polygons import polygons_rle
from frozenseg.toyworld.samples import sample_scene
from tests.serving.conftest import png

SHAPE_FIELDS = {"label", "shape_type", "points", "score", "group_id", "description", "attributes", "difficult", "flags"}


def request(**params: Any) -> dict[str, Any]:
    image = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    return {"model": "toyworld", "image": image, "params": {"conf_threshold": 0.0, "iou_threshold": 0.7, **params}}


def test_the_model_is_described_with_widgets_and_tasks(client: TestClient) -> None:
    [(name, model)] = client.get("/v1/models").json()["data"].items()
    assert name == "toyworld"
    assert "red circle" in model["classes"]
    assert {each["name"] for each in model["widgets"]} >= {"edit_text", "button_send", "button_run", "edit_conf"}
    modes = {task["id"]: task["batch_processing_mode"] for task in model["available_tasks"]}
    assert modes == {"classes": "default", "text_prompt": "text_prompt"}
    assert all("button_send" in task["active_widgets"] or task["id"] == "classes" for task in model["available_tasks"])


def test_shapes_are_the_segments_of_the_segmenter(client: TestClient, model: ServedModel) -> None:
    prompt = "red circle; blue square; stuff: water"
    result = model.segmenter(sample_scene(4, 128), prompt, outputs="panoptic")
    answer = client.post("/v1/predict", json=request(text_prompt=prompt, epsilon_factor=0))
    shapes = answer.json()["data"]["shapes"]
    assert answer.json()["data"]["description"] == ""
    assert all(shape.keys() <= SHAPE_FIELDS and shape["shape_type"] == "polygon" for shape in shapes)
    for segment, mask in result.each_mask():
        polygons = [np.array(each["points"]).ravel() for each in shapes if each["group_id"] == segment.id]
        assert len(polygons) == len(mask_polygons(mask))
        assert (polygons_rle([each.tolist() for each in polygons], (128, 128)).mask() == mask).all()
        assert {each["label"] for each in shapes if each["group_id"] == segment.id} == {segment.name}


def test_the_settings_of_the_tool_act(client: TestClient) -> None:
    def shapes(**params: Any) -> list[dict[str, Any]]:
        return list(client.post("/v1/predict", json=request(**params)).json()["data"]["shapes"])

    every = shapes()
    corners = sum(len(each["points"]) for each in every)
    assert sum(len(each["points"]) for each in shapes(epsilon_factor=0.02)) < corners
    assert shapes(conf_threshold=1.0) == []
    label = every[0]["label"]
    assert {each["label"] for each in shapes(filter_classes=[label])} == {label}
    assert shapes(filter_classes=[]) == every
    assert shapes(text_prompt="red circle", current_task="classes") == every


@pytest.mark.parametrize(
    ("prompt", "classes"),
    [
        ("cat, dog", ["cat", "dog"]),
        ("cat. dog. cat", ["cat", "dog"]),
        ("cat", "cat"),
        ("coco", "coco"),
        ("cat,kitten; stuff: grass", "cat,kitten; stuff: grass"),
        (" ", None),
    ],
)
def test_prompts_have_the_separators_of_the_tool(prompt: str, classes: Any) -> None:
    assert prompted_classes(Parameters(text_prompt=prompt)) == classes


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"model": "yolo"}, 404, "The model 'yolo' is not served, expected 'toyworld'."),
        ({"image": "cat.png"}, 400, "The image is no base64"),
        ({"image": "/etc/passwd"}, 400, "The image "),
        ({"params": {"conf_threshold": 2}}, 422, "body.params.conf_threshold"),
        ({"params": {"marks": [{"type": "point"}]}}, 400, "The request has marks"),
    ],
)
def test_wrong_requests_have_one_sentence(
    client: TestClient, changes: dict[str, Any], status: int, message: str
) -> None:
    answer = client.post("/v1/predict", json={**request(), **changes})
    assert answer.status_code == status
    assert answer.json()["error"].startswith(message)


@pytest.mark.skipif(
    importlib.util.find_spec("anylabeling") is None,
    reason="x-anylabeling-cvhub needs Qt; see above",
)
def test_the_client_of_x_anylabeling_gets_its_shapes(
    bound: BoundServer, model: ServedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setenv("HOME", str(tmp_path))  # of its settings
    from anylabeling.services.auto_labeling.remote_server import RemoteServer

    (tmp_path / "config.yaml").write_text(f"remote_server_settings: {{server_url: '{bound.address}'}}")
    monkeypatch.setattr("anylabeling.config.current_config_file", str(tmp_path / "config.yaml"))
    path = tmp_path / "scene.png"
    path.write_bytes(png())
    messages: list[str] = []
    remote = RemoteServer({"type": "remote_server", "display_name": "FrozenSeg"}, messages.append)
    [name] = remote.get_available_models()
    remote.set_model_id(name)
    for task, mode, prompt in (("classes", "default", None), ("text_prompt", "text_prompt", "red circle, blue square")):
        remote.set_task(task)
        assert remote.get_batch_processing_mode() == mode
        result = remote.predict_shapes(object(), str(path), text_prompt=prompt)
        assert messages == []
        names = ["red circle", "blue square"] if prompt else model.classes
        expected = model.segmenter(sample_scene(4, 128), names, outputs="panoptic")
        assert {shape.label for shape in result.shapes} == {segment.name for segment in expected.segments}
        assert all(shape.shape_type == "polygon" and len(shape.points) >= 3 for shape in result.shapes)
