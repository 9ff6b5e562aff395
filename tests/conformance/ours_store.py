"""Put our worker through what concerns its login and the store."""

from __future__ import annotations

import pathlib
import signal
import time
from collections.abc import Callable

from conformance import ours_hands
from conformance.scenarios import Observation, second_key_is_on_disk, wait_until


def remote_auth(directory: pathlib.Path) -> Observation:
    """Link, save, restore elsewhere, log out from the phone."""
    with ours_hands.home(directory, sync_bytes=5_000_000) as place:
        worker, device = ours_hands.linked(place)
        ours_hands.lost(place, worker)
        again = ours_hands.restored(place)
        place.simulator.admin.wait_for("the page to have synced", lambda devices: devices[0].synced)
        assert place.simulator.admin.verify(device)["ok"]
        mark = again.mark
        place.simulator.admin.logout(device)
        ours_hands.wait_for(again, "disconnected", after=mark)
        ours_hands.wait_for(again, "qr", after=mark)
        seen = place.simulator.admin.device(device)
        assert (seen.logins, seen.rollbacks, seen.two_browsers) == (2, 0, 0)
        return Observation("saved, restored, logged out", {"log": place.kinds()})


def local_auth(directory: pathlib.Path) -> Observation:
    """Link, stop, start again on the same directory."""
    with ours_hands.home(directory) as place:
        arguments = ("--auth", "local", "--client-id", "support", "--data-path", str(place.data))
        worker = place.run(*arguments)
        ours_hands.link(place, worker)
        ours_hands.wait_for(worker, "ready")
        assert worker.stop() == 0
        again = place.run(*arguments)
        ours_hands.wait_for(again, "ready")
        assert not again.all("qr"), again
        return Observation("ready again from its directory", {})


def no_auth(directory: pathlib.Path) -> Observation:
    """Link, stop, start again: a new QR code."""
    with ours_hands.home(directory) as place:
        worker = place.run("--auth", "none")
        ours_hands.link(place, worker)
        ours_hands.wait_for(worker, "ready")
        assert worker.stop() == 0
        ours_hands.wait_for(place.run("--auth", "none"), "qr")
        return Observation("qr at each start", {"logins": [d.logins for d in place.simulator.admin.devices()]})


def busy_saves(directory: pathlib.Path) -> Observation:
    """Save ten times while the page writes 64 KB every 5 ms, lose everything, restore."""
    with ours_hands.home(directory, sync_bytes=5_000_000) as place:
        worker, device = ours_hands.linked(place)
        place.simulator.admin.set_knobs(write_interval_s=0.005, write_bytes=65536)
        # A save before the first of these writes would find nothing new.
        verify = place.simulator.admin.verify
        wait_until("the page to write", lambda: verify(device)["written"] != 0, ours_hands.PATIENCE)
        for _ in range(10):
            mark = worker.mark
            worker.signal(signal.SIGUSR1)
            ours_hands.wait_for(worker, "saved", after=mark)
        ours_hands.lost(place, worker)
        place.simulator.admin.set_knobs(write_interval_s=0)
        ours_hands.restored(place)
        place.simulator.admin.wait_for("the page to have synced", lambda devices: devices[0].synced)
        checked = place.simulator.admin.verify(device)
        assert checked["ok"], checked
        return Observation("10 of 10 saves; the last restores whole", checked)


def early_save(directory: pathlib.Path) -> Observation:
    """Lose everything at the moment of the first save."""
    with ours_hands.home(directory) as place:
        worker = place.start()
        ours_hands.link(place, worker)
        ready = ours_hands.wait_for(worker, "ready")["time"]
        saved = ours_hands.wait_for(worker, "saved")["time"]
        ours_hands.lost(place, worker)
        ours_hands.restored(place)
        counts = place.simulator.admin.counts()
        assert "half_keys" not in counts
        return Observation(f"whole, {saved - ready:.1f} s after ready; restores", counts)


def damaged(directory: pathlib.Path, damage: Callable[[bytes], bytes]) -> Observation:
    """Damage the newest of two archives and restore."""
    with ours_hands.home(directory) as place:
        worker, device = ours_hands.linked(place)
        place.news(device)
        mark = worker.mark
        worker.signal(signal.SIGUSR1)
        ours_hands.wait_for(worker, "saved", after=mark)
        ours_hands.lost(place, worker)
        newest = place.archives()[-1]
        newest.write_bytes(damage(newest.read_bytes()))
        again = ours_hands.restored(place)
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
    with ours_hands.home(directory) as place:
        worker, device = ours_hands.linked(place)
        place.news(device)
        hidden = place.store.rename(place.root / "hidden")
        place.store.write_text("no directory")
        mark = worker.mark
        worker.signal(signal.SIGUSR1)
        reason = ours_hands.wait_for(worker, "fault", after=mark)["reason"]
        place.store.unlink()
        hidden.rename(place.store)
        ours_hands.wait_for(worker, "saved", after=mark)
        return Observation(f"{reason}, goes on, saves when it can", {"reason": reason})


def destroyed_early(directory: pathlib.Path) -> Observation:
    """Stop at the moment of ready."""
    with ours_hands.home(directory) as place:
        worker = place.start()
        ours_hands.link(place, worker)
        ours_hands.wait_for(worker, "ready")
        begun = time.monotonic()
        code = worker.stop()
        took = time.monotonic() - begun
        ours_hands.restored(place)
        return Observation(f"saved and gone in {took:.1f} s", {"exit": code, "took": took})


def store_away(directory: pathlib.Path) -> Observation:
    """Start again on a good local profile while the store cannot be asked."""
    with ours_hands.home(directory) as place:
        worker, _ = ours_hands.linked(place)
        wait_until("localStorage on the disk", lambda: second_key_is_on_disk(place.profile), ours_hands.PATIENCE)
        ours_hands.lost(place, worker)
        hidden = place.store.rename(place.root / "hidden")
        place.store.write_text("no directory")
        again = place.start()
        ours_hands.wait_for(again, "fault")
        assert second_key_is_on_disk(place.profile)
        place.store.unlink()
        hidden.rename(place.store)
        ours_hands.wait_for(again, "ready")
        assert not again.all("qr"), again
        return Observation("waits for it, ready without a QR", {})


def stale_lock(directory: pathlib.Path) -> Observation:
    """Start LocalAuth on a directory whose lock names another host: nobody can tell from here that it is gone."""
    with ours_hands.home(directory) as place:
        profile = place.data / "session-support"
        profile.mkdir(parents=True)
        (profile / "SingletonLock").symlink_to("another-pod-0-4711")
        worker = place.run("--auth", "local", "--client-id", "support", "--data-path", str(place.data))
        message = ours_hands.wait_for(worker, "fault")["message"]
        assert "another-pod-0" in message
        assert "Singleton" in message
        for lock in profile.glob("Singleton*"):
            lock.unlink()
        ours_hands.wait_for(
            place.run("--auth", "local", "--client-id", "support", "--data-path", str(place.data)), "qr"
        )
        return Observation("says who holds it and what to remove", {"message": message})
