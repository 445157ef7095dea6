"""Label Studio's protocol of machine learning backends: ``/health``, ``/setup``, ``/predict`` and ``/webhook``."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

import anyio.from_thread
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from frozenseg import __version__
from frozenseg.inference.result import Result
from frozenseg.serving.image_upload import decode_base64
from frozenseg.serving.label_config import MaskControl, each_name, mask_controls
from frozenseg.serving.label_studio_regions import regions_of
from frozenseg.serving.model_worker import SegmentationCall
from frozenseg.serving.refusals import RequestRefusedError
from frozenseg.serving.state import ServerState, State

router = APIRouter(tags=["Label Studio"])
MAX_TASKS = 64  # of a request
LONGEST_INTERFACE = 200_000  # characters
Interface = Annotated[str, Field(max_length=LONGEST_INTERFACE)]


class SetupRequest(BaseModel):
    """Request of ``/setup``; fields of later versions are ignored."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    label_config: Interface = Field("", alias="schema")


class StudioTask(BaseModel):
    """A task of a project."""

    model_config = ConfigDict(extra="ignore")

    data: dict[str, Any]


class StudioRequest(BaseModel):
    """Request of ``/predict``."""

    model_config = ConfigDict(extra="ignore")

    tasks: Annotated[list[StudioTask], Field(max_length=MAX_TASKS)]
    label_config: Interface


@router.get("/health", summary="Health for Label Studio")
async def studio_health() -> dict[str, str]:
    """Return that the backend is up."""
    return {"status": "UP", "model_class": "FrozenSeg"}


@router.post("/setup", summary="Check of a labelling interface")
async def setup(fields: SetupRequest, state: State) -> dict[str, str]:
    """Check that the model can serve a labelling interface, and return the version of the model."""
    if fields.label_config.strip():
        await run_in_threadpool(_controls, state, fields.label_config)
    return {"model_version": _version(state)}


@router.post("/webhook", status_code=HTTPStatus.CREATED, summary="Events of a project")
async def webhook() -> dict[str, str]:
    """Take notice of an event; the model does not learn from annotations."""
    return {"status": "ignored"}


@router.post("/predict", summary="Predictions for tasks of a project")
async def predict(fields: StudioRequest, state: State) -> dict[str, Any]:
    """Return regions for each task: brush masks and polygons, as the labelling interface has tags for them."""
    controls = await run_in_threadpool(_controls, state, fields.label_config)
    results, limits = [], state.settings.limits
    together = min(limits.batch, limits.requests)  # the queue has room for so many
    for start in range(0, len(fields.tasks), together):
        batch = fields.tasks[start : start + together]
        segmented = await asyncio.gather(*(_segmented(state, task, controls) for task in batch))
        results += [await run_in_threadpool(_prediction, state, each, controls) for each in segmented]
    return {"results": results}


def _controls(state: ServerState, label_config: str) -> list[MaskControl]:
    controls = mask_controls(label_config)
    state.check_names(each_name(controls))
    return controls


def _version(state: ServerState) -> str:
    return f"{state.model.name} {__version__}"


async def _segmented(state: ServerState, task: StudioTask, controls: list[MaskControl]) -> list[Result]:
    """Return the result of a task for each tag; its images are loaded once."""
    images = {
        key: await run_in_threadpool(_load, state, task, key)
        for key in dict.fromkeys(control.data_key for control in controls)
    }
    calls = [SegmentationCall(images[each.data_key], each.vocabulary, outputs=("panoptic",)) for each in controls]
    return [await state.worker.segment(call) for call in calls]


def _prediction(state: ServerState, segmented: list[Result], controls: list[MaskControl]) -> dict[str, Any]:
    """Return the regions of a task for all tags; in a thread of the request, which is ended with it."""
    regions = [
        region
        for result, control in zip(segmented, controls, strict=True)
        for region in regions_of(result.keep(control.min_score), control, anyio.from_thread.check_cancelled)
    ]
    score = sum(region["score"] for region in regions) / len(regions) if regions else 0.0
    return {"result": regions, "score": score, "model_version": _version(state)}


def _load(state: ServerState, task: StudioTask, key: str) -> Any:
    """Return the image of a task: data, or an address of Label Studio."""
    source = task.data.get(key)
    if not isinstance(source, str) or not source:
        raise RequestRefusedError(
            HTTPStatus.BAD_REQUEST,
            f"The data of a task has no image under {key[:60]!r}, the key of the labelling interface.",
        )
    if source.startswith("data:"):
        return state.load(decode_base64(source))
    return state.load_address(source)
