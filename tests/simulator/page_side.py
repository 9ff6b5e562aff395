"""Decide what the server does when a page connects, speaks or goes."""

from __future__ import annotations

import base64
from typing import assert_never

from simulator import delivery, frames, handshake, knobs, linking, ratchet, world
from simulator.world import Connection, Device, Stage, World


def opened(state: World, now: float) -> int:
    """Greet a new socket with a challenge; return the connection's number."""
    connection = state.new_connection()
    state.journal.add(now, "socket_opened", connection=connection.id)
    state.send(connection, "challenge", nonce=connection.nonce)
    return connection.id


def closed(state: World, number: int, now: float) -> None:
    """Forget a socket that is gone."""
    connection = state.connections.pop(number, None)
    if connection is not None:
        state.journal.add(now, "socket_closed", connection.device, connection=number, stage=connection.stage)


def received(state: World, number: int, frame: frames.Frame, now: float) -> None:
    """Take one frame from a page."""
    connection = state.connections.get(number)
    if connection is None or connection.stage is Stage.ENDED:
        return
    match frame:
        case frames.LinkHello():
            _link(state, connection, frame, now)
        case frames.LoginHello():
            connection.login = world.PendingLogin(frame, now + state.knobs.login_delay_s)
            tick(state, now)
        case frames.Refresh():
            _issue_refs(state, connection, now)
        case frames.AskCode(number=phone_number):
            _issue_code(state, connection, phone_number, now)
        case frames.Passkey(passed=passed):
            _passkey(state, connection, passed, now)
        case frames.State(state=page_state):
            connection.page_state = page_state
            state.journal.add(now, "state", connection.device, state=page_state)
        case frames.Paired():
            state.journal.add(now, "paired", connection.device)
        case frames.Answer():
            pass  # the shell hands it to the request that waits for it
        case frames.Ack() | frames.Synced() | frames.Message() | frames.Logout():
            _online(state, connection, frame, now)
        case _:
            assert_never(frame)


def tick(state: World, now: float) -> None:
    """Answer the logins that are due."""
    for connection in list(state.connections.values()):
        if connection.login is not None and connection.login.due <= now:
            hello, connection.login = connection.login.hello, None
            if connection.stage is not Stage.ENDED:
                _login(state, connection, hello, now)


def _refused(state: World, connection: Connection, now: float) -> bool:
    fault = state.knobs.login_fault
    if fault is knobs.LoginFault.NONE:
        return False
    state.counts[fault] += 1
    state.journal.add(now, "refused", reason=fault)
    until = now + state.knobs.ban_s if fault is knobs.LoginFault.TEMPORARY_BAN else None
    state.send(connection, "refused", reason=fault, until=until)
    connection.stage = Stage.ENDED
    return True


def _link(state: World, connection: Connection, hello: frames.LinkHello, now: float) -> None:
    if _refused(state, connection, now):
        return
    connection.stage, connection.run, connection.keys = Stage.LINKING, hello.run, hello.keys
    if state.knobs.idle_qr:
        state.send(connection, "refs", refs=[])
    else:
        _issue_refs(state, connection, now)


def _issue_refs(state: World, connection: Connection, now: float) -> None:
    if connection.stage is not Stage.LINKING:
        return
    connection.refs = linking.refs(state.entropy, state.knobs, now)
    state.journal.add(now, "refs_issued", connection=connection.id, count=len(connection.refs))
    listed = [{"ref": ref.text, "seconds": ref.expires_at - ref.shown_at} for ref in connection.refs]
    state.send(connection, "refs", refs=listed)


def _issue_code(state: World, connection: Connection, number: str, now: float) -> None:
    if connection.stage is not Stage.LINKING:
        return
    connection.code, connection.code_number = linking.pairing_code(state.entropy), number
    connection.code_until = now + state.knobs.code_ttl_s
    state.journal.add(now, "code_issued", connection=connection.id)
    state.send(connection, "code", code=connection.code)


def _passkey(state: World, connection: Connection, passed: bool, now: float) -> None:
    if connection.stage is not Stage.PASSKEY or connection.waiting is None:
        return
    state.journal.add(now, "passkey", passed=passed)
    if passed:
        finish_link(state, connection, connection.waiting, now)


def finish_link(state: World, connection: Connection, link: world.PendingLink, now: float) -> Device:
    """Register the page as a device of the phone and tell it who it is."""
    assert connection.keys is not None, "a page that was scanned has shown its keys"
    phone = state.phone(link.phone)
    phone.devices_ever += 1
    seed = int.from_bytes(state.entropy(4), "big")
    identity = f"{phone.number}:{phone.devices_ever}"
    device = Device(identity, phone.name, phone.wid, connection.keys, now, seed)
    state.devices[device.id] = device
    connection.device, connection.waiting, connection.refs, connection.code = device.id, None, (), None
    state.journal.add(now, "linked", device.id, phone=phone.name, platform=link.platform)
    state.send(connection, "paired", device=device.id, wid=phone.wid, proof=base64.b64encode(link.proof).decode())
    connection.stage = Stage.GREETED
    return device


def _login(state: World, connection: Connection, hello: frames.LoginHello, now: float) -> None:
    if _refused(state, connection, now):
        return
    connection.run = hello.run
    device = state.devices.get(hello.device)
    text = handshake.signed_text(connection.nonce, hello.device, hello.step)
    verdict = handshake.judge(device.keys if device else None, hello.proof, text)
    if verdict is not handshake.Verdict.GOOD or device is None:
        _reject(state, connection, hello.device, verdict, now)
    elif device.removed:
        _reject(state, connection, device.id, "logged_out", now)
    elif _in_step(state, connection, device, hello.step, now) and _alone(state, connection, device, now):
        _accept(state, connection, device, hello.step, now)


def _reject(state: World, connection: Connection, device: str, reason: str, now: float) -> None:
    state.counts[reason] += 1
    state.journal.add(now, "login_rejected", device, reason=reason)
    state.send(connection, "rejected", reason=reason)


def _in_step(state: World, connection: Connection, device: Device, step: int, now: float) -> bool:
    match device.ratchet.standing(step):
        case ratchet.Standing.IN_STEP:
            return True
        case ratchet.Standing.IMPOSSIBLE:
            _reject(state, connection, device.id, "impossible_step", now)
            return False
        case ratchet.Standing.ROLLED_BACK:
            device.rollbacks += 1
            state.counts["rollbacks"] += 1
            state.journal.add(now, "rolled_back", device.id, step=step, acknowledged=device.ratchet.acknowledged)
    match state.knobs.rollback_policy:
        case knobs.RollbackPolicy.TOLERATE:
            return True
        case knobs.RollbackPolicy.UNDECRYPTABLE:
            device.undecryptable = True
            return True
        case knobs.RollbackPolicy.LOGOUT:
            device.removed = True
            _reject(state, connection, device.id, "logged_out", now)
            return False


def _alone(state: World, connection: Connection, device: Device, now: float) -> bool:
    other = state.online(device.id)
    if other is not None and other.run == connection.run:
        # The same page has come back before its old socket was seen to end.
        other.stage, other.device = Stage.ENDED, None
        state.close(other)
        return True
    if other is None and not device.held_elsewhere:
        return True
    device.two_browsers += 1
    state.counts["two_browsers"] += 1
    state.journal.add(now, "two_browsers", device.id, policy=state.knobs.second_browser_policy)
    if state.knobs.second_browser_policy is knobs.SecondBrowserPolicy.REFUSE:
        state.send(connection, "conflict")
        connection.stage = Stage.ENDED
        return False
    device.held_elsewhere = False
    if other is not None:
        delivery.displace(state, other, now)
    return True


def _accept(state: World, connection: Connection, device: Device, step: int, now: float) -> None:
    device.ratchet = device.ratchet.resumed_at(step)
    device.logins += 1
    connection.stage, connection.device, connection.synced = Stage.ONLINE, device.id, False
    phone = state.phone(device.phone)
    state.journal.add(now, "login", device.id, step=step)
    state.send(
        connection,
        "accepted",
        wid=device.wid,
        pushname=phone.pushname,
        platform=phone.platform,
        seed=device.seed,
        knobs=knobs.for_page(state.knobs),
    )
    if state.knobs.step_at_login:
        delivery.step(state, connection, device, now)


def _online(
    state: World,
    connection: Connection,
    frame: frames.Ack | frames.Synced | frames.Message | frames.Logout,
    now: float,
) -> None:
    if connection.stage is not Stage.ONLINE or connection.device is None:
        return
    device = state.devices[connection.device]
    match frame:
        case frames.Ack(step=step):
            device.ratchet = device.ratchet.acked(step)
            while device.undelivered and 0 < device.undelivered[0][0] <= device.ratchet.acknowledged:
                device.undelivered.popleft()
        case frames.Synced(records=records, size=size):
            connection.synced, device.records, device.size = True, records, size
            state.journal.add(now, "synced", device.id, records=records, size=size)
            delivery.deliver_waiting(state, connection, device, now)
        case frames.Message():
            delivery.sent_by_page(state, connection, device, frame, now)
        case frames.Logout():
            delivery.remove(state, device, "page", now)
