"""The playground's server: the page, and for each tab a socket on which every request gets one answer.

Nothing runs unless a tab asks: a tab that plays asks for frame after frame. So training stops with the tab that
watches, and no thread or task outlives it.
"""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from jaxnn.errors import InvalidArgument, require
from jaxnn.playground import points
from jaxnn.playground.command import HOST
from jaxnn.playground.config import EPOCHS, HIDDEN, NETWORKS, NODES
from jaxnn.playground.optimizers import OPTIMIZERS
from jaxnn.playground.program import ACTIVATIONS
from jaxnn.playground.session import Session

PAGE = Path(__file__).with_name("page")
TABS = 64
MESSAGE = 1 << 18  # bytes
WORKERS = 2  # threads that train, for all tabs
# What a tab may ask for: the methods of its session, their arguments and the types of these.
REQUESTS: dict[str, dict[str, Any]] = {
    "open": {"link": str},
    "set": {"name": str, "value": str | int | float | bool | list},
    "reset": {},
    "regenerate": {},
    "own": {"text": str},
    "point": {"x": int | float, "y": int | float, "label": int | float},
    "clear": {},
    "edit": {"layer": int, "node": int, "source": int | NoneType, "value": int | float},
    "frame": {"epochs": int, "layer": int | NoneType, "node": int, "chain": list | NoneType},
    "export": {"form": str},
}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


def answer(session: Session, text: str) -> dict | bytes:
    """Return the answer to a request, `{"do": NAME, argument: value, ...}`; `{"error": ...}` where it is not one."""
    try:
        name, arguments = read(text)
        return getattr(session, name)(**arguments)
    except InvalidArgument as error:
        return {"error": str(error)}
    except RecursionError:
        return {"error": "request: nested too deeply"}
    except Exception:  # a mistake of ours: the tab is told, and goes on
        logging.getLogger(__name__).exception("a request failed")
        return {"error": "this request failed in the server, whose log says why; the playground goes on"}


def read(text: str) -> tuple[str, dict[str, Any]]:
    """Return the name of a request and its arguments, each of its type."""
    try:
        request = json.loads(text, parse_constant=_refuse, parse_int=_whole)
    except ValueError as error:
        raise InvalidArgument(f"request: got no JSON ({error}), expected an object with 'do'") from None
    require(isinstance(request, dict), "request", type(request).__name__, "an object with 'do'")
    name = request.pop("do", None)
    require(isinstance(name, str) and name in REQUESTS, "do", repr(name)[:80], f"one of {', '.join(REQUESTS)}")
    types = REQUESTS[name]
    strange = [argument for argument in request if argument not in types]
    require(not strange, name, f"the argument {strange[:1]!r:.80}", f"only {', '.join(types) or 'none'}")
    for argument, kind in types.items():
        if argument not in request and isinstance(None, kind):
            continue
        value = request.get(argument)
        ok = argument in request and type(value) in _kinds(kind)
        require(ok, f"{name}.{argument}", f"{value!r:.80}", _called(kind))
    chain = request.get("chain")
    ok = chain is None or (len(chain) == 4 and all(type(place) is int for place in chain))
    require(ok, "frame.chain", f"{chain!r:.80}", "[layer, node, source, point], four whole numbers")
    if name == "frame":
        require(0 <= request["epochs"] <= EPOCHS, "frame.epochs", repr(request["epochs"])[:80], f"0 to {EPOCHS}")
    return name, request


def _refuse(constant: str):
    raise ValueError(f"{constant} is not JSON")


def _whole(digits: str) -> int:
    return int(digits) if len(digits) < 17 else _refuse("a number of more than 16 digits")


def _called(kind: Any) -> str:
    names = {
        str: "a text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        list: "a list",
        NoneType: "null",
    }
    return " or ".join(names[one] for one in _kinds(kind))


def _kinds(kind: Any) -> tuple[type, ...]:
    return getattr(kind, "__args__", (kind,))


async def play(websocket: WebSocket) -> None:
    """Serve one tab until it goes."""
    if not same_origin(websocket.headers.get("origin"), websocket.headers.get("host", "")):
        await websocket.close(1008)
        return
    await websocket.accept()
    state = websocket.app.state
    if state.tabs >= TABS:
        await websocket.send_json({"error": f"{TABS} tabs are open already: close one, then reload this page"})
        await websocket.close(1013)
        return
    state.tabs += 1
    run = asyncio.get_running_loop().run_in_executor
    try:
        session = await run(state.pool, Session)
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                reply: dict | bytes = {"error": "request: got bytes, expected text"}
            else:
                reply = await run(state.pool, answer, session, text)
            await (websocket.send_bytes(reply) if isinstance(reply, bytes) else websocket.send_text(json.dumps(reply)))
    except WebSocketDisconnect:
        return
    finally:
        state.tabs -= 1


def same_origin(origin: str | None, host: str) -> bool:
    """Whether a socket's request comes from our own page, or from no page at all: browsers always say from which."""
    return origin in (None, f"http://{host}")


@cache
def about() -> bytes:
    """Return what the page has to know before its socket opens: the sets' thumbnails, the choices, the bounds."""
    limits = {"hidden": HIDDEN, "nodes": NODES, "networks": NETWORKS, "epochs": EPOCHS}
    choices = {"optimizers": list(OPTIMIZERS), "activations": list(ACTIVATIONS)}
    return json.dumps({"thumbnails": points.thumbnails(), **limits, **choices}).encode()


async def about_page(request: Request) -> Response:
    """Serve `about`."""
    return Response(about(), media_type="application/json")


def with_headers(app: ASGIApp) -> ASGIApp:
    """Return the application with `HEADERS` on every answer."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in HEADERS.items())]
            await send(message)

        await app(scope, receive, sending)

    return wrapped


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Hold the threads that train; the first compiles the programs at once, so that no tab waits for long."""
    app.state.tabs, app.state.pool = 0, ThreadPoolExecutor(WORKERS, thread_name_prefix="playground")
    app.state.pool.submit(warm_up)
    yield
    app.state.pool.shutdown(wait=False, cancel_futures=True)


def warm_up() -> None:
    """Compile all that a tab will run."""
    session = Session("#seed=0.1")
    session.frame(1)
    session.frame(0, chain=[0, 0, 0, 0])
    session.edit(0, 0, 0, 0.0)
    session.edit(0, 0, None, 0.0)
    session.set("networks", 2)
    session.frame(0)


def application() -> Starlette:
    """Return the ASGI application."""
    pages = StaticFiles(directory=PAGE, html=True)
    return Starlette(
        routes=[WebSocketRoute("/socket", play), Route("/about.json", about_page), Mount("/", pages)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]), Middleware(with_headers)],
        lifespan=lifespan,
    )


def serve(listening: socket.socket) -> None:
    """Serve on a socket that is bound already, until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        application(),
        log_level="warning",
        ws="websockets-sansio",
        ws_max_size=MESSAGE,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=5,
    )
    uvicorn.Server(config).run(sockets=[listening])
