"""The playground's server: its page, with a socket for each tab on which every request gets one answer, and Backprop.

Nothing runs unless a tab asks: a tab that plays asks for frame after frame. So training stops with the tab that
watches, and no thread or task outlives it.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from jaxnn import backprop
from jaxnn.backprop import answers
from jaxnn.playground import points
from jaxnn.playground.config import EPOCHS, HIDDEN, NETWORKS, NODES
from jaxnn.playground.optimizers import OPTIMIZERS
from jaxnn.playground.program import ACTIVATIONS
from jaxnn.playground.requests import LESSONS, answer
from jaxnn.playground.session import Session

PAGE = Path(__file__).with_name("page")
LESSON_PAGE = Path(backprop.__file__).with_name("page")
LESSON = 1 << 16  # bytes of a question about a backward pass
TABS = 64
MESSAGE = 1 << 21  # bytes: networks that a page has kept may come back
WORKERS = 2  # threads that train, for all tabs: as many tabs train at once, the others wait for their turn
# The playground listens on this machine alone, but any page that the user has open may send requests to it: these
# headers, the check of the host and `same_origin` shut other pages out, and the page itself may load nothing from afar.
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


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
    state.tasks.add(task := asyncio.current_task())
    run = asyncio.get_running_loop().run_in_executor  # a session trains in a thread: meanwhile other tabs are answered
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
            # Not `send_json`: half a character, which JSON can say, has to be escaped; as UTF-8 it cannot be sent.
            await (websocket.send_bytes(reply) if isinstance(reply, bytes) else websocket.send_text(json.dumps(reply)))
    except (WebSocketDisconnect, asyncio.CancelledError):  # the tab has gone, or the server ends
        return
    finally:
        state.tabs -= 1
        state.tasks.discard(task)


def same_origin(origin: str | None, host: str) -> bool:
    """Whether a socket's request comes from our own page, or from no page at all: browsers always say from which."""
    return origin in (None, f"http://{host}")


@cache  # the thumbnails of nine sets are drawn once, and not for every tab
def about() -> bytes:
    """Return what the page has to know before its socket opens: the sets' thumbnails, the choices, the bounds."""
    limits = {"hidden": HIDDEN, "nodes": NODES, "networks": NETWORKS, "epochs": EPOCHS}
    choices = {"optimizers": list(OPTIMIZERS), "activations": list(ACTIVATIONS)}
    return json.dumps({"thumbnails": points.thumbnails(), **limits, **choices}).encode()


async def about_page(request: Request) -> Response:
    """Serve `about`."""
    return Response(about(), media_type="application/json")


async def lesson(request: Request) -> Response:
    """Answer a question of the page Backprop: it brings all that there is to know, nothing is kept in between."""
    if not same_origin(request.headers.get("origin"), request.headers.get("host", "")):
        return Response("another page's question", 403)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LESSON:
            return Response(f"more than {LESSON} bytes", 413)
    text = body.decode("utf-8", "replace")
    run = asyncio.get_running_loop().run_in_executor
    reply = await run(request.app.state.pool, answer, answers, text, LESSONS)
    return Response(json.dumps(reply), media_type="application/json")


async def to_lessons(request: Request) -> Response:
    """Send the address without the slash to the one with it, from which the page finds its parts."""
    return RedirectResponse("/backprop/")


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
    app.state.tabs, app.state.tasks = 0, set()
    app.state.pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="playground")  # by which `command` knows them
    app.state.pool.submit(warm_up)
    watch = asyncio.create_task(ended(app))
    yield
    watch.cancel()
    app.state.pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C does not wait for a program to be compiled


async def ended(app: Starlette) -> None:
    """Let go of every tab once the server is told to end: what one waits for may take long to be compiled."""
    while not getattr(app.state, "server", None) or not app.state.server.should_exit:
        await asyncio.sleep(0.05)
    for task in list(app.state.tasks):
        task.cancel()


def warm_up() -> None:
    """Compile all that a tab will run."""
    session = Session("#seed=0.1")
    session.frame(1)
    session.frame(0, chain=[0, 0, 0, 0])
    session.edit(0, 0, 0, 0.0)
    session.edit(0, 0, None, 0.0)
    session.set("networks", "2")
    session.frame(0)


def application(host: str) -> Starlette:
    """Return the ASGI application, which answers requests to `host` and to localhost alone.

    A stranger's page whose name is made to resolve to this machine (DNS rebinding) names itself as the host: refused.
    """
    lessons, pages = (StaticFiles(directory=folder, html=True) for folder in (LESSON_PAGE, PAGE))
    return Starlette(
        routes=[
            WebSocketRoute("/socket", play),
            Route("/about.json", about_page),
            Route("/backprop", to_lessons),
            Route("/backprop/ask", lesson, methods=["POST"]),
            Mount("/backprop", lessons),
            Mount("/", pages),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[host, "localhost"]), Middleware(with_headers)],
        lifespan=lifespan,
    )


def serve(listening: socket.socket) -> None:
    """Serve on a socket that is bound already, until SIGINT or SIGTERM."""
    app = application(listening.getsockname()[0])
    config = uvicorn.Config(
        app,
        log_level="warning",
        ws="websockets-sansio",  # older versions of uvicorn choose the one that websockets has deprecated
        ws_max_size=MESSAGE,
        timeout_graceful_shutdown=1,  # an open tab never goes by itself: Ctrl-C would wait for it
    )
    app.state.server = uvicorn.Server(config)
    app.state.server.run(sockets=[listening])
