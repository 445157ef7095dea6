"""State that the addresses of the server share."""

from dataclasses import dataclass

from fastapi import Request

from frozenseg.inference.predictor import Segmenter
from frozenseg.serving.metrics import ServerMetrics
from frozenseg.serving.model_worker import ModelWorker
from frozenseg.serving.settings import ServerSettings


@dataclass(frozen=True)
class ServedModel:
    """The model of the server.

    Attributes:
        segmenter: the model, loaded once.
        name: of the weights, for clients.
        usual_classes: named vocabulary of requests without class names; empty for none.
    """

    segmenter: Segmenter
    name: str = "frozenseg"
    usual_classes: str = ""


@dataclass(frozen=True)
class ServerState:
    """State of a running application.

    Attributes:
        model: of the server.
        worker: thread that runs it.
        settings: of the server.
        metrics: of the server.
    """

    model: ServedModel
    worker: ModelWorker
    settings: ServerSettings
    metrics: ServerMetrics


def server_state(request: Request) -> ServerState:
    """Return the state of the application that serves a request; a dependency of routes."""
    state: ServerState = request.app.state.server
    return state
