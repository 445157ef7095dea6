"""Limits of requests: bytes with and without a declared length, time, and the number at the same time."""

import base64
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import anyio
import anyio.from_thread
import numpy as np
import pytest
from fastapi.testclient import TestClient

from frozenseg.serving.application import create_application
from frozenseg.serving.request_limits import RequestLimits
from frozenseg.serving.settings import ServerLimits, ServerSettings
from frozenseg.serving.state import ServedModel
from frozenseg.toyworld.samples import sample_scene
from tests.serving.conftest import png

LIMITS = ServerLimits(upload_bytes=50_000, pixels=128 * 128, requests=1, seconds=5)
HOST = "http://127.0.0.1:8000"
IMAGE = {"image": ("a.png", png())}


@pytest.fixture
def limited(model: ServedModel) -> Iterator[TestClient]:
    with TestClient(create_application(model, ServerSettings(limits=LIMITS)), HOST) as client:
        yield client


def test_bodies_beyond_the_limit_are_refused_while_they_arrive(limited: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        yield from [b'{"image": "', *[b"A" * 1000] * 100, b'"}']

    json = {"Content-Type": "application/json"}
    for address in ("/v1/segment", "/v1/predict", "/predict"):
        for content in (b"x" * 50_001, parts()):
            answer = limited.post(address, content=content, headers=json)
            assert answer.status_code == 413, answer.text
            assert answer.json()["error"].startswith("The request has more than 0.0476837 MiB, the limit")
    form = limited.post("/v1/segment", files={"image": ("a.png", b"x" * 60_000)})
    assert form.status_code == 413
    assert limited.post("/v1/segment", files=IMAGE, data={"words": "red circle"}).status_code == 200


def test_images_beyond_the_limit_of_pixels_are_not_decoded(
    limited: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("decoded"))
    answer = limited.post("/v1/segment", files={"image": ("a.png", png(size=129))})
    assert answer.status_code == 400
    assert "it has 129×129 pixels, more than the limit of 16,384" in answer.json()["error"]


def test_a_busy_server_answers_503_and_serves_again(limited: TestClient, model: ServedModel) -> None:
    gate, started = threading.Event(), threading.Event()
    original = model.segmenter.segment_batch

    def slow(*arguments: Any) -> Any:
        started.set()
        gate.wait(10)
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.setattr(model.segmenter, "segment_batch", slow)
        first = pool.submit(limited.post, "/v1/segment", files=IMAGE, data={"words": "red circle"})
        assert started.wait(10)
        second = limited.post("/v1/segment", files=IMAGE)
        health = limited.get("/healthz")
        gate.set()
        assert first.result().status_code == 200
    assert second.status_code == 503
    assert 1 <= int(second.headers["Retry-After"]) <= 10
    assert second.json()["error"].startswith("The server has 1 requests, its limit")
    assert health.status_code == 200
    assert limited.post("/v1/segment", files=IMAGE, data={"words": "red circle"}).status_code == 200


def test_a_request_that_takes_too_long_is_given_up(model: ServedModel) -> None:
    gate = threading.Event()
    settings = ServerSettings(limits=replace(LIMITS, seconds=0.2))
    with TestClient(create_application(model, settings), HOST) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.segmenter, "segment_batch", lambda *arguments: gate.wait(10) and [])
        answer = client.post("/v1/segment", files=IMAGE, data={"words": "red circle"})
        gate.set()
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("The request took more than 0.2 seconds")
    assert "Retry-After" in answer.headers


STUDIO = (
    '<View><Image name="i" value="$i"/><PolygonLabels name="p" toName="i"><Label value="water"/></PolygonLabels></View>'
)
DATA = f"data:image/png;base64,{base64.b64encode(png()).decode()}"


@pytest.mark.parametrize(
    ("address", "module", "body"),
    [
        ("/v1/segment", "segment_answer", {"image": DATA, "words": "water", "formats": ["polygons"]}),
        (
            "/v1/predict",
            "routes.x_anylabeling",
            {"model": "toyworld", "image": DATA, "params": {"text_prompt": "water"}},
        ),
        ("/predict", "label_studio_regions", {"tasks": [{"data": {"i": DATA}}], "label_config": STUDIO}),
    ],
)
def test_polygons_of_a_request_that_takes_too_long_are_given_up(
    model: ServedModel, address: str, module: str, body: dict[str, Any]
) -> None:
    timers: list[anyio.CancelScope] = []
    ended = threading.Event()

    def started(seconds: float) -> anyio.CancelScope:
        timers.append(anyio.CancelScope())
        return timers[-1]

    def endless(mask: np.ndarray, tolerance: float = 0.0, require_time: Callable[[], None] = lambda: None) -> None:
        anyio.from_thread.run_sync(timers[-1].cancel)  # the time is over
        try:
            require_time()
        except BaseException:
            ended.set()
            raise

    result = model.segmenter(sample_scene(4, 128), "water", outputs="panoptic")
    assert list(result.each_mask())
    with TestClient(create_application(model), HOST) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.segmenter, "segment_batch", lambda *arguments: [result])
        patch.setattr(f"frozenseg.serving.{module}.mask_polygons", endless)
        patch.setattr("frozenseg.serving.request_limits.anyio.move_on_after", started)
        answer = client.post(address, json=body)
    assert ended.is_set()
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("The request took more than 120 seconds")


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    sent: list[dict[str, Any]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass

    async def receive() -> dict[str, Any]:
        await anyio.sleep(0.03)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    limits = RequestLimits(application, replace(LIMITS, seconds=0.1), lambda: 1.0)
    anyio.run(limits, {"type": "http", "method": "POST", "headers": []}, receive, send)
    assert sent[0]["status"] == 408
    assert b"The body of the request took more than 0.1 seconds" in sent[1]["body"]


def test_a_fault_of_the_server_is_in_the_log_only(
    model: ServedModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("frozenseg.serving.routes.segment.segment_answer", lambda *arguments: 1 // 0)
    with TestClient(create_application(model), HOST) as client, caplog.at_level("INFO"):
        answer = client.post("/v1/segment", files=IMAGE, data={"words": "red circle"})
        metrics = client.get("/metrics").text
    request_id = answer.headers["X-Request-ID"]
    assert answer.status_code == 500
    assert answer.json()["error"] == f"The server has a fault; its log describes it under the id {request_id}."
    assert "frame-ancestors" in answer.headers["content-security-policy"]
    assert f"{request_id} POST /v1/segment failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert 'frozenseg_requests_total{route="/v1/segment",status="500"} 1.0' in metrics


def test_metrics_count_requests_by_route(client: TestClient) -> None:
    client.post("/v1/segment", files=IMAGE, data={"words": "red circle"})
    client.get("/nowhere/a?b=c")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'frozenseg_requests_total{route="/v1/segment",status="200"}' in answer.text
    assert "nowhere" not in answer.text
    for name in ("frozenseg_batch_images_count", "frozenseg_waiting 0.0", "process_resident_memory_bytes"):
        assert name in answer.text
