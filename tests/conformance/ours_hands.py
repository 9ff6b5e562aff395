"""Start, link, lose and restore our worker in a scenario."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

import psutil

from component import workers
from simulator.testing import running_simulator

PATIENCE = 120.0


@contextlib.contextmanager
def home(directory: pathlib.Path, **knobs: Any) -> Iterator[workers.Home]:
    """Yield a place for workers with a simulator of its own."""
    chosen: dict[str, Any] = {"sync_bytes": 300_000, "sync_s": 0.5, **knobs}
    with (
        running_simulator(**chosen) as simulator,
        workers.home_at(directory / "ours", simulator) as made,
    ):
        yield made


def wait_for(worker: workers.Worker, name: str, after: int = 0, **fields: object) -> workers.Event:
    """Wait for an event, patiently: several browsers start at once here."""
    return worker.wait(name, after, PATIENCE, **fields)


def link(place: workers.Home, worker: workers.Worker, after: int = 0) -> str:
    """Scan the worker's code once it shows one; return the device."""
    wait_for(worker, "qr", after)
    return place.link(worker, after=after)


def linked(place: workers.Home) -> tuple[workers.Worker, str]:
    """Start a worker, link it and wait until its login is saved."""
    worker = place.start()
    device = link(place, worker)
    wait_for(worker, "saved")
    return worker, device


def elsewhere(place: workers.Home) -> pathlib.Path:
    """Return a directory that holds nothing yet, as on another machine."""
    return place.root / f"data-{len(place.started)}"


def lost(place: workers.Home, worker: workers.Worker) -> None:
    """Lose the worker, and wait until the server has seen its browser go."""
    worker.kill()
    for process in place.browsers():
        with contextlib.suppress(psutil.NoSuchProcess):  # it may follow its worker by itself
            process.kill()
    place.simulator.admin.wait_for("the browser to be gone", lambda devices: not any(d.online for d in devices))


def restored(place: workers.Home) -> workers.Worker:
    """Start on a machine that has only the store; return the worker once it is ready, without a QR code."""
    worker = place.start(data=elsewhere(place))
    wait_for(worker, "ready")
    assert not worker.all("qr"), worker
    return worker
