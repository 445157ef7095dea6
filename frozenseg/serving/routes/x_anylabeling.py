"""X-AnyLabeling's protocol of remote servers: ``GET /v1/models`` and ``POST /v1/predict``."""

import re
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import anyio.from_thread
import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from frozenseg.inference.formats.outlines import mask_polygons
from frozenseg.inference.result import Result
from frozenseg.inference.segments import SCORE_DIGITS
from frozenseg.serving.class_names import ClassNamesLike
from frozenseg.serving.image_upload import decode_base64
from frozenseg.serving.model_worker import SegmentationCall
from frozenseg.serving.refusals import RequestRefusedError
from frozenseg.serving.state import State

router = APIRouter(prefix="/v1", tags=["X-AnyLabeling"])
CLASSES_TASK, PROMPT_TASK = "classes", "text_prompt"
SHARED_WIDGETS = (
    "input_conf",
    "edit_conf",
    "mask_fineness_slider",
    "mask_fineness_value_label",
    "toggle_preserve_existing_annotations",
)
PROMPT_WIDGETS = ("edit_text", "button_send")
CLASSES_WIDGETS = ("button_run", "button_classes_filter")
WIDGET_VALUES = {"edit_conf": 0.25, "mask_fineness_slider": 10, "toggle_preserve_existing_annotations": False}
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
COORDINATE_DIGITS_OF_SHAPES = 2
MIN_CORNERS_OF_SHAPES = 3


class Parameters(BaseModel):
    """Settings of the tool; those without a meaning for this model are ignored."""

    model_config = ConfigDict(extra="ignore")

    conf_threshold: Share = 0.0
    epsilon_factor: Share = 0.001
    text_prompt: str = ""
    filter_classes: list[str] | None = None
    current_task: str | None = None
    marks: list[Any] = []


class AnyLabelingRequest(BaseModel):
    """Request of ``/v1/predict``."""

    model_config = ConfigDict(extra="ignore")

    model: str
    image: str
    params: Parameters = Parameters()


@router.get("/models", summary="Models for X-AnyLabeling")
async def models(state: State) -> dict[str, Any]:
    """Return the model, with the widgets that the tool shows for it."""
    classes = [] if state.model.classes is None else list(state.model.classes.names)
    tasks = [_task(PROMPT_TASK, "Class names", PROMPT_WIDGETS)]
    if classes:
        tasks.insert(0, _task(CLASSES_TASK, "Classes of the server", CLASSES_WIDGETS))
    widgets = (*(CLASSES_WIDGETS if classes else ()), *PROMPT_WIDGETS, *SHARED_WIDGETS)
    description = {
        "display_name": f"FrozenSeg ({state.model.name})",
        "widgets": [{"name": name, "value": WIDGET_VALUES.get(name)} for name in widgets],
        "classes": classes,
        "batch_processing_mode": tasks[0]["batch_processing_mode"],
        "available_tasks": tasks,
    }
    return {"data": {state.model.name: description}}


@router.post("/predict", summary="Shapes for X-AnyLabeling")
async def predict_shapes(fields: AnyLabelingRequest, state: State) -> dict[str, Any]:
    """Return polygons, the largest first; the parts of a segment share a `group_id`."""
    if fields.model != state.model.name:
        raise RequestRefusedError(
            HTTPStatus.NOT_FOUND, f"The model {fields.model[:60]!r} is not served, expected {state.model.name!r}."
        )
    if fields.params.marks:
        raise RequestRefusedError(
            HTTPStatus.BAD_REQUEST, "The request has marks, which this model does not take: remove them."
        )
    image = await run_in_threadpool(lambda: state.load(decode_base64(fields.image)))
    vocabulary = await run_in_threadpool(lambda: state.classes(prompted_classes(fields.params)))
    result = await state.worker.segment(SegmentationCall(image, vocabulary, outputs=("panoptic",)))
    shapes = await run_in_threadpool(partial(_shapes, result, fields.params))
    return {"data": {"shapes": shapes, "description": ""}}


def prompted_classes(parameters: Parameters) -> ClassNamesLike | None:
    """Return the class names of a prompt; None for those of the server.

    With a semicolon a prompt has the syntax of this project, ``"cat,kitten; stuff: grass"``; otherwise commas or full
    stops separate classes, as for the other models of the tool: ``"cat, dog"``, ``"cat. dog"``.
    """
    prompt = parameters.text_prompt.strip()
    if not prompt or parameters.current_task == CLASSES_TASK:
        return None
    if ";" in prompt:
        return prompt
    names = [name.strip() for name in re.split("," if "," in prompt else r"\.", prompt)]
    distinct = list(dict.fromkeys(name for name in names if name))
    return distinct[0] if len(distinct) == 1 else [*distinct]


def _task(name: str, title: str, widgets: tuple[str, ...]) -> dict[str, Any]:
    mode = "text_prompt" if name == PROMPT_TASK else "default"
    active: dict[str, Any] = {widget: {} for widget in (*widgets, *SHARED_WIDGETS)}
    if name == PROMPT_TASK:
        active["edit_text"] = {"placeholder": "cat,kitten; dog; stuff: grass"}
    return {"id": name, "name": title, "batch_processing_mode": mode, "active_widgets": active}


def _shapes(result: Result, parameters: Parameters) -> list[dict[str, Any]]:
    allowed = set(parameters.filter_classes or result.vocabulary.names)
    return [
        {
            "label": segment.name,
            "shape_type": "polygon",
            "points": ring.round(COORDINATE_DIGITS_OF_SHAPES).tolist(),
            "score": round(segment.score, SCORE_DIGITS),
            "group_id": segment.id,
            "description": "",
            "attributes": {},
            "difficult": False,
            "flags": {},
        }
        for segment, mask in result.keep(parameters.conf_threshold).each_mask("panoptic", largest_first=True)
        if segment.name in allowed
        for ring in _polygons(mask, parameters.epsilon_factor)
    ]


def _polygons(mask: np.ndarray, epsilon_factor: float) -> list[np.ndarray]:
    """Return the polygons of a mask, simplified by a share of the length of its longest outline."""
    require_time = anyio.from_thread.check_cancelled
    exact = mask_polygons(mask, require_time=require_time)
    perimeters = [float(np.abs(np.diff(ring, axis=0, append=ring[:1])).sum()) for ring in exact]
    rings = mask_polygons(mask, epsilon_factor * max(perimeters, default=0.0), require_time)
    return [ring for ring in rings if len(ring) >= MIN_CORNERS_OF_SHAPES]
