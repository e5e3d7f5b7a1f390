"""The playground under many tabs, rude ones and dead ones: it goes on answering, and nothing of them is left in it."""

import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from jaxnn.playground.server import MESSAGE
from tests.playground.browser import ARGUMENTS, BROWSERS, Play, until
from tests.playground.reader import unpacked

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="what a process holds is read in /proc"),
]
FRAME = {"do": "frame", "epochs": 1, "node": 0}
GARBAGE = [
    *("", "{", "null", "[]", "7", '"frame"', "[" * 100_000, '{"do": 1}', '{"do": "__init__"}', '{"do": "frame"}'),
    *('{"do": "frame", "epochs": 1e9, "node": 0}', '{"do": "frame", "epochs": 1, "node": -1}', "\x00\ud7ff\U0010ffff"),
    *('{"do": "set", "name": "networkShape", "value": [99999]}', '{"do": "open", "link": "#' + "a" * 200_000 + '"}'),
    *('{"do": "edit", "layer": 0, "node": 0, "source": 0, "value": NaN}', '{"do": "own", "text": "a,b"}', b"\xff\x00"),
]
LEAK = 48  # MiB: what the memory may grow by over 90 tabs, after it has warmed up; each has about 1.2 while it is there


@pytest.fixture(scope="module")
def server(playground):
    with tab(playground) as first:  # everything is compiled
        ask(first, FRAME | {"chain": [0, 0, 0, 0]})
        ask(first, {"do": "set", "name": "networks", "value": 2})
        ask(first, FRAME)
    return playground


def tab(server):
    return connect(f"ws://127.0.0.1:{server.port}/socket", max_size=None)


def ask(tab, request):
    tab.send(request if isinstance(request, str | bytes) else json.dumps(request))
    return tab.recv()


def rude(server, message, *, reset):
    """Send a request, then drop the connection: nobody says goodbye, or even hears the answer."""
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(
            f"GET /socket HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 101")
        raw.sendall(struct.pack(">BBHI", 0x81, 0xFE, len(message), 0) + message)
        if reset:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def held(server):
    """Return the number of the server's threads, and that of its open files and sockets."""
    return [len(list(Path(f"/proc/{server.pid}/{what}").iterdir())) for what in ("task", "fd")]


def no_more_than(server, before):
    return all(now <= then for now, then in zip(held(server), before, strict=True))


def memory(server):
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def is_idle(server):
    """Whether a second goes by in which the server computes next to nothing."""

    def ticks():
        fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(1)
    return ticks() - before < 0.1 * os.sysconf("SC_CLK_TCK")


def test_twenty_tabs_train_as_if_alone(server):
    links = [f"#seed=0.{1 + i % 10}&networkShape={1 + i % 5},{1 + i % 3}&dataset=xor" for i in range(20)]
    with contextlib.ExitStack() as stack:
        tabs = [stack.enter_context(tab(server)) for _ in links]
        for one, link in zip(tabs, links, strict=True):
            one.send(json.dumps({"do": "open", "link": link}))
        for _ in range(6):
            for one in tabs:
                one.send(json.dumps(FRAME))
        answers = [[one.recv() for _ in range(7)] for one in tabs]
    assert [json.loads(first)["setup"]["seed"] for first, *_ in answers] == [f"0.{1 + i % 10}" for i in range(20)]
    assert all([unpacked(frame)["epoch"] for frame in frames] == [1, 2, 3, 4, 5, 6] for _, *frames in answers)
    assert len({frames[-1] for _, *frames in answers}) == 20
    for i in (0, 7, 19):
        with tab(server) as alone:
            ask(alone, {"do": "open", "link": links[i]})
            assert [ask(alone, FRAME) for _ in range(6)] == answers[i][1:]


def test_nothing_is_left_of_tabs_that_come_and_go(server):
    def visit(i):
        with tab(server) as polite:
            ask(polite, {"do": "open", "link": f"#seed={i}&networkShape=8,8,8"})
            assert unpacked(ask(polite, FRAME))["epoch"] == 1
        rude(server, json.dumps({"do": "open", "link": "#networkShape=16,16,16"}).encode(), reset=i % 2 == 0)
        rude(server, json.dumps(FRAME | {"epochs": 64}).encode(), reset=i % 2 == 1)

    for i in range(8):
        visit(i)
    with tab(server) as last:
        ask(last, FRAME)
    until(lambda: is_idle(server))
    before, start = held(server), memory(server)
    for i in range(30):
        visit(i)
    until(lambda: no_more_than(server, before))
    assert memory(server) - start < LEAK
    with tab(server) as after:
        assert unpacked(ask(after, FRAME))["epoch"] == 1


def test_garbage_is_answered_and_changes_nothing(server):
    with tab(server) as one:
        ask(one, {"do": "open", "link": "#seed=0.1"})
        ask(one, FRAME)
        first, threads = ask(one, FRAME | {"epochs": 0}), held(server)[0]
        for text in GARBAGE:
            assert "error" in json.loads(ask(one, text))
        assert ask(one, FRAME | {"epochs": 0}) == first
        assert held(server)[0] <= threads


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 500,
        b"GET /" + b"a" * 100_000,
    ],
)
def test_what_is_not_even_http(server, sent):
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(4096):
            pass
    with tab(server) as after:
        assert unpacked(ask(after, FRAME))["epoch"] == 1


def test_a_message_that_is_too_long_closes_its_tab_alone(server):
    with tab(server) as one, tab(server) as other:
        with pytest.raises(ConnectionClosed):
            ask(one, "a" * (MESSAGE + 1))
        assert unpacked(ask(other, FRAME))["epoch"] == 1


def test_training_stops_with_the_tab_that_watches(server):
    before = held(server)
    with tab(server) as one:
        for _ in range(20):
            ask(one, FRAME | {"epochs": 64})
        one.send(json.dumps(FRAME | {"epochs": 64}))
    until(lambda: is_idle(server))
    until(lambda: no_more_than(server, before))


def test_a_browser_that_is_killed_while_it_trains(server, tmp_path):
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)} is on the PATH")
    before = held(server)
    command = [
        path,
        *ARGUMENTS,
        "--headless",
        "--remote-debugging-port=0",
        f"--user-data-dir={tmp_path}",
        "about:blank",
    ]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        port = tmp_path / "DevToolsActivePort"
        until(lambda: port.exists() and port.read_text().count("\n"))
        with api.sync_playwright() as playwright:
            page = (
                playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port.read_text().split()[0]}")
                .contexts[0]
                .pages[0]
            )
            p = Play(page, server.address).open("seed=0.1&networkShape=8,8,8")
            p.click("#play-pause-button")
            p.until(lambda: p.epoch > 5)
            assert held(server)[1] > before[1]
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
    finally:
        if browser.poll() is None:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
    until(lambda: held(server)[1] <= before[1])
    assert held(server)[0] <= before[0] + 6  # threads that served the page's files; a browser asks for 6 at a time
    until(lambda: is_idle(server))
    with tab(server) as after:
        assert unpacked(ask(after, FRAME))["epoch"] == 1
