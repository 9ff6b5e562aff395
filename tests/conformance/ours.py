"""Put our worker through the same scenarios: what it does fills the table's last column."""

from __future__ import annotations

import contextlib
import pathlib
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from component import workers
from conformance.scenarios import Observation, second_key_is_on_disk, wait_until
from simulator import client
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
        process.kill()
    place.simulator.admin.wait_for("the browser to be gone", lambda devices: not any(d.online for d in devices))


def restored(place: workers.Home) -> workers.Worker:
    """Start on a machine that has only the store; return the worker once it is ready, without a QR code."""
    worker = place.start(data=elsewhere(place))
    wait_for(worker, "ready")
    assert not worker.all("qr"), worker
    return worker


def remote_auth(directory: pathlib.Path) -> Observation:
    """Link, save, restore elsewhere, log out from the phone."""
    with home(directory, sync_bytes=5_000_000) as place:
        worker, device = linked(place)
        lost(place, worker)
        again = restored(place)
        place.simulator.admin.wait_for("the page to have synced", lambda devices: devices[0].synced)
        assert place.simulator.admin.verify(device)["ok"]
        mark = again.mark
        place.simulator.admin.logout(device)
        wait_for(again, "disconnected", after=mark)
        wait_for(again, "qr", after=mark)
        seen = place.simulator.admin.device(device)
        assert (seen.logins, seen.rollbacks, seen.two_browsers) == (2, 0, 0)
        return Observation("saved, restored, logged out", {"log": place.kinds()})


def local_auth(directory: pathlib.Path) -> Observation:
    """Link, stop, start again on the same directory."""
    with home(directory) as place:
        arguments = ("--auth", "local", "--client-id", "support", "--data-path", str(place.data))
        worker = place.run(*arguments)
        link(place, worker)
        wait_for(worker, "ready")
        assert worker.stop() == 0
        again = place.run(*arguments)
        wait_for(again, "ready")
        assert not again.all("qr"), again
        return Observation("ready again from its directory", {})


def no_auth(directory: pathlib.Path) -> Observation:
    """Link, stop, start again: a new QR code."""
    with home(directory) as place:
        worker = place.run("--auth", "none")
        link(place, worker)
        wait_for(worker, "ready")
        assert worker.stop() == 0
        wait_for(place.run("--auth", "none"), "qr")
        return Observation("qr at each start", {"logins": [d.logins for d in place.simulator.admin.devices()]})


def busy_saves(directory: pathlib.Path) -> Observation:
    """Save ten times while the page writes 64 KB every 5 ms, lose everything, restore."""
    with home(directory, sync_bytes=5_000_000) as place:
        worker, device = linked(place)
        place.simulator.admin.set_knobs(write_interval_s=0.005, write_bytes=65536)
        for _ in range(10):
            mark = worker.mark
            worker.signal(signal.SIGUSR1)
            wait_for(worker, "saved", after=mark)
        lost(place, worker)
        place.simulator.admin.set_knobs(write_interval_s=0)
        restored(place)
        place.simulator.admin.wait_for("the page to have synced", lambda devices: devices[0].synced)
        checked = place.simulator.admin.verify(device)
        assert checked["ok"], checked
        return Observation("10 of 10 saves; the last restores whole", checked)


def early_save(directory: pathlib.Path) -> Observation:
    """Lose everything at the moment of the first save."""
    with home(directory) as place:
        worker = place.start()
        link(place, worker)
        ready = wait_for(worker, "ready")["time"]
        saved = wait_for(worker, "saved")["time"]
        lost(place, worker)
        restored(place)
        counts = place.simulator.admin.counts()
        assert "half_keys" not in counts
        return Observation(f"whole, {saved - ready:.1f} s after ready; restores", counts)


def dead_archive(directory: pathlib.Path) -> Observation:
    """Restore the archive of a device that the phone has unlinked."""
    with home(directory) as place:
        worker, device = linked(place)
        lost(place, worker)
        place.simulator.admin.logout(device)
        again = place.start(data=elsewhere(place))
        link(place, again)
        wait_for(again, "ready")
        return Observation("says so, shows a new QR, links again", {"log": place.kinds()})


def conflict(directory: pathlib.Path) -> Observation:
    """Lose the connection to another browser."""
    with home(directory) as place:
        worker, device = linked(place)
        before = place.archives()
        place.simulator.admin.take_over(device)
        wait_for(worker, "change_state", state="CONFLICT")
        wait_for(worker, "state", state="Conflict")
        assert [path for path in before if path.exists()] == before
        return Observation("Conflict; every archive stays", {"archives": len(before)})


def damaged(directory: pathlib.Path, damage: Callable[[bytes], bytes]) -> Observation:
    """Damage the newest of two archives and restore."""
    with home(directory) as place:
        worker, _ = linked(place)
        mark = worker.mark
        place.simulator.admin.write("alice", "4917", "something new")
        worker.signal(signal.SIGUSR1)
        wait_for(worker, "saved", after=mark)
        lost(place, worker)
        newest = place.archives()[-1]
        newest.write_bytes(damage(newest.read_bytes()))
        again = restored(place)
        reasons = [event["reason"] for event in again.all("fault")]
        return Observation(f"restores the one before; says {', '.join(reasons) or 'nothing'}", {"faults": reasons})


def half_zip(directory: pathlib.Path) -> Observation:
    """Restore when the newest archive is half."""
    return damaged(directory, lambda content: content[: len(content) // 2])


def empty_file(directory: pathlib.Path) -> Observation:
    """Restore when the newest archive is empty."""
    return damaged(directory, lambda _: b"")


def noise(directory: pathlib.Path) -> Observation:
    """Restore when the newest archive is noise."""
    return damaged(directory, lambda content: b"\xa5" * len(content))


def failing_store(directory: pathlib.Path) -> Observation:
    """Let the store go away before a save and come back."""
    with home(directory) as place:
        worker, _ = linked(place)
        hidden = place.store.rename(place.root / "hidden")
        place.store.write_text("no directory")
        mark = worker.mark
        place.simulator.admin.write("alice", "4917", "something new")
        worker.signal(signal.SIGUSR1)
        reason = wait_for(worker, "fault", after=mark)["reason"]
        place.store.unlink()
        hidden.rename(place.store)
        wait_for(worker, "saved", after=mark)
        return Observation(f"{reason}, goes on, saves when it can", {"reason": reason})


def destroyed_early(directory: pathlib.Path) -> Observation:
    """Stop at the moment of ready."""
    with home(directory) as place:
        worker = place.start()
        link(place, worker)
        wait_for(worker, "ready")
        begun = time.monotonic()
        code = worker.stop()
        took = time.monotonic() - begun
        restored(place)
        return Observation(f"saved and gone in {took:.1f} s", {"exit": code, "took": took})


def used_up_refs(directory: pathlib.Path) -> Observation:
    """Let all refs of a QR code pass."""
    with home(directory, ref_first_s=1.0, ref_next_s=0.5, ref_count=3) as place:
        worker = place.start()
        wait_until("more codes than one batch has", lambda: len(worker.all("qr")) > 4, PATIENCE)
        return Observation("refreshes the code", {"codes": len(worker.all("qr"))})


def idle_at_start(directory: pathlib.Path) -> Observation:
    """Start on a page that has gone idle."""
    with home(directory, idle_qr=True) as place:
        worker = place.start()
        link(place, worker)
        wait_for(worker, "ready")
        return Observation("refreshes, and links", {})


def early_sync(directory: pathlib.Path) -> Observation:
    """Attach to a page that has already synced."""
    with home(directory) as place:
        worker, _ = linked(place)
        lost(place, worker)
        place.simulator.admin.set_knobs(sync_fault="early")
        restored(place)
        return Observation("ready", {})


def resync(directory: pathlib.Path) -> Observation:
    """Let the synced flag flip after reconnects."""
    with home(directory, sync_fault="again_on_reconnect") as place:
        worker, device = linked(place)
        for logins in (2, 3):
            place.simulator.admin.drop(device)
            device_is_back(place.simulator.admin, logins)
        mark = worker.mark
        place.simulator.admin.write("alice", "4917", "something new")
        worker.signal(signal.SIGUSR1)
        wait_for(worker, "saved", after=mark)
        ready = len(worker.all("ready"))
        assert ready == 1, worker
        return Observation(f"ready {ready} time", {"ready": ready})


def device_is_back(admin: client.Admin, logins: int) -> None:
    """Wait until the only device has logged in so often and is on line."""
    admin.wait_for("it to be back", lambda devices: devices[0].logins == logins and devices[0].synced)


def relinked(directory: pathlib.Path) -> Observation:
    """Link again in the same process after a logout from the phone."""
    with home(directory) as place:
        worker, device = linked(place)
        mark = worker.mark
        place.simulator.admin.logout(device)
        link(place, worker, after=mark)
        wait_for(worker, "saved", after=mark)
        lost(place, worker)
        restored(place)
        return Observation("saves it; restores", {"log": place.kinds()})


def site_down(directory: pathlib.Path) -> Observation:
    """Start while the site is away."""
    with home(directory) as place:
        worker, _ = linked(place)
        lost(place, worker)
        place.simulator.admin.set_knobs(site_error=503)
        again = place.start(data=elsewhere(place))
        wait_until(
            "a word about it", lambda: bool(again.all("fault") or again.all("state", state="Reconnecting")), PATIENCE
        )
        said = [event["reason"] for event in again.all("fault")] or ["Reconnecting"]
        place.simulator.admin.set_knobs(site_error=0)
        wait_for(again, "ready")
        assert not again.all("qr"), again
        return Observation(f"{said[0]}, then ready", {"said": said})


def store_away(directory: pathlib.Path) -> Observation:
    """Start again on a good local profile while the store cannot be asked."""
    with home(directory) as place:
        worker, _ = linked(place)
        wait_until("localStorage on the disk", lambda: second_key_is_on_disk(place.profile), 30)
        lost(place, worker)
        hidden = place.store.rename(place.root / "hidden")
        place.store.write_text("no directory")
        again = place.start()
        wait_for(again, "fault")
        assert second_key_is_on_disk(place.profile)
        place.store.unlink()
        hidden.rename(place.store)
        wait_for(again, "ready")
        assert not again.all("qr"), again
        return Observation("waits for it, ready without a QR", {})


def stale_lock(directory: pathlib.Path) -> Observation:
    """Start LocalAuth on a directory whose lock names another host: nobody can tell from here that it is gone."""
    with home(directory) as place:
        profile = place.data / "session-support"
        profile.mkdir(parents=True)
        (profile / "SingletonLock").symlink_to("another-pod-0-4711")
        worker = place.run("--auth", "local", "--client-id", "support", "--data-path", str(place.data))
        message = wait_for(worker, "fault")["message"]
        assert "another-pod-0" in message
        assert "Singleton" in message
        for lock in profile.glob("Singleton*"):
            lock.unlink()
        wait_for(place.run("--auth", "local", "--client-id", "support", "--data-path", str(place.data)), "qr")
        return Observation("says who holds it and what to remove", {"message": message})


LONG = {"site-down"}  # mostly waits for the worker to look again
RUNS: dict[str, Callable[[pathlib.Path], Observation]] = {
    "remote-auth": remote_auth,
    "local-auth": local_auth,
    "no-auth": no_auth,
    "busy-saves": busy_saves,
    "early-save": early_save,
    "dead-archive": dead_archive,
    "conflict": conflict,
    "half-zip": half_zip,
    "empty-file": empty_file,
    "noise": noise,
    "failing-store": failing_store,
    "destroyed-early": destroyed_early,
    "used-up-refs": used_up_refs,
    "idle-at-start": idle_at_start,
    "early-sync": early_sync,
    "resync": resync,
    "relinked": relinked,
    "site-down": site_down,
    "store-away": store_away,
    "stale-lock": stale_lock,
}
