"""Put our worker through what the page and the phone do."""

from __future__ import annotations

import pathlib
import signal

from conformance import ours_hands
from conformance.scenarios import Observation, wait_until
from simulator import client


def dead_archive(directory: pathlib.Path) -> Observation:
    """Restore the archive of a device that the phone has unlinked."""
    with ours_hands.home(directory) as place:
        worker, device = ours_hands.linked(place)
        ours_hands.lost(place, worker)
        place.simulator.admin.logout(device)
        again = place.start(data=ours_hands.elsewhere(place))
        ours_hands.link(place, again)
        ours_hands.wait_for(again, "ready")
        return Observation("says so, shows a new QR, links again", {"log": place.kinds()})


def conflict(directory: pathlib.Path) -> Observation:
    """Lose the connection to another browser."""
    with ours_hands.home(directory) as place:
        worker, device = ours_hands.linked(place)
        before = place.archives()
        place.simulator.admin.take_over(device)
        ours_hands.wait_for(worker, "change_state", state="CONFLICT")
        ours_hands.wait_for(worker, "state", state="Conflict")
        assert [path for path in before if path.exists()] == before
        return Observation("Conflict; every archive stays", {"archives": len(before)})


def used_up_refs(directory: pathlib.Path) -> Observation:
    """Let all refs of a QR code pass."""
    with ours_hands.home(directory, ref_first_s=1.0, ref_next_s=0.5, ref_count=3) as place:
        worker = place.start()
        wait_until("more codes than one batch has", lambda: len(worker.all("qr")) > 4, ours_hands.PATIENCE)
        return Observation("refreshes the code", {"codes": len(worker.all("qr"))})


def idle_at_start(directory: pathlib.Path) -> Observation:
    """Start on a page that has gone idle."""
    with ours_hands.home(directory, idle_qr=True) as place:
        worker = place.start()
        ours_hands.link(place, worker)
        ours_hands.wait_for(worker, "ready")
        return Observation("refreshes, and links", {})


def early_sync(directory: pathlib.Path) -> Observation:
    """Attach to a page that has already synced."""
    with ours_hands.home(directory) as place:
        worker, _ = ours_hands.linked(place)
        ours_hands.lost(place, worker)
        place.simulator.admin.set_knobs(sync_fault="early")
        ours_hands.restored(place)
        return Observation("ready", {})


def resync(directory: pathlib.Path) -> Observation:
    """Let the synced flag flip after reconnects."""
    with ours_hands.home(directory, sync_fault="again_on_reconnect") as place:
        worker, device = ours_hands.linked(place)
        for logins in (2, 3):
            place.simulator.admin.drop(device)
            device_is_back(place.simulator.admin, logins)
        mark = worker.mark
        place.news(device)
        worker.signal(signal.SIGUSR1)
        ours_hands.wait_for(worker, "saved", after=mark)
        ready = len(worker.all("ready"))
        assert ready == 1, worker
        return Observation(f"ready {ready} time", {"ready": ready})


def device_is_back(admin: client.Admin, logins: int) -> None:
    """Wait until the only device has logged in so often and is on line."""
    admin.wait_for("it to be back", lambda devices: devices[0].logins == logins and devices[0].synced)


def relinked(directory: pathlib.Path) -> Observation:
    """Link again in the same process after a logout from the phone."""
    with ours_hands.home(directory) as place:
        worker, device = ours_hands.linked(place)
        mark = worker.mark
        place.simulator.admin.logout(device)
        ours_hands.link(place, worker, after=mark)
        ours_hands.wait_for(worker, "saved", after=mark)
        ours_hands.lost(place, worker)
        ours_hands.restored(place)
        return Observation("saves it; restores", {"log": place.kinds()})


def site_down(directory: pathlib.Path) -> Observation:
    """Start while the site is away."""
    with ours_hands.home(directory) as place:
        worker, _ = ours_hands.linked(place)
        ours_hands.lost(place, worker)
        place.simulator.admin.set_knobs(site_error=503)
        again = place.start(data=ours_hands.elsewhere(place))
        wait_until(
            "a word about it",
            lambda: bool(again.all("fault") or again.all("state", state="Reconnecting")),
            ours_hands.PATIENCE,
        )
        said = [event["reason"] for event in again.all("fault")] or ["Reconnecting"]
        place.simulator.admin.set_knobs(site_error=0)
        ours_hands.wait_for(again, "ready")
        assert not again.all("qr"), again
        return Observation(f"{said[0]}, then ready", {"said": said})
