"""Do what a person does with a phone, and what a test does to the service."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from simulator import delivery, handshake, knobs, linking, page_side, world
from simulator.world import Connection, Device, Phone, Stage, World


class RefusedError(Exception):
    """Say why the phone or the service does not do it; `reason` is one word, the text a sentence."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def scan(state: World, name: str, text: str, now: float) -> Device | None:
    """Link the page that shows this QR code; None when the page must pass a passkey first."""
    try:
        code = linking.read_qr(text)
    except linking.BadQrError as error:
        raise _scan_refused(state, "no_qr_code", f"this is no QR code of the page: {error}", now) from error
    connection, ref = _shown(state, code.ref)
    if connection is None or ref is None or connection.keys is None:
        raise _scan_refused(state, "unknown_ref", "no page shows this QR code any more", now)
    if not linking.is_fresh(ref, now):
        raise _scan_refused(state, "expired_ref", "this QR code has expired; scan the one that is shown now", now)
    if connection.keys != code.keys:
        raise _scan_refused(state, "keys_differ", "the QR code's keys are not those of the page with its ref", now)
    return _link(state, connection, name, code.secret, code.platform, now)


def enter_code(state: World, name: str, code: str, now: float) -> Device | None:
    """Link the page that shows this pairing code for this phone's number."""
    phone = state.phone(name)
    wanted = code.replace("-", "").strip().upper()
    for connection in state.connections.values():
        if connection.stage is Stage.LINKING and connection.code == wanted:
            if now > connection.code_until:
                raise _scan_refused(state, "expired_code", "this pairing code has expired", now)
            if connection.code_number != phone.number:
                raise _scan_refused(state, "other_number", "this pairing code was made for another number", now)
            return _link(state, connection, name, wanted.encode(), "code", now)
    raise _scan_refused(state, "unknown_code", "no page shows this pairing code", now)


def _shown(state: World, text: str) -> tuple[Connection | None, linking.Ref | None]:
    for connection in state.connections.values():
        if connection.stage is Stage.LINKING:
            for ref in connection.refs:
                if ref.text == text:
                    return connection, ref
    return None, None


def _scan_refused(state: World, reason: str, text: str, now: float) -> RefusedError:
    state.counts["scans_refused"] += 1
    state.journal.add(now, "scan_refused", reason=reason)
    return RefusedError(reason, text)


def _link(state: World, connection: Connection, name: str, secret: bytes, platform: str, now: float) -> Device | None:
    assert connection.keys is not None, "a page that shows a code has shown its keys"
    phone = state.phone(name)
    state.journal.add(now, "scanned", phone=phone.name)
    link = world.PendingLink(phone.name, proof(secret, connection.keys), platform)
    if state.knobs.passkey_required:
        connection.stage, connection.waiting = Stage.PASSKEY, link
        state.journal.add(now, "passkey_prompted", phone=phone.name)
        state.send(connection, "passkey", challenge=state.entropy(32).hex())
        return None
    return page_side.finish_link(state, connection, link, now)


def proof(secret: bytes, keys: handshake.PublicKeys) -> bytes:
    """Return what shows the page that the phone has read its screen: the secret went there and nowhere else."""
    return hmac.new(secret, keys.noise + keys.identity, hashlib.sha256).digest()


def describe(state: World, name: str, fields: Mapping[str, str]) -> Phone:
    """Make a phone, or change its number (while nothing is linked), pushname or platform."""
    phone = state.phone(name)
    number = fields.get("number", phone.number)
    if number != phone.number:
        if state.devices_of(name):
            raise RefusedError("linked", "a phone with linked devices keeps its number")
        if state.phone_by_number(number) is not None:
            raise RefusedError("number_taken", f"another phone has the number {number}")
        phone.number = number
    phone.pushname = fields.get("pushname", phone.pushname)
    phone.platform = fields.get("platform", phone.platform)
    return phone


def device(state: World, identity: str) -> Device:
    """Return a device; raise RefusedError when there is none."""
    if identity not in state.devices:
        raise RefusedError("unknown_device", f"no device {identity}")
    return state.devices[identity]


def logout(state: World, identity: str, now: float) -> bool:
    """Unlink a device from the phone; return whether it heard it at once (else it learns it at its next login)."""
    return delivery.remove(state, device(state, identity), "phone", now)


def write(state: World, name: str, sender: str, body: str, now: float) -> str:
    """Let somebody send a message to this phone; return its id."""
    phone = state.phone(name)
    message: dict[str, object] = {
        "id": state.next_message_id(),
        "from": sender if "@" in sender else f"{sender}@c.us",
        "to": phone.wid,
        "body": body,
        "at": int(now),
    }
    state.journal.add(now, "message_to_phone", phone=name, id=message["id"])
    delivery.to_phone(state, phone, message, now)
    return str(message["id"])


def take_over(state: World, identity: str, steps: int, now: float) -> bool:
    """Log another browser in with this device's keys, `steps` further on; return whether it met the first one."""
    taken = device(state, identity)
    connection = state.online(identity)
    taken.held_elsewhere = True
    if connection is not None:
        taken.two_browsers += 1
        state.counts["two_browsers"] += 1
        state.journal.add(now, "two_browsers", identity, policy="admin")
        delivery.displace(state, connection, now)
    if steps:
        taken.ratchet = taken.ratchet.resumed_at(taken.ratchet.acknowledged + steps)
    return connection is not None


def set_network(state: World, up: bool, now: float) -> None:
    """Cut every socket and refuse new ones, or serve them again."""
    state.network_up = up
    state.journal.add(now, "network", up=up)
    if not up:
        drop(state, None, now)


def drop(state: World, identity: str | None, now: float) -> int:
    """Cut the socket of one device, or all sockets; return how many."""
    cut = [c for c in state.connections.values() if identity is None or c.device == identity]
    for connection in cut:
        state.close(connection)
    if cut:
        state.journal.add(now, "dropped", identity, count=len(cut))
    return len(cut)


def set_knobs(state: World, changes: Mapping[str, object], now: float) -> None:
    """Change knobs; pages that are on line hear theirs at once."""
    state.knobs = knobs.patched(state.knobs, changes)
    state.journal.add(now, "knobs", names=sorted(changes))
    for connection in state.connections.values():
        if connection.stage is Stage.ONLINE:
            state.send(connection, "knobs", knobs=knobs.for_page(state.knobs))


def reset(state: World, now: float) -> None:
    """Forget everybody and cut every socket; the initial knobs are the caller's to set again."""
    for connection in state.connections.values():
        state.close(connection)
    state.forget()
    state.network_up = True
    state.journal.add(now, "reset")
