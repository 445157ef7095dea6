"""Request of ``POST /v1/segment``: JSON with the image as base64, or a form with the image as a file."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile

from frozenseg.serving.class_names import ClassNamesLike
from frozenseg.serving.image_upload import decode_base64
from frozenseg.serving.refusals import RequestRefusedError

MAX_FIELDS = 40  # of a form
JSON, FORM = "application/json", "multipart/form-data"
MAX_TOLERANCE, MAX_AREA = 100.0, 10**9


def split_list(value: Any) -> Any:
    """Return the parts of ``"rle, png"``, as forms have lists; other values unchanged."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list):
        return value
    return [text for each in parts for text in (each.replace(",", " ").split() if isinstance(each, str) else [each])]


OutputName = Literal["panoptic", "instance", "semantic"]
MaskFormat = Literal["rle", "polygons", "png"]


class SegmentOptions(BaseModel):
    """Fields of a request besides the image."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    vocabulary: ClassNamesLike | None = Field(
        None,
        alias="words",
        description='Class names: "cat,kitten; dog", ["cat,kitten", "dog"], {"cat": ["kitten"]}, a benchmark such as '
        '"coco", or "auto". Without them, the classes that the server was started with.',
    )
    stuff: str | list[str] = Field("", description='Classes that are not countable: "sky; grass".')
    outputs: Annotated[list[OutputName], BeforeValidator(split_list), Field(min_length=1)] = ["panoptic"]
    formats: Annotated[list[MaskFormat], BeforeValidator(split_list)] = ["rle"]
    sam_masks: bool = Field(True, description="Let SAM proposals vote, if the server has them.")
    min_score: float = Field(0.0, ge=0, le=1, allow_inf_nan=False)
    min_area: int = Field(0, ge=0, le=MAX_AREA, description="Pixels.")
    tolerance: float = Field(
        0.0, ge=0, le=MAX_TOLERANCE, allow_inf_nan=False, description="Simplification of polygons, pixels; 0: exact."
    )


class SegmentJson(SegmentOptions):
    """Request in JSON."""

    image: str = Field("", description="The file as base64, with or without `data:image/…;base64,`.")
    url: str = Field("", max_length=2000, description="Address of the image; only if the server allows addresses.")


class SegmentForm(SegmentOptions):
    """Request as a form, for the description of the API."""

    image: bytes = Field(b"", description="The file.", json_schema_extra={"format": "binary"})


class SegmentInput(BaseModel):
    """A request that has been read.

    Attributes:
        content: of the image file; empty if there is an address.
        url: of the image.
        options: other fields.
    """

    content: bytes
    url: str
    options: SegmentOptions


def request_body() -> dict[str, Any]:
    """Return the description of the body for OpenAPI."""
    schemas = {JSON: SegmentJson.model_json_schema(), FORM: SegmentForm.model_json_schema()}
    return {
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": schema} for kind, schema in schemas.items()},
        }
    }


async def read_segment_request(request: Request) -> SegmentInput:
    """Read a request of either form.

    Raises:
        RequestRefusedError: another content type, no image, or no base64.
        RequestValidationError: a field is wrong.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == JSON:
            return _of_json(await request.body())
        if kind == FORM:
            return await _of_form(request)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False, include_url=False)) from error
    raise RequestRefusedError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The content type is {kind[:60]!r}, expected {JSON} or {FORM}."
    )


def _of_json(body: bytes) -> SegmentInput:
    fields = SegmentJson.model_validate_json(body)
    if bool(fields.image) == bool(fields.url):
        raise RequestRefusedError(HTTPStatus.BAD_REQUEST, "The request has no image: send `image` as base64.")
    content = decode_base64(fields.image) if fields.image else b""
    return SegmentInput(content=content, url=fields.url, options=fields)


async def _of_form(request: Request) -> SegmentInput:
    async with request.form(max_files=1, max_fields=MAX_FIELDS) as form:
        files = [value for value in form.getlist("image") if isinstance(value, UploadFile)]
        if len(files) != 1:
            raise RequestRefusedError(
                HTTPStatus.BAD_REQUEST, "The form has no file: send one in the field `image`, with a file name."
            )
        content = await files[0].read()
        values = {name: form.getlist(name) for name in form if name != "image"}
    fields = {name: each[0] if len(each) == 1 else each for name, each in values.items()}
    return SegmentInput(content=content, url="", options=SegmentOptions.model_validate(fields))
