"""What stands before a store's server in many networks: TLS with a private authority, an HTTP proxy with a login."""

import asyncio
import base64
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

from simulator import tls

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def _listening(serve: Serve, host: str, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve connections in a thread; yields the port."""
    served: set[Any] = set()

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The loop refers to tasks weakly, and to an idle connection's reader as well.
        task = asyncio.current_task()
        served.add(task)
        try:
            await serve(reader, writer)
        finally:
            served.discard(task)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Awaitable[Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(_awaited(work), loop).result(30)

    server = run(asyncio.start_server(kept, host, 0, ssl=context))
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        run(_ended(server))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


async def _ended(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _joined(left: tuple[asyncio.StreamReader, asyncio.StreamWriter], host: str, port: int) -> None:
    """Carry bytes both ways until one side ends."""
    right = await asyncio.open_connection(host, port)
    try:
        await asyncio.gather(_copied(left[0], right[1]), _copied(right[0], left[1]))
    finally:
        right[1].close()
        left[1].close()


async def _copied(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        target.close()


@contextlib.contextmanager
def with_tls(port: int, identity: tls.Identity, server: str = LOOPBACK, host: str = LOOPBACK) -> Iterator[int]:
    """Speak TLS on ``host`` before a server that speaks none; yields the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await _joined((reader, writer), server, port)

    with _listening(serve, host, tls.server_context(identity)) as listening:
        yield listening


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running proxy, and the hosts that clients were connected to through it."""

    port: int
    connected: list[str] = field(default_factory=list)


@contextlib.contextmanager
def http_proxy(login: str, host: str = LOOPBACK) -> Iterator[Proxy]:
    """Run a proxy on ``host`` that connects whoever logs in with ``user:password``."""
    expected = f"Basic {base64.b64encode(login.encode()).decode()}"
    connected: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            request, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            verb, target, _ = request.split(" ")
            if verb != "CONNECT" or headers.get("proxy-authorization") != expected:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                writer.close()
                return
            connected.append(target)
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            server, _, port = target.rpartition(":")
            await _joined((reader, writer), server, int(port))

    with _listening(serve, host) as port:
        yield Proxy(port, connected)
