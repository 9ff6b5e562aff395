"""Show the state as JSON: no key, no secret, no QR code."""

from __future__ import annotations

from simulator.world import Connection, Device, Phone, Stage, World


def state(world: World) -> dict[str, object]:
    """Return the whole state."""
    return {
        "network_up": world.network_up,
        "last_event": world.journal.last,
        "counts": dict(world.counts),
        "phones": [_phone(world, phone) for phone in world.phones.values()],
        "connections": [_connection(connection) for connection in world.connections.values()],
    }


def device(world: World, item: Device) -> dict[str, object]:
    """Return one device; `page` is what its page says about itself, None when it is off line."""
    online = world.online(item.id)
    return {
        "id": item.id,
        "phone": item.phone,
        "wid": item.wid,
        "linked": not item.removed,
        "online": online is not None,
        "synced": online is not None and online.synced,
        "page_state": online.page_state if online is not None else None,
        "linked_at": item.linked_at,
        "logins": item.logins,
        "step": item.ratchet.acknowledged,
        "step_sent": item.ratchet.sent,
        "rollbacks": item.rollbacks,
        "two_browsers": item.two_browsers,
        "undecryptable": item.undecryptable,
        "held_elsewhere": item.held_elsewhere,
        "records": item.records,
        "bytes": item.size,
        "undelivered": len(item.undelivered),
    }


def _phone(world: World, phone: Phone) -> dict[str, object]:
    devices = [device(world, item) for item in world.devices.values() if item.phone == phone.name]
    return {
        "name": phone.name,
        "number": phone.number,
        "wid": phone.wid,
        "pushname": phone.pushname,
        "platform": phone.platform,
        "devices": devices,
        "messages": list(phone.messages),
    }


def _connection(connection: Connection) -> dict[str, object]:
    return {
        "id": connection.id,
        "stage": connection.stage,
        "device": connection.device if connection.stage is not Stage.ENDED else None,
        "page_state": connection.page_state,
        "refs": len(connection.refs),
    }
