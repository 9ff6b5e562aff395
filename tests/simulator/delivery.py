"""Carry steps and messages to devices, and take devices off."""

from __future__ import annotations

from simulator import frames
from simulator.world import Connection, Device, Phone, Stage, World


def step(state: World, connection: Connection, device: Device, now: float) -> int:
    """Send the device one step of its ratchet; return its number."""
    device.ratchet = device.ratchet.stepped()
    device.stepped_at = now
    state.send(connection, "step", step=device.ratchet.sent)
    return device.ratchet.sent


def deliver(state: World, device: Device, message: dict[str, object], now: float) -> None:
    """Keep a message for a device until it has acknowledged it; send it at once if the device is there."""
    device.undelivered.append((0, message))
    connection = state.online(device.id)
    if connection is not None and connection.synced:
        _send_message(state, connection, device, message, now)


def deliver_waiting(state: World, connection: Connection, device: Device, now: float) -> None:
    """Send again, under new steps, what was never acknowledged."""
    waiting = [message for _, message in device.undelivered]
    device.undelivered.clear()
    for message in waiting:
        device.undelivered.append((0, message))
        _send_message(state, connection, device, message, now)


def _send_message(state: World, connection: Connection, device: Device, message: dict[str, object], now: float) -> None:
    device.ratchet = device.ratchet.stepped()
    device.stepped_at = now
    device.undelivered.pop()
    device.undelivered.append((device.ratchet.sent, message))
    readable = not device.undecryptable
    shown = {**message, "body": message["body"] if readable else "", "readable": readable}
    state.send(connection, "message", step=device.ratchet.sent, message=shown)


def to_phone(state: World, phone: Phone, message: dict[str, object], now: float) -> int:
    """Give a message to a phone and all its devices; return how many devices."""
    phone.messages.append(message)
    devices = state.devices_of(phone.name)
    for device in devices:
        deliver(state, device, message, now)
    return len(devices)


def sent_by_page(state: World, connection: Connection, device: Device, frame: frames.Message, now: float) -> None:
    """Take a message from a linked page: acknowledge it, give it to the phones of both ends."""
    phone = state.phone(device.phone)
    message: dict[str, object] = {
        "id": frame.id,
        "from": phone.wid,
        "to": frame.to,
        "body": frame.body,
        "at": int(now),
    }
    phone.messages.append({**message, "from_device": device.id})
    device.ratchet = device.ratchet.stepped()
    device.stepped_at = now
    state.send(connection, "sent", id=frame.id, step=device.ratchet.sent)
    state.journal.add(now, "message_from_page", device.id, id=frame.id)
    for other in state.devices_of(phone.name):
        if other is not device:
            deliver(state, other, message, now)
    receiver = state.phone_by_number(frame.to.partition("@")[0])
    if receiver is not None and receiver is not phone:
        to_phone(state, receiver, message, now)


def displace(state: World, connection: Connection, now: float) -> None:
    """Tell a page that another browser has its login now."""
    state.counts["conflicts"] += 1
    state.journal.add(now, "conflict", connection.device)
    state.send(connection, "conflict")
    connection.stage = Stage.ENDED


def remove(state: World, device: Device, by: str, now: float) -> bool:
    """Take a device off its phone's list; return whether it was there to hear it."""
    device.removed = True
    device.undelivered.clear()
    connection = state.online(device.id)
    state.counts["logouts"] += 1
    state.journal.add(now, "logged_out", device.id, by=by, online=connection is not None)
    if connection is None:
        return False
    state.send(connection, "logged_out")
    connection.stage = Stage.ENDED
    return True


def tick(state: World, now: float) -> None:
    """Send the steps that are due while nothing else happens."""
    interval = state.knobs.ratchet_interval_s
    if interval <= 0:
        return
    for connection in list(state.connections.values()):
        if connection.stage is Stage.ONLINE and connection.synced and connection.device is not None:
            device = state.devices[connection.device]
            if now - device.stepped_at >= interval:
                step(state, connection, device, now)
