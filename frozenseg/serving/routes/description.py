"""Description of the API for people: Swagger UI at ``/docs``, with files that come along."""

import base64
import hashlib
import re
from importlib import resources

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from frozenseg.serving.access import CONTENT_POLICY

router = APIRouter(include_in_schema=False)
SWAGGER_FILES = "/docs/files"
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", flags=re.DOTALL)


def swagger_files() -> StaticFiles:
    """Return the application that serves Swagger UI's scripts and styles, from the package ``fastapi-offline``."""
    return StaticFiles(directory=str(resources.files("fastapi_offline") / "static"))


@router.get("/docs")
async def description_page() -> HTMLResponse:
    """Return the page; its policy allows its one inline script, by hash, and Swagger UI's inline styles."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="FrozenSeg: API",
        swagger_js_url=f"{SWAGGER_FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{SWAGGER_FILES}/swagger-ui.css",
        swagger_favicon_url=f"{SWAGGER_FILES}/favicon.png",
    )
    scripts = _INLINE_SCRIPT.findall(bytes(page.body).decode())
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    policy = CONTENT_POLICY.replace("script-src 'self'", f"script-src 'self' {allowed}")
    page.headers["Content-Security-Policy"] = policy.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
    return page
