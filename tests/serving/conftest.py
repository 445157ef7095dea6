"""ToyWorld's model, loaded once, and applications around it."""

import functools
import io
import threading
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from frozenseg.inference.predictor import Segmenter
from frozenseg.inference.vocabulary_inputs import make_vocabulary
from frozenseg.serving.application import create_application
from frozenseg.serving.process import BoundServer, bound_server, listen
from frozenseg.serving.settings import ServerSettings
from frozenseg.serving.state import ServedModel
from frozenseg.toyworld.samples import sample_scene

OPTIONS = {"INPUT.MIN_SIZE_TEST": 128, "TEST.USE_SAM_MASKS": False}


@functools.cache
def toyworld() -> Segmenter:
    return Segmenter.from_pretrained("toyworld", device="cpu", options=OPTIONS)


@functools.cache
def png(number: int = 4, size: int = 128, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    sample_scene(number, size).save(content, kind)
    return content.getvalue()


@pytest.fixture(scope="session")
def model() -> ServedModel:
    return ServedModel(toyworld(), "toyworld", make_vocabulary("toyworld"))


@pytest.fixture(scope="session")
def scene() -> Image.Image:
    return sample_scene(4, 128)


@pytest.fixture(scope="module")
def client(model: ServedModel) -> Iterator[TestClient]:
    with TestClient(create_application(model), "http://127.0.0.1:8000") as opened:
        yield opened


@pytest.fixture(scope="module")
def bound(model: ServedModel) -> Iterator[BoundServer]:
    """A server on a real socket, which runs in a thread."""
    server = bound_server(model, (settings := ServerSettings(port=0)), listen(settings))
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server
    server.server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()
