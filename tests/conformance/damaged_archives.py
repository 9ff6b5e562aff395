"""Try what the library does with an archive that is no whole one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from conformance import peer, scenarios
from conformance.scenarios import Observation
from simulator.testing import Running, running_simulator


def saved_session(place: peer.Place, sim: Running) -> str:
    """Link, save the whole login, and lose process and browser; return the device."""
    with peer.running(place, sim, "remote") as first:
        device = peer.link(first, sim)
        scenarios.wait_for_disk(place)
        first.save()
        first.kill()
    scenarios.wait_until("the server to see the end", lambda: not sim.admin.device(device).online, 60)
    return device


@contextlib.contextmanager
def restarted(place: peer.Place, sim: Running, **options: object) -> Iterator[peer.Peer]:
    """Run the library on a machine that has only the store."""
    with peer.running(place, sim, "remote", **options) as again:
        yield again


def damaged(place: peer.Place, content: bytes) -> peer.Said:
    """Start on an archive with this content; return what it says first of qr, ready or rejected."""
    place.store.mkdir(parents=True, exist_ok=True)
    place.archive().write_bytes(content)
    with running_simulator(sync_bytes=200_000) as sim, restarted(place, sim) as one:
        return one.first_of("qr", "ready", "rejected")


def half_zip(place: peer.Place) -> Observation:
    """Start on the first half of an archive."""
    with running_simulator(sync_bytes=1_000_000) as sim:
        saved_session(place, sim)
    content = place.archive().read_bytes()
    return told(damaged(place, content[: len(content) // 2]))


def empty_file(place: peer.Place) -> Observation:
    """Start on an empty archive."""
    return told(damaged(place, b""))


def noise(place: peer.Place) -> Observation:
    """Start on an archive that is no zip."""
    return told(damaged(place, b"\xa5" * 5000))


def told(first: peer.Said) -> Observation:
    """Describe what came first."""
    words = {"qr": "QR, without a word", "rejected": f"rejects: {first.details.get('error')}"[:50]}
    return Observation(words.get(first.event, first.event), {"first": first.event})
