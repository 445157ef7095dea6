"""The API of this project: ``POST /v1/segment``."""

import time
from functools import partial
from typing import Any

import anyio.from_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from PIL import Image
from starlette.concurrency import run_in_threadpool

from frozenseg.inference.requested_outputs import output_kinds_of
from frozenseg.inference.result import Result
from frozenseg.serving.model_worker import SegmentationCall
from frozenseg.serving.segment_answer import MaskForm, segment_answer
from frozenseg.serving.segment_request import SegmentOptions, read_segment_request, request_body
from frozenseg.serving.state import ServerState, State

router = APIRouter(prefix="/v1", tags=["segment"])


@router.post("/segment", summary="Segment an image by class names", openapi_extra=request_body())
async def segment(request: Request, state: State) -> JSONResponse:
    """Return the segments of an image, with their masks in the requested formats.

    `segmentation` is COCO's compressed run lengths; `polygons` are lists `[x0, y0, x1, y1, …]` along the edges of the
    pixels. The `png` of the panoptic output has segment ids as colours (R + 256 G + 65536 B), that of the semantic
    output class ids with 16 bits and 65535 for none; each instance has a PNG of its mask.
    """
    fields = await read_segment_request(request)
    image = await run_in_threadpool(state.load, fields.content, fields.url)
    start = time.perf_counter()
    result = await segmented(state, image, fields.options)
    seconds = time.perf_counter() - start
    form = MaskForm(tuple(fields.options.formats), fields.options.tolerance, anyio.from_thread.check_cancelled)
    answer: dict[str, Any] = await run_in_threadpool(partial(segment_answer, result, form))
    return JSONResponse({"model": state.model.name, "seconds": round(seconds, 4), **answer})


async def segmented(state: ServerState, image: Image.Image, options: SegmentOptions) -> Result:
    """Return the result of an image without segments below the score and the area of the options."""
    vocabulary = await run_in_threadpool(state.classes, options.vocabulary, options.stuff)
    call = SegmentationCall(image, vocabulary, options.sam_masks, output_kinds_of(options.outputs))
    result = await state.worker.segment(call)
    return await run_in_threadpool(result.keep, options.min_score, options.min_area)
