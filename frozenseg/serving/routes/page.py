"""Addresses of the page: sessions of images, predictions, prompts, edits and exports. Programs use ``/v1/segment``."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from frozenseg.errors import ConfigError
from frozenseg.inference.auto_vocabulary import AUTO
from frozenseg.inference.editing import EditedImage
from frozenseg.inference.mask_prompts import sam_of
from frozenseg.inference.named_vocabularies import named_vocabulary, vocabulary_names
from frozenseg.inference.sources.sample_scenes import SCENE_SIZE, SCENES
from frozenseg.serving.page_answers import coco_export, labels_export, png_bytes, prompt_answer, segments_answer
from frozenseg.serving.page_requests import (
    EditBody,
    PredictionBody,
    PromptBody,
    SampleBody,
    SavedBody,
    listed_vocabulary,
)
from frozenseg.serving.refusals import RequestRefusedError
from frozenseg.serving.session_model import (
    compared_session,
    embed_session,
    empty_edits,
    predict_session,
    prompt_session,
)
from frozenseg.serving.sessions import ImageSession, SessionStore
from frozenseg.serving.state import State
from frozenseg.toyworld.samples import sample_scene
from frozenseg.vocabulary import Vocabulary

MAX_LISTED_CLASSES = 60  # of a vocabulary whose classes the page shows one by one
LONGEST_FILE_NAME = 500
JSON = "application/json"

router = APIRouter(prefix="/page", tags=["page"], include_in_schema=False)


def session_store(request: Request) -> SessionStore:
    """Return the sessions of the application that serves a request; a dependency of routes."""
    store: SessionStore = request.app.state.sessions
    return store


Store = Annotated[SessionStore, Depends(session_store)]


@asynccontextmanager
async def _session(store: SessionStore, session_id: str) -> AsyncIterator[ImageSession]:
    """Hold a session, so that its requests are served one after the other; its memory is checked at the end."""
    session = store.get(session_id)
    async with session.in_use():
        yield session
    store.trim()


@router.get("/state")
async def page_state(state: State) -> JSONResponse:
    """Return everything that the page shows before the first image."""
    try:
        sam_of(state.model.segmenter)
        no_clicks = ""
    except ConfigError as error:
        no_clicks = str(error)
    body: dict[str, Any] = {
        "model": state.model.name,
        "no_clicks": no_clicks,
        "vocabularies": [{"name": name, "classes": _class_count(name)} for name in vocabulary_names()],
        "auto": AUTO,
        "samples": len(SCENES),
        **_usual_classes(state.model.classes),
        "limits": {"bytes": state.settings.limits.upload_bytes, "pixels": state.settings.limits.pixels},
    }
    return JSONResponse(body)


@router.get("/vocabularies/{name}")
async def page_vocabulary(name: str, state: State) -> JSONResponse:
    """Return the classes of a benchmark."""
    return JSONResponse({"classes": _class_rows(listed_vocabulary(name, state))})


@router.get("/samples/{number}.png")
async def sample(number: int) -> Response:
    """Return a sample scene."""
    return Response(await run_in_threadpool(_sample_png, _scene_number(number)), media_type="image/png")


@router.post("/sessions")
async def open_session(request: Request, state: State, store: Store) -> JSONResponse:
    """Open a session with an image, the body of the request, or with a sample scene; compute its features."""
    body = await request.body()
    if request.headers.get("content-type", "").startswith(JSON):
        try:
            number = _scene_number(SampleBody.model_validate_json(body).sample)
        except ValidationError as error:
            raise RequestRefusedError(HTTPStatus.BAD_REQUEST, "The body is not {'sample': NUMBER}.") from error
        body = await run_in_threadpool(_sample_png, number)
    image = await run_in_threadpool(state.load, body)
    session = store.open(image, empty_edits(image))
    try:
        async with _session(store, session.id):
            seconds = await session.call(state.worker, partial(embed_session, state.model.segmenter, session))
    except BaseException:  # also of a request that was given up
        store.close(session.id)
        raise
    answer = {"session": session.id, "width": image.width, "height": image.height, "image_seconds": round(seconds, 4)}
    return JSONResponse(answer, HTTPStatus.CREATED)


@router.delete("/sessions/{session_id}")
async def close_session(session_id: str, store: Store) -> Response:
    """End a session."""
    store.close(session_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/sessions/{session_id}/image.png")
async def session_image(session_id: str, store: Store) -> Response:
    """Return the image of a session, for browsers that cannot decode the file."""
    async with _session(store, session_id) as session:
        return Response(await run_in_threadpool(png_bytes, session.image), media_type="image/png")


@router.post("/sessions/{session_id}/segments")
async def predict(session_id: str, body: PredictionBody, state: State, store: Store) -> JSONResponse:
    """Segment the image by class names; its features are reused."""
    vocabulary = await run_in_threadpool(body.vocabulary, state)
    async with _session(store, session_id) as session:
        work = partial(
            predict_session, state.model.segmenter, session, vocabulary, body.view, body.proposals, store.memory
        )
        seconds = await session.call(state.worker, work)
        answer = await _segments(session)
        if body.compare:
            other = await session.call(
                state.worker, partial(compared_session, state.model.segmenter, session, vocabulary, body.view)
            )
            answer["other"] = await run_in_threadpool(segments_answer, session.image, other)
    times = {"image_seconds": round(seconds.image, 4), "vocabulary_seconds": round(seconds.vocabulary, 4)}
    return JSONResponse({**answer, **times, "classes": len(vocabulary)})


@router.post("/sessions/{session_id}/prompt")
async def prompt(session_id: str, body: PromptBody, state: State, store: Store) -> JSONResponse:
    """Return SAM's mask for points, a box or a stroke, with the names that CLIP gives it."""
    async with _session(store, session_id) as session:
        work = partial(prompt_session, state.model.segmenter, session, body.prompt(session.image))
        start = time.perf_counter()
        prompted = await session.call(state.worker, work)
        seconds = round(time.perf_counter() - start, 4)
        return JSONResponse({**await run_in_threadpool(prompt_answer, prompted), "seconds": seconds})


@router.post("/sessions/{session_id}/edits")
async def edit(session_id: str, body: EditBody, store: Store) -> JSONResponse:
    """Edit the segments."""
    async with _session(store, session_id) as session:
        await run_in_threadpool(apply_edit, session, body)
        return JSONResponse(await _segments(session))


@router.put("/sessions/{session_id}/segments")
async def restore(session_id: str, body: SavedBody, store: Store) -> JSONResponse:
    """Continue with saved segments."""
    async with _session(store, session_id) as session:
        await run_in_threadpool(session.edited.restore, body.segments(session.image))
        return JSONResponse(await _segments(session))


Hidden = Annotated[str, Query(max_length=20_000, pattern=r"^(\d{1,9}(,\d{1,9})*)?$")]


@router.get("/sessions/{session_id}/coco.json")
async def coco(
    session_id: str, store: Store, hidden: Hidden = "", name: Annotated[str, Query(max_length=LONGEST_FILE_NAME)] = ""
) -> JSONResponse:
    """Return the shown segments as a COCO file; the name of the image is in the file only."""
    async with _session(store, session_id) as session:
        return JSONResponse(await run_in_threadpool(coco_export, session, name, _ids(hidden)))


@router.get("/sessions/{session_id}/labels.png")
async def labels(session_id: str, store: Store, hidden: Hidden = "") -> Response:
    """Return the classes of all pixels as a PNG."""
    async with _session(store, session_id) as session:
        return Response(await run_in_threadpool(labels_export, session, _ids(hidden)), media_type="image/png")


def apply_edit(session: ImageSession, body: EditBody) -> None:
    """Edit the segments of a session.

    Args:
        session: of an image.
        body: action, ids of segments, and name.

    Raises:
        DataError: an id or a name is wrong.
        RequestRefusedError: there is no mask to add or to erase.
    """
    edited: EditedImage = session.edited
    if body.action in ("add", "erase"):
        prompted = session.require_prompted()
        if body.action == "erase":
            edited.erase(prompted.mask)
        else:
            scores = {each.name: each.score for each in prompted.names}
            edited.add(prompted.mask, body.name, not body.stuff, scores.get(body.name))
        session.prompted = None
        return
    actions = {
        "keep": lambda: edited.keep(body.ids),
        "release": lambda: edited.keep(body.ids, is_kept=False),
        "rename": lambda: edited.rename(body.ids, body.name),
        "merge": lambda: edited.merge(body.ids),
        "delete": lambda: edited.delete(body.ids),
        "undo": edited.undo,
        "redo": edited.redo,
    }
    actions[body.action]()


async def _segments(session: ImageSession) -> dict[str, Any]:
    return await run_in_threadpool(segments_answer, session.image, session.edited)


def _ids(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def _scene_number(number: int) -> int:
    """Return the number of a scene in its split."""
    if not 1 <= number <= len(SCENES):
        raise RequestRefusedError(HTTPStatus.NOT_FOUND, f"There are samples 1 to {len(SCENES)}, but no {number}.")
    return SCENES[number - 1]


@cache
def _sample_png(number: int) -> bytes:
    return png_bytes(sample_scene(number, SCENE_SIZE))


def _usual_classes(usual: Vocabulary | None) -> dict[str, Any]:
    """Return the classes that the page begins with: the name of their benchmark, or the classes if there are few."""
    if usual is None:
        return {"classes": [], "benchmarks": []}
    benchmarks = [name for name in vocabulary_names() if named_vocabulary(name) == usual]
    rows = _class_rows(usual) if not benchmarks and len(usual) <= MAX_LISTED_CLASSES else []
    return {"classes": rows, "benchmarks": benchmarks[:1]}


@cache
def _class_count(name: str) -> int:
    vocabulary = named_vocabulary(name)
    return 0 if vocabulary is None else len(vocabulary)


def _class_rows(vocabulary: Vocabulary) -> list[dict[str, Any]]:
    rows = zip(vocabulary.classes, vocabulary.isthing, strict=True)
    return [{"names": list(names), "stuff": not isthing} for names, isthing in rows]
