"""Status of the server: ``GET /healthz`` and ``GET /metrics``."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from frozenseg import __version__
from frozenseg.serving.metrics import METRICS_TYPE
from frozenseg.serving.state import State

router = APIRouter(tags=["status"])


@router.get("/healthz", summary="Health")
async def health(state: State) -> JSONResponse:
    """Return 200 while the model takes requests, else 503."""
    alive = state.worker.is_alive
    body: dict[str, Any] = {
        "status": "ok" if alive else "stopping",
        "model": state.model.name,
        "version": __version__,
        "waiting": state.worker.waiting,
    }
    return JSONResponse(body, HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("/metrics", summary="Metrics for Prometheus")
async def metrics(state: State) -> Response:
    """Return the counters in the text format of Prometheus."""
    return Response(state.metrics.text(), media_type=METRICS_TYPE)
