"""Application of the server: the model, its worker, the routes of all protocols, and the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from frozenseg import __version__
from frozenseg.serving.error_answers import add_error_answers
from frozenseg.serving.model_worker import ModelWorker
from frozenseg.serving.routes import status
from frozenseg.serving.settings import ServerSettings
from frozenseg.serving.state import ServedModel, ServerState

PAGE = Path(__file__).parent / "page"
ROUTERS = (status.router,)


def create_application(model: ServedModel, settings: ServerSettings | None = None) -> FastAPI:
    """Return the application; its worker runs while it is served.

    Args:
        model: loaded once, shared by all requests.
        settings: limits and protection; None for the defaults.
    """
    settings = settings or ServerSettings()
    worker = ModelWorker(model.segmenter, settings.limits.requests, settings.limits.batch)
    application = FastAPI(
        title="FrozenSeg", version=__version__, docs_url=None, redoc_url=None, lifespan=partial(_running, worker)
    )
    application.state.server = ServerState(model, worker, settings)
    add_error_answers(application)
    for router in ROUTERS:
        application.include_router(router)
    application.mount("/", StaticFiles(directory=PAGE, html=True), name="page")  # last, as it answers all addresses
    return application


@asynccontextmanager
async def _running(worker: ModelWorker, application: FastAPI) -> AsyncIterator[None]:
    """Run the worker as long as the application; requests that wait at its end are answered."""
    del application
    worker.start()
    yield
    await run_in_threadpool(worker.stop)
