"""Application of the server: the model, its worker, the routes of all protocols, and the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from frozenseg import __version__
from frozenseg.log import get_logger
from frozenseg.serving.access import AccessControl
from frozenseg.serving.error_answers import REFUSAL, add_error_answers
from frozenseg.serving.metrics import ServerMetrics
from frozenseg.serving.model_worker import ModelWorker
from frozenseg.serving.name_memory import NameMemory
from frozenseg.serving.request_limits import RequestLimits
from frozenseg.serving.request_log import RequestLog
from frozenseg.serving.routes import description, label_studio, page, segment, status, x_anylabeling
from frozenseg.serving.sessions import SessionStore
from frozenseg.serving.settings import ServerSettings
from frozenseg.serving.state import ServedModel, ServerState
from frozenseg.serving.studio_access import StudioAccess

logger = get_logger(__name__)
PAGE = Path(__file__).parent / "page"
ROUTERS = (
    status.router,
    description.router,
    segment.router,
    page.router,
    x_anylabeling.router,
    label_studio.router,
)


def create_application(model: ServedModel, settings: ServerSettings | None = None) -> FastAPI:
    """Return the application; its worker runs while it is served.

    Args:
        model: loaded once, shared by all requests.
        settings: limits and protection; None for the defaults.
    """
    settings = settings or ServerSettings()
    metrics, limits = ServerMetrics(), settings.limits
    worker = ModelWorker(model.segmenter, limits.requests, limits.batch, metrics.observe_batch)
    metrics.watch_queue(lambda: worker.waiting)
    application = FastAPI(
        title="FrozenSeg",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=partial(_running, worker),
        responses={"4XX": REFUSAL, 503: {**REFUSAL, "description": "Busy or too slow: see Retry-After"}},
    )
    studio = None if settings.label_studio is None else StudioAccess(settings.label_studio)
    application.state.server = ServerState(model, worker, settings, metrics, studio)
    application.state.sessions = SessionStore(memory=NameMemory(model.segmenter.model.text_classifier))
    add_error_answers(application)
    application.add_middleware(RequestLimits, limits=limits, retry_after=lambda: worker.retry_after)
    application.add_middleware(AccessControl, settings=settings)
    application.add_middleware(RequestLog, metrics=metrics)  # the last one added is the first to see a request
    for router in ROUTERS:
        application.include_router(router)
    application.mount(description.SWAGGER_FILES, description.swagger_files(), name="description")
    application.mount("/", StaticFiles(directory=PAGE, html=True), name="page")  # last, as it answers all addresses
    return application


@asynccontextmanager
async def _running(worker: ModelWorker, application: FastAPI) -> AsyncIterator[None]:
    """Run the worker as long as the application; requests that wait at its end are answered."""
    del application
    worker.start()
    yield
    await run_in_threadpool(worker.stop)
    logger.info("The server has answered its last request and stops.")
