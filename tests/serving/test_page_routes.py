"""Addresses of the page: what it shows is what it exports, and wrong requests have one sentence."""

import io
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.inference.predictor import Segmenter
from frozenseg.modeling.build import build_model
from frozenseg.modeling.ensemble.mask_proposals import ProposalEnsemble
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.serving.application import create_application
from frozenseg.serving.state import ServedModel
from frozenseg.structures.segmentation import decode_segmentation
from tests.serving.conftest import png, toyworld
from tests.tiny import TRAINING, tiny_config

CLASSES = [
    {"names": ["green circle", "green disc"]},
    {"names": ["yellow triangle"]},
    {"names": ["water"], "stuff": True},
]


@pytest.fixture
def session(client: TestClient) -> str:
    answer = client.post("/page/sessions", content=png(), headers={"content-type": "image/png"})
    assert answer.status_code == 201
    assert (answer.json()["width"], answer.json()["height"]) == (128, 128)
    return f"/page/sessions/{answer.json()['session']}"


def predicted(client: TestClient, session: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"{session}/segments", json={"classes": CLASSES, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def pixels(answer: dict[str, Any]) -> np.ndarray:
    values, lengths = np.array(answer["runs"]).reshape(-1, 2).T
    return np.repeat(values, lengths).reshape(128, 128)


def edit(client: TestClient, session: str, action: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"{session}/edits", json={"action": action, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def id_of(answer: dict[str, Any], name: str) -> int:
    return next(each["id"] for each in answer["segments"] if each["name"] == name)


def test_the_state_has_what_the_page_offers(client: TestClient) -> None:
    state = client.get("/page/state").json()
    assert state["model"] == "toyworld"
    assert state["no_clicks"] == ""
    assert {"name": "coco", "classes": 133} in state["vocabularies"]
    assert client.get("/page/vocabularies/voc").json()["classes"][-2]["names"][0] == "train"
    assert Image.open(io.BytesIO(client.get("/page/samples/1.png").content)).size == (384, 384)


def test_the_segments_are_those_of_the_segmenter(client: TestClient, session: str) -> None:
    answer = predicted(client, session)
    result = toyworld()(png(), "green circle,green disc; yellow triangle; water", stuff="water", outputs="panoptic")
    assert [(each["name"], each["area"]) for each in answer["segments"]] == [
        (each.name, each.area) for each in result.segments
    ]
    assert ((pixels(answer) > 0) == (result.panoptic[0].numpy() > 0)).all()
    assert answer["image_seconds"] == 0
    assert answer["vocabulary_seconds"] > 0


def test_only_the_class_names_are_computed_again(
    client: TestClient, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("The image is encoded again.")

    monkeypatch.setattr(toyworld().model.backbone, "forward", refuse)
    assert predicted(client, session, classes=[{"names": ["green circle"]}])["segments"]


@pytest.mark.parametrize("view", ["panoptic", "instance", "semantic"])
def test_every_view_has_segments(client: TestClient, session: str, view: str) -> None:
    answer = predicted(client, session, view=view)
    assert "green circle" in {each["name"] for each in answer["segments"]}
    assert (answer["segments"][0]["score"] is None) == (view == "semantic")


def test_a_benchmark_joins_the_classes(client: TestClient, session: str) -> None:
    answer = predicted(client, session, classes=[{"names": ["water"], "stuff": False}], benchmarks=["toyworld", "voc"])
    assert answer["names"][0] == "water"
    assert answer["names"].count("water") == 1
    assert {"red circle", "aeroplane"} <= set(answer["names"])


def test_auto_has_the_classes_of_the_image(client: TestClient, session: str) -> None:
    answer = predicted(client, session, classes=[], benchmarks=["auto"])
    assert 0 < len(answer["names"]) < 20
    refused = client.post(f"{session}/segments", json={"benchmarks": ["auto"], "classes": CLASSES})
    assert refused.status_code == 400


def test_proposals_compete_and_are_compared(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    few = ProposalEnsemble(masks=ProposalSettings(points_per_side=6))
    monkeypatch.setattr("frozenseg.serving.session_model.ProposalEnsemble", lambda: few)
    session = f"/page/sessions/{client.post('/page/sessions', json={'sample': 3}).json()['session']}"
    body = {"classes": [], "benchmarks": ["toyworld"], "view": "semantic"}
    answer = predicted(client, session, **body, proposals=True, compare=True)
    assert answer["other"]["segments"] == predicted(client, session, **body)["segments"]
    assert answer["runs"] != answer["other"]["runs"]


def test_a_click_adds_a_segment_and_the_exports_have_it(client: TestClient, session: str) -> None:
    before = predicted(client, session, classes=[{"names": ["green circle"]}, {"names": ["yellow triangle"]}])
    deleted = edit(client, session, "delete", ids=[id_of(before, "green circle")])
    assert "green circle" not in {each["name"] for each in deleted["segments"]}
    prompt = client.post(f"{session}/prompt", json={"points": [[48, 95]], "positive": [True]}).json()
    assert prompt["names"][0]["name"] == "green circle"
    assert prompt["seconds"] < 5
    mask = pixels(prompt) > 0
    assert mask.sum() == prompt["area"] > 500
    added = edit(client, session, "add", name="green circle")
    number = id_of(added, "green circle")
    assert ((pixels(added) == number) == mask).all()

    coco = client.get(f"{session}/coco.json", params={"name": "a.png"}).json()
    annotation = next(each for each in coco["annotations"] if each["name"] == "green circle")
    assert annotation["kept"]
    assert (decode_segmentation(annotation["segmentation"], 128, 128) == mask).all()
    labels = np.array(Image.open(io.BytesIO(client.get(f"{session}/labels.png").content)))
    category = next(each["id"] for each in coco["categories"] if each["name"] == "green circle")
    assert ((labels == category) == mask).all()
    hidden = client.get(f"{session}/coco.json", params={"hidden": str(number)}).json()
    assert "green circle" not in {each["name"] for each in hidden["annotations"]}


def test_edits_are_undone_and_saved_segments_restored(client: TestClient, session: str) -> None:
    first = predicted(client, session)
    ids = [each["id"] for each in first["segments"]]
    edit(client, session, "rename", ids=ids[:1], name="blob")
    merged = edit(client, session, "merge", ids=ids[:2])
    coco = client.get(f"{session}/coco.json").json()
    edit(client, session, "undo")
    assert edit(client, session, "undo")["runs"] == first["runs"]
    assert [each["name"] for each in edit(client, session, "redo")["segments"]][0] == "blob"
    edit(client, session, "release", ids=ids[:1])
    restored = client.put(f"{session}/segments", json=coco).json()
    expected = [(each["name"], each["area"], each["kept"]) for each in merged["segments"]]
    assert [(each["name"], each["area"], each["kept"]) for each in restored["segments"]] == expected


def test_saved_segments_that_take_too_long_are_refused(
    client: TestClient, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frozenseg.serving.page_requests.MAX_RESTORED_PIXELS", 128 * 128)
    first = predicted(client, session)
    refused = client.put(f"{session}/segments", json=client.get(f"{session}/coco.json").json())
    assert (refused.status_code, "to decode, expected at most 16384" in refused.text) == (400, True)
    assert edit(client, session, "undo")["runs"] == first["runs"]  # nothing was changed


@pytest.mark.parametrize(
    "prompt",
    [
        {"box": [20, 70, 80, 120]},
        {"stroke": [[40, 95], [56, 95]], "radius": 3},
        {"points": [[48, 95], [70, 30]], "positive": [True, False]},
    ],
)
def test_boxes_strokes_and_negative_points_have_masks(client: TestClient, session: str, prompt: dict[str, Any]) -> None:
    answer = client.post(f"{session}/prompt", json=prompt)
    assert answer.status_code == 200
    mask = pixels(answer.json()) > 0
    assert mask[95, 48]
    assert (pixels(edit(client, session, "erase"))[mask] == 0).all()


WRONG: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("POST", "/segments", {"classes": []}, 400, "There is no class"),
    ("POST", "/segments", {"classes": [{"names": [" "]}]}, 400, "empty name"),
    ("POST", "/segments", {"benchmarks": ["cocoo"]}, 400, "cocoo"),
    ("POST", "/segments", {"classes": CLASSES, "view": "depth"}, 422, "view"),
    ("POST", "/segments", {"classes": [{"names": [f"n{i}"]} for i in range(1200)]}, 400, "expected at most 1000"),
    ("POST", "/prompt", {}, 400, "marks no object"),
    ("POST", "/prompt", {"points": [[1e9, 0]], "positive": [True]}, 422, "points"),
    ("POST", "/prompt", {"points": [["nan", 0]], "positive": [True]}, 422, "points"),
    ("POST", "/edits", {"action": "add", "name": "cat"}, 409, "click on an object first"),
    ("POST", "/edits", {"action": "delete", "ids": [99]}, 400, "are selected"),
    ("POST", "/edits", {"action": "explode"}, 422, "action"),
    ("PUT", "/segments", {"annotations": [{"name": "a", "segmentation": {"size": [9, 9], "counts": "x"}}]}, 400,
     "saved segment 1 cannot be restored"),
    ("GET", "/labels.png?hidden=1;2", {}, 422, "hidden"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "message"), WRONG)
def test_a_wrong_request_has_one_sentence(
    client: TestClient, session: str, method: str, path: str, body: dict[str, Any], status: int, message: str
) -> None:
    answer = client.request(method, f"{session}{path}", json=body)
    assert answer.status_code == status, answer.text
    assert message in answer.json()["error"]


@pytest.mark.parametrize("path", ["/page/sessions/x/coco.json", "/page/samples/9.png", "/page/vocabularies/cocoo"])
def test_an_unknown_address_has_one_sentence(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"].endswith((".", "]"))


def test_a_sample_is_segmented_and_a_session_closed(client: TestClient) -> None:
    answer = client.post("/page/sessions", json={"sample": 1}).json()
    path = f"/page/sessions/{answer['session']}"
    assert client.get(f"{path}/image.png").content == client.get("/page/samples/1.png").content
    assert client.delete(path).status_code == 204
    assert client.get(f"{path}/image.png").status_code == 404
    assert client.post("/page/sessions", json={"sample": "x"}).status_code == 400
    assert client.post("/page/sessions", content=b"GIF89a").status_code == 400


def test_a_model_without_sam_has_views_and_no_clicks() -> None:
    segmenter = Segmenter(build_model(tiny_config("FCCLIP"), TRAINING), ShortestEdge(64, 128))
    with TestClient(create_application(ServedModel(segmenter, "tiny")), base_url="http://localhost") as client:
        assert "has no SAM that answers clicks" in client.get("/page/state").json()["no_clicks"]
        session = client.post("/page/sessions", content=png()).json()["session"]
        refused = client.post(f"/page/sessions/{session}/prompt", json={"points": [[1, 1]], "positive": [True]})
        assert (refused.status_code, "has no SAM" in refused.text) == (400, True)
        body = {"classes": [{"names": ["cat"]}], "proposals": True}
        assert "has no SAM" in client.post(f"/page/sessions/{session}/segments", json=body).text
