"""Serve the phones' and the tests' HTTP API. `GET /` prints the list of routes."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from simulator import knobs, phone_side, server, view, world

HELP = """\
WhatsApp Web simulator: phone and admin API (JSON in, JSON out; errors are {"reason": ..., "error": ...})

GET    /healthz
GET    /api/tls                            page port, SPKI hash and certificate of the page's server
GET    /api/state                          phones, their devices, connections, counts
GET    /api/events?after=N&wait=SECONDS    numbered events after N; waits until there is one
GET    /api/knobs
PATCH  /api/knobs                          {"sync_bytes": 30000000, "rollback_policy": "logout", ...}
POST   /api/reset                          forget everybody, initial knobs, network and site up
PUT    /api/phones/NAME                    {"number": ..., "pushname": ..., "platform": ...}, all optional
POST   /api/phones/NAME/scan               {"qr": TEXT}: link what shows this QR code
POST   /api/phones/NAME/code               {"code": TEXT}: link what shows this pairing code
POST   /api/phones/NAME/messages           {"from": NUMBER, "body": TEXT}: somebody writes to this phone
POST   /api/devices/ID/logout              unlink from the phone; {"online": false} = it learns it at its next login
POST   /api/devices/ID/takeover            {"steps": 0}: another browser logs in with this login
POST   /api/devices/ID/drop                cut its socket (the page comes back by itself)
POST   /api/devices/ID/verify              let the page recompute the checksum of every record
POST   /api/devices/ID/crash               let the page take its renderer down
POST   /api/network                        {"up": false}: sockets are cut and refused, the page is still served
POST   /api/site                           {"up": false}: the page's port is closed

Knobs (defaults): """


class Admin:
    """Translate HTTP to calls of the core."""

    def __init__(self, running: server.Server) -> None:
        self._server = running
        self._world = running.world

    def application(self) -> web.Application:
        """Return the application with all routes."""
        application = web.Application(middlewares=[_errors])
        application.add_routes(
            [
                web.get("/", self._help),
                web.get("/healthz", self._health),
                web.get("/api/tls", self._tls),
                web.get("/api/state", self._state),
                web.get("/api/events", self._events),
                web.get("/api/knobs", self._knobs),
                web.patch("/api/knobs", self._set_knobs),
                web.post("/api/reset", self._reset),
                web.put("/api/phones/{name}", self._describe),
                web.post("/api/phones/{name}/scan", self._scan),
                web.post("/api/phones/{name}/code", self._code),
                web.post("/api/phones/{name}/messages", self._message),
                web.post("/api/devices/{id}/{action:logout|takeover|drop}", self._act),
                web.post("/api/devices/{id}/{action:verify|crash}", self._ask),
                web.post("/api/network", self._network),
                web.post("/api/site", self._site),
            ]
        )
        return application

    async def _help(self, _: web.Request) -> web.Response:
        return web.Response(text=HELP + json.dumps(knobs.as_json(knobs.Knobs()), indent=2) + "\n")

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _tls(self, _: web.Request) -> web.Response:
        made = self._server.identity
        port = self._server.page_port
        return web.json_response({"page_port": port, "spki": made.spki, "certificate": made.certificate.decode()})

    async def _state(self, _: web.Request) -> web.Response:
        return web.json_response({**view.state(self._world), "site_up": self._server.site_up})

    async def _events(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", "0"))
        wait = min(float(request.query.get("wait", "0")), 60.0)
        if wait > 0:
            await self._server.wait_for_event(after, wait)
        return web.json_response({"events": [event.as_json() for event in self._world.journal.after(after)]})

    async def _knobs(self, _: web.Request) -> web.Response:
        return web.json_response(knobs.as_json(self._world.knobs))

    async def _set_knobs(self, request: web.Request) -> web.Response:
        phone_side.set_knobs(self._world, await _object(request), time.time())
        self._server.flush()
        return web.json_response(knobs.as_json(self._world.knobs))

    async def _reset(self, _: web.Request) -> web.Response:
        phone_side.reset(self._world, time.time())
        self._world.knobs = self._server.settings
        self._server.flush()
        await self._server.set_site(True)
        return web.json_response({"last_event": self._world.journal.last})

    async def _describe(self, request: web.Request) -> web.Response:
        fields = {key: str(value) for key, value in (await _object(request)).items()}
        phone = phone_side.describe(self._world, request.match_info["name"], fields)
        return web.json_response({"name": phone.name, "number": phone.number, "wid": phone.wid})

    async def _scan(self, request: web.Request) -> web.Response:
        text = _text(await _object(request), "qr")
        return self._linked(phone_side.scan(self._world, request.match_info["name"], text, time.time()))

    async def _code(self, request: web.Request) -> web.Response:
        text = _text(await _object(request), "code")
        return self._linked(phone_side.enter_code(self._world, request.match_info["name"], text, time.time()))

    def _linked(self, device: world.Device | None) -> web.Response:
        self._server.flush()
        if device is None:
            return web.json_response({"device": None, "waits_for": "passkey"}, status=202)
        return web.json_response({"device": device.id, "wid": device.wid})

    async def _message(self, request: web.Request) -> web.Response:
        body = await _object(request)
        name, sender, text = request.match_info["name"], _text(body, "from"), _text(body, "body")
        identity = phone_side.write(self._world, name, sender, text, time.time())
        self._server.flush()
        return web.json_response({"id": identity})

    async def _act(self, request: web.Request) -> web.Response:
        identity, now = request.match_info["id"], time.time()
        result: dict[str, object]
        match request.match_info["action"]:
            case "logout":
                result = {"online": phone_side.logout(self._world, identity, now)}
            case "drop":
                phone_side.device(self._world, identity)
                result = {"cut": phone_side.drop(self._world, identity, now)}
            case _:
                steps = (await _object(request)).get("steps", 0)
                if not isinstance(steps, int) or steps < 0:
                    raise phone_side.RefusedError("bad_request", "steps is a number >= 0")
                result = {"met": phone_side.take_over(self._world, identity, steps, now)}
        self._server.flush()
        return web.json_response(result)

    async def _ask(self, request: web.Request) -> web.Response:
        identity, what = request.match_info["id"], request.match_info["action"]
        phone_side.device(self._world, identity)
        return web.json_response(await self._server.ask(identity, what, 60.0))

    async def _network(self, request: web.Request) -> web.Response:
        phone_side.set_network(self._world, _flag(await _object(request), "up"), time.time())
        self._server.flush()
        return web.json_response({"up": self._world.network_up})

    async def _site(self, request: web.Request) -> web.Response:
        await self._server.set_site(_flag(await _object(request), "up"))
        return web.json_response({"up": self._server.site_up})


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except phone_side.RefusedError as error:
        status = {"unknown_device": 404, "bad_request": 400}.get(error.reason, 409)
        return web.json_response({"reason": error.reason, "error": str(error)}, status=status)
    except server.NoAnswerError as error:
        return web.json_response({"reason": "no_answer", "error": str(error)}, status=504)
    except ValueError as error:
        return web.json_response({"reason": "bad_request", "error": str(error)}, status=400)


async def _object(request: web.Request) -> dict[str, object]:
    body = await request.json() if request.can_read_body else {}
    if not isinstance(body, dict):
        raise phone_side.RefusedError("bad_request", "the body is a JSON object")
    return body


def _text(body: dict[str, object], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise phone_side.RefusedError("bad_request", f"{name} is a text")
    return value


def _flag(body: dict[str, object], name: str) -> bool:
    value = body.get(name)
    if not isinstance(value, bool):
        raise phone_side.RefusedError("bad_request", f"{name} is true or false")
    return value
