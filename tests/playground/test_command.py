"""`jaxnn play`, run as users run it."""

import contextlib
import importlib.util
import json
import queue
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from jaxnn.cli import main
from jaxnn.playground import command
from jaxnn.playground.server import MESSAGE, PAGE
from tests.playground.reader import unpacked


@contextlib.contextmanager
def started():
    """Give a playground's process and the port that it says it is at; it hears Ctrl-C, whatever the shell ignores."""
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # what is ignored here is ignored by the child too
    arguments = [sys.executable, "-m", "jaxnn", "play", "--no-browser", "--port", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            found = re.fullmatch(r"The playground is at http://127\.0\.0\.1:(\d+)/ \(Ctrl-C stops it\)\n", line)
            yield process, int(found[1])
        finally:
            process.kill()
            signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_it_serves_this_machine_alone_until_ctrl_c():
    with started() as (process, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as page:
            assert page.read() == (PAGE / "index.html").read_bytes()
        with pytest.raises(OSError):  # what listens everywhere would answer here too
            socket.create_connection(("127.0.0.2", port), timeout=10)
        stranger = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(stranger)
        address = f"ws://127.0.0.1:{port}/socket"
        with pytest.raises(InvalidStatus, match="403"):
            connect(address, origin="http://evil.example")
        with connect(address, origin=f"http://127.0.0.1:{port}") as tab:
            tab.send('{"do": "frame", "epochs": 1, "node": 0}')
            assert unpacked(tab.recv(timeout=60))["epoch"] == 1
            tab.send('{"do": "own", "text": "0,0,\\ud800\\n1,1,b"}')
            assert json.loads(tab.recv(timeout=60))["own"] == 2
            tab.send(" " * (MESSAGE + 1))
            with pytest.raises(ConnectionClosed) as closed:
                tab.recv(timeout=60)
            assert closed.value.rcvd.code == 1009  # too big
        with connect(address) as tab:
            tab.send('{"do": "reset"}')
            assert json.loads(tab.recv(timeout=60))["reset"]
            process.send_signal(signal.SIGINT)  # with a tab that is open
            assert process.communicate(timeout=60) == ("stopped\n", "")
        assert process.returncode == 0


@pytest.mark.slow
def test_ctrl_c_does_not_wait_for_what_is_being_compiled():
    with started() as (process, port):
        while True:
            try:
                tab = connect(f"ws://127.0.0.1:{port}/socket")
                break
            except OSError:
                time.sleep(0.05)
        with tab:
            tab.send('{"do": "frame", "epochs": 1}')  # which cannot be answered before the program is compiled
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60) == ("stopped\n", "")
        assert process.returncode == 0


def test_a_port_that_is_taken_is_refused(capsys):
    with command.listen(0) as taken:
        port = taken.getsockname()[1]
        assert main(["play", "--no-browser", "--port", str(port)]) == 2
    assert capsys.readouterr() == ("", f"--port: got {port}, expected a port that is free (Address already in use)\n")


def test_without_a_port_asked_for_another_is_found_where_ours_is_taken(monkeypatch):
    with command.listen(0) as taken:
        monkeypatch.setattr(command, "PORT", taken.getsockname()[1])
        with command.listen(None) as other:
            assert other.getsockname()[0] == "127.0.0.1" and other.getsockname()[1] != command.PORT


@pytest.mark.parametrize("port", ["-1", "65536", "web", "", "80.5"])
def test_what_is_no_port_is_refused(port, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["play", "--port", port])
    assert stopped.value.code == 2 and "--port" in capsys.readouterr().err


def test_a_package_that_is_missing_is_named_and_how_to_get_it(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name))
    assert main(["play"]) == 2
    assert capsys.readouterr() == ("", "jaxnn play needs uvicorn: pip install 'jaxnn[play]'\n")


def test_ctrl_c_ends_it_in_peace(monkeypatch, capsys):
    def interrupted(listening):
        listening.close()
        raise KeyboardInterrupt

    monkeypatch.setenv("JAX_PLATFORMS", "cpu")  # leaves JAX's platforms to this process
    monkeypatch.setattr("jaxnn.playground.server.serve", interrupted)
    assert main(["play", "--no-browser", "--port", "0"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["stopped"]


def test_the_browser_is_opened_at_the_address(monkeypatch, capsys):
    opened = queue.Queue()
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")  # leaves JAX's platforms to this process
    monkeypatch.setattr("webbrowser.open", opened.put)
    monkeypatch.setattr("jaxnn.playground.server.serve", lambda listening: listening.close())
    assert main(["play", "--port", "0"]) == 0
    assert f"The playground is at {opened.get(timeout=30)} (" in capsys.readouterr().out
