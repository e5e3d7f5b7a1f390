"""The server by what a browser, a stranger and a broken client may ask of it: every request has one answer."""

import base64
import contextlib
import json
import time
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from jaxnn.playground import server
from jaxnn.playground.config import FIELDS
from jaxnn.playground.requests import REQUESTS
from jaxnn.playground.server import HEADERS, PAGE, application
from tests.playground.reader import unpacked

HOST = "127.0.0.1:8000"
SOCKET = f"ws://{HOST}/socket"
FRAME = {"do": "frame", "epochs": 1, "node": 0}


@pytest.fixture(scope="module")
def client():
    with TestClient(application("127.0.0.1"), base_url=f"http://{HOST}") as client:
        yield client
        client.app.state.pool.shutdown()  # waits for what it is compiling


@pytest.fixture
def socket(client):
    with client.websocket_connect(SOCKET) as socket:
        yield socket


def received(socket):
    """Return the next answer: bytes, or what the JSON says."""
    message = socket.receive()
    if message.get("bytes") is not None:
        return message["bytes"]
    return json.loads(message["text"].encode())  # as it goes over the wire


def ask(socket, request):
    socket.send_text(request if isinstance(request, str) else json.dumps(request))
    return received(socket)


def assert_one_answer(socket, text):
    """Send a text, and another request right after it, whose answer is the second one to come."""
    mark = {"do": "edit", "layer": 0, "node": 0, "source": None, "value": 0.5}
    socket.send_text(text)
    socket.send_text(json.dumps(mark))
    answer = received(socket)
    assert received(socket) == {"edited": [0, 0, None, 0.5]}
    if isinstance(answer, bytes):
        assert unpacked(answer)["sizes"]
    else:
        assert set(answer) & {"error", "setup", "edited", "export", "kept"}
        assert "failed in the server" not in answer.get("error", "")
    return answer


@pytest.mark.parametrize("name", ["", *sorted(path.name for path in PAGE.iterdir())])
def test_the_page_and_its_parts_come_with_headers_that_shut_others_out(client, name):
    response = client.get(f"/{name}")
    assert response.status_code == 200 and response.content == (PAGE / (name or "index.html")).read_bytes()
    assert {key: response.headers.get(key) for key in HEADERS} == HEADERS
    policy = HEADERS["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy


def test_what_the_page_has_to_know(client):
    response = client.get("/about.json")
    assert response.headers["content-type"] == "application/json" and response.headers["x-content-type-options"]
    about = response.json()
    assert set(about["thumbnails"]) > {"circle", "reg-gauss", "lecture-flower"}
    assert (about["hidden"], about["nodes"], about["networks"], about["epochs"]) == (10, 16, 16, 64)
    assert {"sgd", "rmsprop", "rprop+", "adam"} < set(about["optimizers"]) and "softplus" in about["activations"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "10.0.0.1:8000", ""])
def test_another_host_is_refused(client, host):
    assert client.get("/", headers={"host": host}).status_code == 400
    with pytest.raises(Exception) as refused, client.websocket_connect(SOCKET, headers={"host": host}):
        pass
    assert refused.value.status_code == 400


STRANGE = ["http://evil.example", "null", "", "https://127.0.0.1:8000", "http://127.0.0.1:9000", "http://127.0.0.1"]
STRANGE += ["http://127.0.0.1:8000.evil.example", "http://evil.example/127.0.0.1:8000", "http://localhost:8000"]
STRANGE += ["http://user@127.0.0.1:8000", "http://[", "127.0.0.1:8000", "http://127.0.0.1:8000/"]


@pytest.mark.parametrize("origin", STRANGE)
def test_a_socket_of_another_page_is_refused(client, origin):
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(SOCKET, headers={"origin": origin}):
        pass
    assert refused.value.code == 1008 and client.app.state.tabs == 0


@pytest.mark.parametrize("host", [HOST, "localhost:8000"])
@pytest.mark.parametrize("origin", [True, False])
def test_a_socket_of_our_page_or_of_no_page_is_accepted(client, host, origin):
    headers = {"origin": f"http://{host}"} if origin else {}
    with client.websocket_connect(f"ws://{host}/socket", headers=headers) as socket:
        assert ask(socket, {"do": "reset"})["reset"]


OUTSIDE = ["/../server.py", "/%2e%2e/server.py", "/..%2fserver.py", "/%2e%2e%2fserver.py", "/..%5cserver.py"]
OUTSIDE += ["/page/../../server.py", "/%2e%2e/%2e%2e/%2e%2e/pyproject.toml", "//etc/passwd", "/%2fetc/passwd"]
OUTSIDE += ["/%00", "/a" * 999, "/" + "a" * 300, "/server.py", "/page/index.html", "/socket", "/main.js/main.js"]


def test_nothing_but_the_page_is_served(client):
    assert not [path[:40] for path in OUTSIDE if client.get(path).status_code not in (400, 404)]


def test_the_page_is_only_read(client):
    assert {client.request(method, "/").status_code for method in ("POST", "PUT", "DELETE")} == {405}


def test_a_tab_from_its_link_to_its_export(socket):
    setup = ask(socket, {"do": "open", "link": "#seed=0.5&dataset=xor&noise=-1"})
    assert setup["setup"]["dataset"] == "xor" and len(setup["points"]["train"]) == 250
    assert setup["messages"] == ["noise: got '-1', expected a number from 0 to 80; 0 is used"]
    assert not ask(socket, {"do": "set", "name": "learningRate", "value": "0.1"})["reset"]
    assert ask(socket, {"do": "set", "name": "networkShape", "value": "3"})["setup"]["networkShape"] == [3]
    edited = ask(socket, {"do": "edit", "layer": 0, "node": 2, "source": 1, "value": 1})
    assert edited == {"edited": [0, 2, 1, 1.0]}
    frame = unpacked(ask(socket, FRAME | {"layer": 1, "node": 2, "chain": [0, 2, 1, 0]}))
    assert (frame["epoch"], frame["map"], frame["chain"]["weight"]) == (1, [1, 2], "w1.3.2")
    assert json.loads(ask(socket, {"do": "export", "form": "json"})["export"])["config"]["epochs"] == 1
    assert ask(socket, {"do": "export", "form": "python"})["name"] == "playground.py"
    assert ask(socket, {"do": "reset"})["hash"].startswith("#activation=tanh&")
    assert unpacked(ask(socket, FRAME | {"epochs": 0}))["epoch"] == 0
    kept = ask(socket, {"do": "keep"})["kept"]
    assert ask(socket, {"do": "resume", "link": "#seed=0.5&networkShape=3", "kept": kept})["setup"]["seed"] == "0.5"
    assert ask(socket, {"do": "restart"})["setup"]["start"]
    assert ask(socket, {"do": "regenerate"})["setup"]["seed"] != "0.5"
    assert ask(socket, {"do": "own", "text": "1,1,1\n2,2,-1"})["own"] == 2
    assert ask(socket, {"do": "draw", "points": [[1, 0.5, -1]]})["own"] == 3
    assert ask(socket, {"do": "shuffle"})["own"] == 3
    assert ask(socket, {"do": "clear"})["own"] == 0


def test_two_tabs_do_not_meet(client):
    with client.websocket_connect(SOCKET) as one, client.websocket_connect(SOCKET) as other:
        for socket in (one, other):
            ask(socket, {"do": "open", "link": "#seed=0.5"})
        ask(one, {"do": "set", "name": "learningRate", "value": "3"})
        first, second = unpacked(ask(one, FRAME)), unpacked(ask(other, FRAME))
        assert first["now"] != second["now"] and first["epoch"] == second["epoch"] == 1


@pytest.mark.parametrize("text", ["open", '{"do": "__init__"}', '{"do": "frame", "epochs": 65}', "[" * 200_000])
def test_a_wrong_request_is_told_so_and_the_tab_goes_on(socket, text):
    assert list(assert_one_answer(socket, text)) == ["error"]
    assert unpacked(ask(socket, FRAME))["epoch"] == 1


def test_bytes_are_no_request(socket):
    socket.send_bytes(b"{}")
    assert received(socket) == {"error": "request: got bytes, expected text"}
    assert unpacked(ask(socket, FRAME))["epoch"] == 1


@pytest.mark.parametrize("text", ["0,0,\ud800\n1,1,b", "\ud800", "0,0,\u0000\n1,1,b", "0;0;<b>\n1;1;\u2028"])
def test_a_text_that_is_no_text_is_answered_in_json_all_the_same(socket, text):
    assert_one_answer(socket, json.dumps({"do": "own", "text": text}))
    assert_one_answer(socket, json.dumps({"do": "open", "link": f"#seed={text}&networkShape={text}"}))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
    max_leaves=20,
)
NUMBERS = st.integers(-2, 20) | st.sampled_from([10**15, 10**16, -(10**400), 1e308, -1e-308, 0.5])
VALUES = {
    "link": st.text() | st.lists(st.sampled_from([f"{name}=1" for name in FIELDS])).map("&".join),
    "name": st.sampled_from(list(FIELDS)) | st.text(max_size=9),
    "value": st.sampled_from(["own", "adam", "L1", "true", "", "2,2", "1,1,1", "1,2,3"]) | NUMBERS.map(str) | ANYTHING,
    "text": st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS).map(lambda row: ",".join(map(str, row)))).map("\n".join),
    "source": st.none() | NUMBERS,
    "layer": st.none() | NUMBERS,
    "points": st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), max_size=3) | ANYTHING,
    "kept": st.text() | st.binary().map(lambda raw: base64.b64encode(zlib.compress(raw)).decode()),
    "chain": st.none() | st.lists(st.integers(-1, 3), min_size=4, max_size=4) | ANYTHING,
    "form": st.sampled_from(["python", "json"]) | st.text(max_size=9),
}


@st.composite
def requests(draw):
    """Draw a request by its name; each of its arguments is of its kind, anything, or not there."""
    name = draw(st.sampled_from(list(REQUESTS)))
    request = {"do": name}
    for argument in REQUESTS[name]:
        chosen = draw(st.integers(0, 9))
        if chosen:
            request[argument] = draw(ANYTHING if chosen == 1 else VALUES.get(argument, NUMBERS))
    return json.dumps(request)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(requests() | ANYTHING.map(json.dumps) | st.text(), min_size=1, max_size=12))
def test_whatever_a_tab_sends_has_one_answer_each_and_it_goes_on(socket, texts):
    for text in texts:
        assert_one_answer(socket, text)
    assert ask(socket, {"do": "open", "link": "#seed=0.5"})["messages"] == []
    assert unpacked(ask(socket, FRAME))["epoch"] == 1


def test_a_mistake_of_ours_is_told_and_the_tab_goes_on(socket, monkeypatch, caplog):
    monkeypatch.delattr(server.Session, "clear")
    assert ask(socket, {"do": "clear"})["error"].startswith("this request failed in the server, whose log says why")
    assert "AttributeError" in caplog.text
    assert unpacked(ask(socket, FRAME))["epoch"] == 1


def assert_tabs(client, count):
    """Wait until the server has seen the sockets close."""
    for _ in range(500):
        if client.app.state.tabs == count:
            return
        time.sleep(0.01)
    assert client.app.state.tabs == count


def test_no_more_tabs_than_there_is_room_for(client, monkeypatch):
    monkeypatch.setattr(server, "TABS", 3)
    assert_tabs(client, 0)
    with contextlib.ExitStack() as stack:
        tabs = [stack.enter_context(client.websocket_connect(SOCKET)) for _ in range(3)]
        assert all(unpacked(ask(tab, FRAME))["epoch"] == 1 for tab in tabs)
        late = stack.enter_context(client.websocket_connect(SOCKET))
        assert received(late) == {"error": "3 tabs are open already: close one, then reload this page"}
        with pytest.raises(WebSocketDisconnect) as closed:
            late.receive_text()
        assert closed.value.code == 1013
        tabs[0].close()
        assert_tabs(client, 2)
        assert unpacked(ask(stack.enter_context(client.websocket_connect(SOCKET)), FRAME))["epoch"] == 1
    assert_tabs(client, 0)
