"""Access: tokens, host names, pages of other sites, and the headers of every answer."""

import base64
import re
import socket
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from frozenseg.serving.application import create_application
from frozenseg.serving.settings import ServerSettings
from frozenseg.serving.state import ServedModel

HOST = "http://127.0.0.1:8000"


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anyone:{password}".encode()).decode()


@pytest.fixture(scope="module")
def guarded(model: ServedModel) -> Iterator[TestClient]:
    with TestClient(create_application(model, ServerSettings(token="secret-token")), HOST) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer secret-token"}, 200),
        ({"Authorization": "bearer  secret-token "}, 200),
        ({"Authorization": "Token secret-token"}, 200),  # Label Studio's scheme
        ({"Token": "secret-token"}, 200),  # X-AnyLabeling's header
        ({"Authorization": basic("secret-token")}, 200),  # browsers
        ({"Authorization": basic("secret-toke")}, 401),
        ({"Authorization": "Basic ???"}, 401),
        ({"Authorization": "Bearer secret-tokeN"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "secret-token"}, 401),
        ({"Token": ""}, 401),
        ({"Cookie": "token=secret-token"}, 401),
    ],
)
def test_the_token_opens_the_server(guarded: TestClient, headers: dict[str, str], status: int) -> None:
    answer = guarded.get("/v1/models", headers=headers)
    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_only_health_needs_no_token(guarded: TestClient) -> None:
    addresses = ["/", "/docs", "/docs/files/swagger-ui.css", "/openapi.json", "/metrics", "/nowhere", "/index.html"]
    assert {guarded.get(address).status_code for address in addresses} == {401}
    assert guarded.post("/v1/segment").status_code == guarded.post("/predict").status_code == 401
    assert guarded.get("/healthz").status_code == guarded.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:9"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "127.0.0.1."}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "localhost@evil.example"}, 421),
        ({"Host": "[::1"}, 421),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({"Origin": "http://127.0.0.1:9000"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
    ],
)
def test_other_hosts_and_pages_are_refused(client: TestClient, headers: dict[str, str], status: int) -> None:
    assert client.get("/v1/models", headers=headers).status_code == status


def test_pages_of_other_sites_cannot_post_by_navigation(client: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.post("/v1/segment", headers=headers).status_code == 403
    answer = client.options("/v1/segment", headers={"Origin": HOST, "Access-Control-Request-Method": "POST"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        (ServerSettings(host="0.0.0.0"), "192.168.0.7:8000", 200),
        (ServerSettings(host="0.0.0.0"), "[fe80::1]:8000", 200),
        (ServerSettings(host="0.0.0.0"), socket.gethostname(), 200),
        (ServerSettings(host="0.0.0.0"), "rebound.example", 421),
        (ServerSettings(host="0.0.0.0", token="secret-token"), "any.example", 401),
        (ServerSettings(host="0.0.0.0", allowed_hosts=("masks.example",)), "masks.example", 200),
        (ServerSettings(host="0.0.0.0", allowed_hosts=("masks.example",)), "192.168.0.7", 421),
        (ServerSettings(allowed_hosts=("masks.example",)), "masks.example:80", 200),
        (ServerSettings(allowed_hosts=("masks.example",)), "other.example", 421),
    ],
)
def test_names_under_which_a_server_is_called(
    model: ServedModel, settings: ServerSettings, host: str, status: int
) -> None:
    client = TestClient(create_application(model, settings), HOST)
    assert client.get("/docs", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("address", ["/", "/healthz", "/nowhere", "/v1/models", "/docs"])
def test_every_answer_has_the_security_headers(client: TestClient, address: str) -> None:
    headers = client.get(address, headers={"X-Request-ID": "forged\nline"}).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert re.fullmatch("[0-9a-f]{12}", headers["x-request-id"])
    assert "server" not in headers


def test_the_description_of_the_api_is_offline(client: TestClient) -> None:
    page = client.get("/docs")
    assert re.findall(r"(?:src|href)=\"(?!/docs/files/)[^\"]*\"", page.text) == []
    for address in re.findall(r"(?:src|href)=\"([^\"]*)\"", page.text):
        assert client.get(address).status_code == 200, address
    assert page.headers["content-security-policy"].count("'sha256-") == page.text.count("<script>") == 1
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/v1/segment", "/v1/predict", "/predict", "/healthz", "/metrics"} <= paths.keys()
    assert "HTTPValidationError" not in client.get("/openapi.json").text
    content = paths["/v1/segment"]["post"]["requestBody"]["content"]
    assert {"words", "stuff", "outputs", "formats", "image"} <= content["multipart/form-data"]["schema"][
        "properties"
    ].keys()
