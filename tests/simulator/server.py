"""Serve the page and its socket over TLS, and carry effects of the core to the sockets."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import pathlib
import secrets
import time
from collections.abc import Sequence

import aiohttp
from aiohttp import web

from simulator import delivery, frames, knobs, page_side, tls
from simulator.world import Close, Send, World

PAGE = pathlib.Path(__file__).parent / "page"
TYPES = {".html": "text/html", ".js": "text/javascript"}
TICK_S = 0.25
QUEUED_FRAMES = 10_000


class NoAnswerError(Exception):
    """Say that a page is not on line or did not answer in time."""


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """Hold how the server listens; port 0 = a free one."""

    host: str = "127.0.0.1"
    page_port: int = 0
    admin_port: int = 0
    names: Sequence[str] = ()
    key_seed: str | None = None
    heartbeat_s: float = 15.0
    """A browser silent for 1.5 times this is gone: one that is frozen does not hold its login for ever."""


class Server:
    """Run one simulator in the current event loop."""

    def __init__(self, options: Options, settings: knobs.Knobs) -> None:
        self.options = options
        self.settings = settings
        self.world = World(settings, secrets.token_bytes)
        self.identity = tls.identity(options.names, options.key_seed)
        self.page_port = options.page_port
        self._context = tls.server_context(self.identity)
        self._files = {path.name: path.read_bytes() for path in PAGE.iterdir() if path.suffix in TYPES}
        self._queues: dict[int, asyncio.Queue[dict[str, object] | None]] = {}
        self._answers: dict[int, asyncio.Future[dict[str, object]]] = {}
        self._requests = 0
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._ticker: asyncio.Task[None] | None = None

    @property
    def site_up(self) -> bool:
        """Return whether the page's port is open."""
        return self._runner is not None

    async def start(self) -> None:
        """Open the page's port and start the clock."""
        await self.set_site(True)
        self._ticker = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Close everything."""
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        await self.set_site(False)

    async def set_site(self, up: bool) -> None:
        """Open or close the page's port, with all its connections, as when the whole site is away."""
        if up and self._runner is None:
            application = web.Application()
            application.router.add_get("/", self._index)
            application.router.add_get("/socket", self._socket)
            application.router.add_get("/{file}", self._file)
            runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
            await runner.setup()
            site = web.TCPSite(runner, self.options.host, self.page_port, ssl_context=self._context, reuse_address=True)
            await site.start()
            self.page_port = runner.addresses[0][1]
            self._runner = runner
        elif not up and self._runner is not None:
            runner, self._runner = self._runner, None
            for queue in self._queues.values():
                queue.put_nowait(None)
            await _end(runner)
        self.world.journal.add(time.time(), "site", up=up)
        self.flush()

    def flush(self) -> None:
        """Hand what the core wants to send to the sockets' writers, and wake who waits for events."""
        for effect in self.world.take_effects():
            queue = self._queues.get(effect.connection)
            match effect:
                case _ if queue is None:
                    pass  # the socket ended in the meantime
                case Send(body=body) if queue.qsize() < QUEUED_FRAMES:
                    queue.put_nowait(body)
                case Send() | Close():
                    queue.put_nowait(None)
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for_event(self, after: int, seconds: float) -> None:
        """Return once there is an event with a higher number, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.world.journal.last <= after:
                    await self._changed.wait()

    async def ask(self, device: str, what: str, seconds: float) -> dict[str, object]:
        """Let a device's page do something and answer; raise NoAnswerError."""
        connection = self.world.online(device)
        if connection is None:
            raise NoAnswerError(f"device {device} is not on line")
        self._requests += 1
        number = self._requests
        future: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
        self._answers[number] = future
        try:
            self.world.send(connection, "ask", request=number, what=what)
            self.flush()
            return await asyncio.wait_for(future, seconds)
        except TimeoutError as error:
            raise NoAnswerError(f"device {device} did not answer within {seconds:g} s") from error
        finally:
            del self._answers[number]

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            page_side.tick(self.world, time.time())
            delivery.tick(self.world, time.time())
            self.flush()

    async def _index(self, request: web.Request) -> web.Response:
        self.world.journal.add(time.time(), "page_served", logged_out="post_logout" in request.query)
        self.flush()
        if self.world.knobs.site_error:
            return web.Response(status=self.world.knobs.site_error, text="the site is away")
        settings = json.dumps(knobs.for_page(self.world.knobs)).replace("<", "\\u003c").encode()
        return _body(".html", self._files["index.html"].replace(b"__KNOBS__", settings))

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["file"]
        if name not in self._files:
            raise web.HTTPNotFound
        return _body(pathlib.PurePath(name).suffix, self._files[name])

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if not self.world.network_up:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(heartbeat=self.options.heartbeat_s, max_msg_size=1 << 20)
        await socket.prepare(request)
        number = page_side.opened(self.world, time.time())
        queue: asyncio.Queue[dict[str, object] | None] = asyncio.Queue()
        self._queues[number] = queue
        writer = asyncio.create_task(_write(socket, queue))
        self.flush()
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._receive(number, message.data)
        finally:
            writer.cancel()
            del self._queues[number]
            page_side.closed(self.world, number, time.time())
            self.flush()
        return socket

    def _receive(self, number: int, text: str) -> None:
        try:
            frame = frames.parse(text)
        except frames.BadFrameError as error:
            self.world.journal.add(time.time(), "bad_frame", reason=str(error))
            return
        if isinstance(frame, frames.Answer):
            future = self._answers.get(frame.request)
            if future is not None and not future.done():
                future.set_result(frame.result)
        page_side.received(self.world, number, frame, time.time())
        self.flush()


async def _end(runner: web.AppRunner) -> None:
    served = runner.server
    transports = [handler.transport for handler in served.connections] if served is not None else []
    await runner.cleanup()
    for transport in transports:
        # A polite end of TLS waits for a browser that may be stopped.
        if transport is not None:
            transport.abort()
    await asyncio.sleep(0.05)  # the event loop closes aborted transports in its next rounds, and says nothing when


async def _write(socket: web.WebSocketResponse, queue: asyncio.Queue[dict[str, object] | None]) -> None:
    # One writer a socket: a stopped browser that no longer reads must not hold up the others.
    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
        while (body := await queue.get()) is not None:
            await socket.send_json(body)
        await socket.close()


def _body(suffix: str, content: bytes) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=content, content_type=TYPES[suffix], charset="utf-8", headers=headers)
