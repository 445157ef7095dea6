"""The application: health, the page, and answers of one sentence."""

from fastapi.testclient import TestClient


def test_the_server_is_healthy_while_the_model_takes_requests(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert {"status": "ok", "model": "toyworld", "waiting": 0}.items() <= answer.json().items()


def test_the_page_is_served(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


def test_unknown_addresses_are_answered_with_one_sentence(client: TestClient) -> None:
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.json()["error"]) == (404, "GET /nowhere: Not Found.")
