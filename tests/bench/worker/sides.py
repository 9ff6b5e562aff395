"""Let our worker and the unmodified library do the same: show a code, be linked, be saved, be lost, come back."""

import os
import pathlib
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import psutil

from bench.worker import footprint
from component import workers
from conformance import ours_hands, packages, peer, scenarios
from simulator.testing import Running, running_simulator

SETTLE_SECONDS = float(os.environ.get("WSO_SETTLE_SECONDS", "15"))
"""From ready until memory is read."""
IDLE_SECONDS = float(os.environ.get("WSO_IDLE_SECONDS", "20"))
QR, READY, RESTORED, CPU = "start to QR, s", "scan to ready, s", "restore to ready, s", "CPU of a restore, s"
SAVED = "scan to saved, s"
PSS, PRIVATE, KEEPER = "memory, PSS, MiB", "memory, private, MiB", "of it beside Chromium, MiB"
IDLE = "idle CPU, % of a core"
FIGURES = (QR, READY, SAVED, RESTORED, CPU, PSS, PRIVATE, KEEPER, IDLE)
Figures = dict[str, float]
Side = Callable[[pathlib.Path, int], Figures]


def ours(directory: pathlib.Path, megabytes: int) -> Figures:
    """Run our worker once through a session's life."""
    with _simulator(megabytes) as simulator, workers.home_at(directory, simulator) as home:
        figures: Figures = {}
        began = time.monotonic()
        worker = home.start(env=_environment())
        ours_hands.wait_for(worker, "qr")
        figures[QR] = _since(began)
        home.link(worker)
        scanned = time.monotonic()
        ours_hands.wait_for(worker, "ready")
        figures[READY] = _since(scanned)
        ours_hands.wait_for(worker, "saved")
        figures[SAVED] = _since(scanned)
        figures |= _at_rest(psutil.Process(worker.process.pid))
        ours_hands.lost(home, worker)
        began = time.monotonic()
        second = home.start(data=ours_hands.elsewhere(home), env=_environment())
        ours_hands.wait_for(second, "ready")
        figures[RESTORED] = _since(began)
        figures[CPU] = footprint.cpu(psutil.Process(second.process.pid))
        assert not second.all("qr")
        return figures


def theirs(directory: pathlib.Path, megabytes: int) -> Figures:
    """Run the library once through a session's life; it saves by itself after a minute, which is not waited for."""
    directory.mkdir(parents=True)
    place = peer.Place(packages.installed(), packages.browser(), directory)
    with _simulator(megabytes) as simulator:
        figures: Figures = {}
        began = time.monotonic()
        with peer.running(place, simulator, "remote") as first:
            said = first.wait_for("qr")
            figures[QR] = _since(began)
            scanned = time.monotonic()
            assert simulator.admin.scan("alice", str(said.details["qr"])) is not None
            first.wait_for("ready")
            figures[READY] = _since(scanned)
            figures |= _at_rest(psutil.Process(first.process.pid))
            if os.environ.get("WSO_OWN_SAVE") == "1":
                first.wait_for_own_save()
                figures[SAVED] = _since(scanned)
            scenarios.wait_for_disk(place)
            first.save()
            first.kill()
        simulator.admin.wait_for("the browser to be gone", lambda devices: not any(d.online for d in devices))
        began = time.monotonic()
        with peer.running(place, simulator, "remote") as second:
            second.wait_for("ready")
            figures[RESTORED] = _since(began)
            figures[CPU] = footprint.cpu(psutil.Process(second.process.pid))
        return figures


SIDES: Mapping[str, Side] = {"ours": ours, "whatsapp-web.js": theirs}


def _simulator(megabytes: int) -> AbstractContextManager[Running]:
    return running_simulator(sync_bytes=megabytes * 1_000_000, sync_s=0.5)


def _environment() -> dict[str, str]:
    """Return what the worker gets: compiled byte code, as in its image, and WHATSAPP_... of the benchmark's own."""
    given = {name: value for name, value in os.environ.items() if name.startswith("WHATSAPP_")}
    return {**given, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(packages.cache() / "byte-code")}


def _since(began: float) -> float:
    return time.monotonic() - began


def _at_rest(top: psutil.Process) -> Figures:
    time.sleep(SETTLE_SECONDS)
    taken = footprint.memory(top)
    if os.environ.get("WSO_PARTS") == "1":
        print("   ", ", ".join(f"{kind} {size:.0f}" for kind, size in footprint.parts(top)), flush=True)
    before = footprint.cpu(top)
    time.sleep(IDLE_SECONDS)
    idle = (footprint.cpu(top) - before) / IDLE_SECONDS * 100
    return {PSS: taken.pss, PRIVATE: taken.private, KEEPER: taken.keeper, IDLE: idle}
