"""Answers to requests that fail: a status and one sentence, without a stack trace."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from frozenseg.errors import FrozenSegError
from frozenseg.serving.refusals import RequestRefusedError

LONGEST_MESSAGE = 500  # characters


class ErrorAnswer(BaseModel):
    """Answer to a request that fails, for the description of the API."""

    error: str = Field(description="One sentence: the received value, the expected one, and the remedy.")


REFUSAL: dict[str, Any] = {"model": ErrorAnswer, "description": "Refused, with one sentence"}


def add_error_answers(application: FastAPI) -> None:
    """Register the handlers of all errors that a client can correct."""
    application.add_exception_handler(FrozenSegError, _refused)
    application.add_exception_handler(HTTPException, _http_error)
    application.add_exception_handler(RequestValidationError, _invalid)


def error_answer(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an answer with one sentence."""
    sentence = " ".join(message.split())
    if len(sentence) > LONGEST_MESSAGE:
        sentence = f"{sentence[:LONGEST_MESSAGE]}…"
    return JSONResponse({"error": sentence}, status, headers)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    del request
    if isinstance(error, RequestRefusedError):
        return error_answer(error.status, str(error), error.headers)
    return error_answer(HTTPStatus.BAD_REQUEST, str(error))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 (registered for it)
    is_standard = error.detail == HTTPStatus(error.status_code).phrase  # such as Not Found
    message = f"{request.method} {request.url.path[:100]}: {error.detail}." if is_standard else str(error.detail)
    return error_answer(error.status_code, message, dict(error.headers or {}))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    del request
    assert isinstance(error, RequestValidationError)  # noqa: S101 (registered for it)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return error_answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field[:100]}: {first['msg']}.")
