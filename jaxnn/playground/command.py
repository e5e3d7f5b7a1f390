"""`jaxnn play`: serves the playground on this machine and says where."""

import argparse
import importlib.util
import os
import socket
import sys
import threading
import webbrowser
from typing import Any

import jax

HOST, PORT = "127.0.0.1", 8642
WRONG_USE = 2
THREADS = "playground"  # the names of the server's threads that train begin so


def add_to(commands: Any) -> None:
    """Add the command to the parser of `jaxnn`."""
    parser = commands.add_parser("play", help="a network to watch and touch, in the browser", description=__doc__)
    parser.add_argument("--port", type=int, help=f"the port (default: {PORT}, or if it is taken any that is free)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.set_defaults(run=run, parser=parser)


def run(asked: argparse.Namespace) -> int:
    """Serve until Ctrl-C; return the exit status."""
    if asked.port is not None and not 0 <= asked.port < 65536:
        asked.parser.error(f"--port: got {asked.port}, expected 0 to 65535 (0: any that is free)")
    missing = [name for name in ("starlette", "uvicorn", "websockets") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"jaxnn play needs {', '.join(missing)}: pip install 'jaxnn[play]'", file=sys.stderr)
        return WRONG_USE
    try:
        listening = listen(asked.port)
    except OSError as error:
        print(f"--port: got {asked.port}, expected a port that is free ({error.strerror})", file=sys.stderr)
        return WRONG_USE
    address = f"http://{HOST}:{listening.getsockname()[1]}/"
    if not os.environ.get("JAX_PLATFORMS"):
        jax.config.update("jax_platforms", "cpu")  # steps this small only wait for an accelerator
    try:
        # Late, because it needs the packages of the extra `play`, and this module is imported by every command.
        from jaxnn.playground.server import serve

        print(f"The playground is at {address} (Ctrl-C stops it)", flush=True)
        if not asked.no_browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        serve(listening)
    except KeyboardInterrupt:
        pass
    print("stopped", flush=True)
    if any(thread.name.startswith(THREADS) for thread in threading.enumerate()):
        os._exit(0)  # what is being compiled cannot be told to stop, and Python would wait for it
    return 0


def listen(port: int | None) -> socket.socket:
    """Return a socket that listens on this machine alone: on `port`, or on `PORT`, or if that is taken on any."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a playground just stopped leaves its port at once
    try:
        try:
            listening.bind((HOST, PORT if port is None else port))
        except OSError:
            if port is not None:
                raise
            listening.bind((HOST, 0))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening
