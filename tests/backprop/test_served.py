"""The page's files and its questions as the server gives them, to a browser and to strangers."""

import json

import pytest
from starlette.testclient import TestClient

from jaxnn.backprop.levels.table import LEVELS
from jaxnn.playground.server import HEADERS, LESSON, LESSON_PAGE, application

HOST = "127.0.0.1:8000"


@pytest.fixture(scope="module")
def client():
    with TestClient(application("127.0.0.1"), base_url=f"http://{HOST}") as client:
        yield client
        client.app.state.pool.shutdown()


def ask(client, content, **headers):
    return client.post(
        "/backprop/ask", content=content if isinstance(content, bytes) else json.dumps(content), headers=headers
    )


@pytest.mark.parametrize("name", ["", *sorted(path.name for path in LESSON_PAGE.iterdir())])
def test_the_page_and_its_parts_come_with_headers_that_shut_others_out(client, name):
    response = client.get(f"/backprop/{name}")
    assert response.status_code == 200 and response.content == (LESSON_PAGE / (name or "index.html")).read_bytes()
    assert {key: response.headers.get(key) for key in HEADERS} == HEADERS


def test_the_address_without_a_slash_leads_to_the_page(client):
    assert client.get("/backprop", follow_redirects=False).headers["location"] == "/backprop/"
    assert "backward pass" in client.get("/backprop").text


def test_a_question_is_answered(client):
    level = LEVELS["linear"]
    response = ask(client, {"do": "judge", "level": "linear", "text": level.solution}, origin=f"http://{HOST}")
    assert response.headers["content-type"] == "application/json" and response.json()["solved"]


def test_another_page_may_not_ask(client):
    question = {"do": "levels"}
    for origin in ("http://example.org", "null", "http://127.0.0.1:8001"):
        assert ask(client, question, origin=origin).status_code == 403
    assert ask(client, question, host="example.org").status_code == 400
    assert client.get("/backprop/ask").status_code == 404


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[]", "an object with 'do'"),
        (b'{"do": "answer"}', "one of levels"),
        (b'{"do": "level", "name": "\\ud800"}', "expected one of chain"),
        (b"[" * 20_000, "request"),
    ],
)
def test_what_is_no_question_is_told(client, content, says):
    assert says in ask(client, content).json()["error"]


def test_a_question_has_a_longest(client):
    assert ask(client, b" " * (LESSON + 1)).status_code == 413
