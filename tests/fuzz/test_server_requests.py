"""Requests to the server: JSON of all protocols and forms, damaged as documents, as bytes and in their images."""

import base64
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.serving.application import create_application
from frozenseg.serving.settings import ServerLimits, ServerSettings
from frozenseg.serving.state import ServedModel
from lab.malformed_requests import FORM, INTERFACE, JSON, form
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.mutations import damaged, mutated
from tests.fuzz.test_segmenter_arguments import segmenter

LONGEST_ANSWER = 600  # characters of a sentence


@cache
def picture(kind: str) -> bytes:
    content = io.BytesIO()
    Image.effect_noise((24, 16), 60).convert("RGB").save(content, kind)
    return content.getvalue()


def documents(image: bytes) -> dict[str, Any]:
    """Return a right document for each route that takes JSON."""
    text = base64.b64encode(image).decode("ascii")
    return {
        "/v1/segment": {
            "image": text,
            "words": ["cat,kitten", ["grass"]],
            "stuff": "grass",
            "outputs": ["panoptic", "semantic"],
            "formats": ["rle", "polygons", "png"],
            "min_score": 0.0,
            "tolerance": 1,
        },
        "/v1/predict": {
            "model": "tiny",
            "image": f"data:image/png;base64,{text}",
            "params": {"conf_threshold": 0.0, "epsilon_factor": 0.001, "text_prompt": "cat, dog", "filter_classes": []},
        },
        "/predict": {
            "tasks": [{"id": 1, "data": {"photo": f"data:image/png;base64,{text}"}}],
            "label_config": INTERFACE,
        },
        "/setup": {"project": "1.2", "schema": INTERFACE, "extra_params": None},
    }


@st.composite
def request_cases(draw: DrawFn) -> dict[str, Any]:
    """Draw a route, the bytes of a body, and its content type."""
    image = picture(draw(st.sampled_from(("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"))))
    if draw(st.integers(0, 2)) == 0:
        image = draw(damaged(image))
    if draw(st.integers(0, 3)) == 0:
        fields = {"words": draw(st.text(max_size=12)), "min_score": draw(st.sampled_from(("0", "nan", "-1", "x")))}
        body = form(image, fields if draw(st.booleans()) else {"words": "cat; grass"})
        body = draw(damaged(body)) if draw(st.booleans()) else body
        return {"route": "/v1/segment", "body": body, "headers": FORM}
    route = draw(st.sampled_from(("/v1/segment", "/v1/predict", "/predict", "/setup")))
    document = documents(image)[route]
    how = draw(st.sampled_from(("right", "mutated", "damaged")))
    try:
        body = json.dumps(draw(mutated(document)) if how == "mutated" else document, default=str).encode()
    except (ValueError, RecursionError, TypeError):
        body = b"{}"
    return {"route": route, "body": draw(damaged(body)) if how == "damaged" else body, "headers": JSON}


@cache
def client() -> TestClient:
    """Return a client of an application with an untrained model, which runs until the process ends."""
    settings = ServerSettings(limits=ServerLimits(pixels=64 * 64, upload_bytes=2**18, names=50))
    application = create_application(ServedModel(segmenter(), "tiny"), settings)
    opened = TestClient(application, "http://127.0.0.1:8000")
    opened.__enter__()
    return opened


@fuzz("server requests", request_cases(), examples=60)
def test_server_requests(case: dict[str, Any], folder: Path) -> None:
    del folder
    answer = client().post(case["route"], content=case["body"], headers=case["headers"])
    body = answer.json()
    if answer.status_code == 200:
        assert "error" not in body
        return
    assert 400 <= answer.status_code < 500, answer.text
    assert body.keys() == {"error"}
    assert 0 < len(body["error"]) <= LONGEST_ANSWER
    assert "\n" not in body["error"]
    raise DataError(body["error"])
