"""Put server and admin API together, and run them until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import signal
from collections.abc import Callable, Sequence

from aiohttp import web

from simulator import admin, knobs, server


@dataclasses.dataclass(frozen=True, slots=True)
class Ports:
    """Hold where a started simulator listens, and its key's hash."""

    page: int
    admin: int
    spki: str


async def serve(
    options: server.Options,
    settings: knobs.Knobs,
    report: Callable[[Ports], None],
    ended: asyncio.Event,
) -> None:
    """Serve until `ended` is set; `report` is called once both ports are open."""
    running = server.Server(options, settings)
    runner = web.AppRunner(
        admin.Admin(running).application(), access_log=None, handle_signals=False, shutdown_timeout=1.0
    )
    await runner.setup()
    await running.start()
    try:
        site = web.TCPSite(runner, options.host, options.admin_port)
        await site.start()
        report(Ports(running.page_port, runner.addresses[0][1], running.identity.spki))
        await ended.wait()
    finally:
        await running.stop()
        await runner.cleanup()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="simulator", description="Stand in for WhatsApp Web: page, server and phones, for tests."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (a pod: 0.0.0.0)")
    parser.add_argument("--page-port", type=int, default=8443, help="HTTPS: page and socket; 0 = a free port")
    parser.add_argument("--admin-port", type=int, default=8080, help="HTTP: phones and admin; 0 = a free port")
    parser.add_argument("--name", action="append", default=[], help="further DNS name in the certificate")
    parser.add_argument("--key-seed", help="derive the TLS key from this text: the same SPKI hash at every start")
    parser.add_argument("--knob", action="append", default=[], metavar="NAME=JSON", help="GET / lists the knobs")
    return parser.parse_args(argv)


def _knobs(pairs: Sequence[str]) -> knobs.Knobs:
    changes: dict[str, object] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            changes[name] = json.loads(value)
        except ValueError:
            changes[name] = value  # a bare word is a string
    return knobs.patched(knobs.Knobs(), changes)


def _announce(ports: Ports) -> None:
    print(json.dumps(dataclasses.asdict(ports)), flush=True)


async def _run(options: server.Options, settings: knobs.Knobs) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await serve(options, settings, _announce, ended)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simulator until SIGTERM; print one JSON line with ports and key hash once it listens."""
    given = _arguments(argv)
    try:
        settings = _knobs(given.knob)
    except knobs.BadKnobError as error:
        print(error)
        return 2
    options = server.Options(given.host, given.page_port, given.admin_port, tuple(given.name), given.key_seed)
    asyncio.run(_run(options, settings))
    return 0
