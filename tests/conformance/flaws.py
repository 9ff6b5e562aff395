"""Try what the library is known to do badly: each row of the table is a test for ours."""

from __future__ import annotations

import dataclasses
import time
import zipfile

from conformance import peer, scenarios
from conformance.damaged_archives import empty_file, half_zip, noise, restarted, saved_session
from conformance.scenarios import Observation, Scenario, wait_until
from simulator.testing import Running, running_simulator

LIBRARY_PATIENCE_MS = 30_000
"""The library's own default of `authTimeoutMs`."""


def busy_saves(place: peer.Place) -> Observation:
    """Save while the page writes 64 KB every 5 ms."""
    attempts = failed = hung = 0
    with running_simulator() as sim, peer.running(place, sim, "remote") as one:
        peer.link(one, sim)
        sim.admin.set_knobs(write_interval_s=0.005, write_bytes=65536)
        scenarios.wait_for_disk(place)
        # It is a matter of luck; three failures are enough to call it a flaw.
        while failed < 3 and attempts < 40 and not hung:
            attempts += 1
            try:
                one.do("save")
            except peer.UnansweredError:
                # A file that vanishes at the wrong moment leaves its zip waiting for ever; so would be the next.
                failed, hung = failed + 1, 1
            except peer.SilentError as error:
                if "ENOENT" not in str(error):
                    raise
                failed += 1
        words = f"{failed} of {attempts} saves fail" + (" (the last one never ends)" if hung else "")
        return Observation(words, {"failed": failed, "attempts": attempts})


SECOND_WRITE = 45.0
"""Seconds: once Chromium has written localStorage, it does not write it again for most of a minute."""


def early_save(place: peer.Place) -> Observation:
    """Save at once when ready, kill, restore; again in a new place if that was not at once on a busy machine."""
    for number in range(5):
        there = dataclasses.replace(place, directory=place.directory / str(number))
        with running_simulator(sync_bytes=200_000) as sim:
            if saved_early(there, sim):
                with restarted(there, sim) as second:
                    second.wait_for("qr")
                half = sim.admin.counts().get("half_keys", 0)
                return Observation(f"QR after the restore ({half} half login)", {"half": half})
    raise AssertionError(f"this machine takes more than {SECOND_WRITE:.0f} s from a QR code to a save")


def saved_early(place: peer.Place, sim: Running) -> bool:
    """Link, save and kill; return whether all that was before Chromium's second write."""
    with peer.running(place, sim, "remote") as first:
        first.wait_for("qr")
        wait_until("the first write", lambda: scenarios.is_in_local_storage(place.profile(), "WAAdvSecretKey"), 90)
        begun = time.monotonic()
        peer.link(first, sim)
        first.save()
        took = time.monotonic() - begun
        first.kill()
    return took < SECOND_WRITE


def dead_archive(place: peer.Place) -> Observation:
    """Restore the archive of a device that the phone has unlinked."""
    with running_simulator(sync_bytes=200_000) as sim:
        device = saved_session(place, sim)
        sim.admin.logout(device)
        # The page leaves at once when it hears of the logout. Usually the library is listening by then, and is
        # interrupted; on a machine so busy that it comes after that, it finds a page that was never linked.
        sim.admin.set_knobs(login_delay_s=10.0)
        ends, told = [], []
        for _ in range(2):
            with restarted(place, sim, authTimeoutMs=LIBRARY_PATIENCE_MS) as again:
                ends.append(again.first_of("rejected", "qr", "ready"))
                told += [said.event for said in again.said() if said.event in ("disconnected", "auth_failure")]
        kept = place.archive().exists()
        rejected = sum(end.event == "rejected" for end in ends)
        how = f"rejects at {rejected} of 2 starts" + ("" if rejected == 2 else ", else a QR")
        words = f"{how}, without a word; the dead archive {'stays' if kept else 'is gone'}"
        return Observation(words, {"ends": [end.event for end in ends], "told": told, "archive_kept": kept})


def conflict(place: peer.Place) -> Observation:
    """Lose the connection to another browser."""
    with running_simulator(sync_bytes=200_000) as sim:
        device = saved_session(place, sim)
        with restarted(place, sim) as second:
            second.wait_for("ready")
            sim.admin.take_over(device)
            reason = second.wait_for("disconnected").details["reason"]
        kept = place.archive().exists()
        words = f"{reason}; the archive {'stays' if kept else 'is deleted'}"
        return Observation(words, {"reason": reason, "archive_kept": kept})


def failing_store(place: peer.Place) -> Observation:
    """Let the store refuse the first save, the one after the fixed minute."""
    place.set_store_mode("failing")
    with running_simulator(sync_bytes=200_000) as sim, peer.running(place, sim, "remote") as one:
        peer.link(one, sim)
        code = one.exit_code(180)
        errors = one.errors()
        words = "unhandled rejection" if "the store is away" in errors else "goes on"
        return Observation(f"{words}, exit code {code}", {"exit": code, "errors": errors})


def destroyed_early(place: peer.Place) -> Observation:
    """Stop within the fixed minute."""
    with running_simulator(sync_bytes=200_000) as sim, peer.running(place, sim, "remote") as one:
        peer.link(one, sim)
        one.do("destroy")
        code = one.exit_code(3)
        saved = one.heard(lambda said: any(item.event == "remote_session_saved" for item in said), 180)
        later = one.exit_code(5)
        facts = {"exit": code, "saved_later": saved, "exit_later": later}
        words = f"{'saves' if saved else 'no save'} a minute later, {'still runs' if later is None else 'exits'}"
        return Observation(words, facts)


def used_up_refs(place: peer.Place) -> Observation:
    """Let all refs of a QR code pass."""
    with running_simulator(ref_first_s=1.0, ref_next_s=0.5, ref_count=3) as sim, peer.running(place, sim, "no") as one:
        one.wait_for("qr")
        idle = sim.admin.wait_for_event("state", seconds=peer.PATIENCE)
        while idle.details["state"] != "UNPAIRED_IDLE":
            idle = sim.admin.wait_for_event("state", after=idle.number, seconds=peer.PATIENCE)
        # On a busy machine it looks after some of the refs are over, and tells of the last one late.
        time.sleep(2)
        quiet = one.says_nothing("qr", 5, beyond=len(one.said("qr")))
        return Observation("no further qr" if quiet else "another qr", {"quiet": quiet})


def idle_at_start(place: peer.Place) -> Observation:
    """Start on a page that has gone idle."""
    with running_simulator(idle_qr=True) as sim, peer.running(place, sim, "no") as one:
        text = str(one.wait_for("qr").details["qr"])
        quiet = one.says_nothing("qr", 3, beyond=1)
        ref = text.split(",")[0]
        return Observation(f"a QR code whose ref is '{ref}'", {"ref": ref, "quiet": quiet})


def early_sync(place: peer.Place) -> Observation:
    """Attach to a page that has already synced."""
    with running_simulator(sync_bytes=200_000) as sim:
        saved_session(place, sim)
        sim.admin.set_knobs(sync_fault="early")
        with restarted(place, sim) as one:
            sim.admin.wait_for("the page to have synced", lambda devices: devices[0].synced, peer.PATIENCE)
            one.wait_for("initialized")
            silent = one.says_nothing("ready", 8)
        return Observation("ready never fires" if silent else "ready", {"silent": silent})


def resync(place: peer.Place) -> Observation:
    """Let the synced flag flip after a reconnect."""
    with running_simulator(sync_bytes=200_000, sync_fault="again_on_reconnect") as sim:
        device = saved_session(place, sim)
        with restarted(place, sim) as one:
            one.wait_for("ready")
            for number in (2, 3):
                sim.admin.drop(device)
                one.wait_for("ready", number=number)

            # Asked once at each start, and once more for each timer (the first process had one, too).
            def timers_begun() -> int:
                return place.store_calls().count("sessionExists") - 3

            wait_until("the timer that follows the third ready", lambda: timers_begun() >= 3, peer.PATIENCE)
            ready, timers = len(one.said("ready")), timers_begun()
        return Observation(f"ready {ready} times, {timers} timers", {"ready": ready, "timers": timers})


def relinked(place: peer.Place) -> Observation:
    """Link again in the same process after a logout from the phone, and save."""
    with running_simulator(sync_bytes=200_000) as sim, peer.running(place, sim, "remote") as one:
        device = peer.link(one, sim)
        sim.admin.logout(device)
        one.wait_for("disconnected")
        text = one.wait_for("qr", number=2)
        sim.admin.scan("alice", str(text.details["qr"]))
        one.wait_for("ready", number=2)
        one.save()
        with zipfile.ZipFile(place.archive()) as archive:
            files = [name for name in archive.namelist() if not name.endswith("/")]
        size = place.archive().stat().st_size
        return Observation(f"saves a zip with {len(files)} files ({size} bytes)", {"size": size, "files": files})


def site_down(place: peer.Place) -> Observation:
    """Start while the site is away."""
    with running_simulator(sync_bytes=200_000) as sim:
        saved_session(place, sim)
        sim.admin.set_knobs(site_error=503)
        with restarted(place, sim, authTimeoutMs=LIBRARY_PATIENCE_MS) as one:
            said = one.wait_for("rejected")
        facts = {"error": said.details["error"], "after": said.after}
        return Observation(f"rejects '{said.details['error']}' after {said.after:.0f} s", facts)


def store_away(place: peer.Place) -> Observation:
    """Start again on a good local profile while the store cannot be asked."""
    with running_simulator(sync_bytes=200_000) as sim:
        saved_session(place, sim)
        assert scenarios.second_key_is_on_disk(place.profile())
        place.set_store_mode("absent")
        with restarted(place, sim) as one:
            one.wait_for("qr")
        kept = scenarios.second_key_is_on_disk(place.profile())
        words = f"QR; the local profile {'stays' if kept else 'is wiped'}"
        return Observation(words, {"logins": [device.logins for device in sim.admin.devices()], "kept": kept})


def stale_lock(place: peer.Place) -> Observation:
    """Start LocalAuth on a directory whose lock names a host that is gone."""
    profile = place.directory / "data" / "session-it"
    profile.mkdir(parents=True)
    (profile / "SingletonLock").symlink_to("another-pod-0-4711")
    with running_simulator() as sim, peer.running(place, sim, "local") as one:
        error = str(one.wait_for("rejected").details["error"])
        shown = "profile in use" if "in use" in error or "already running" in error else error[:40]
        return Observation(f"does not start: {shown}", {"error": error})


SCENARIOS = [
    Scenario("busy-saves", "saving while the page writes", "every save succeeds and restores whole", busy_saves),
    Scenario("early-save", "save at once when ready", "publish nothing that is half", early_save),
    Scenario("dead-archive", "archive of an unlinked device", "LoggedOut, archive set aside, a new QR", dead_archive),
    Scenario("conflict", "conflict without takeover", "delete nothing", conflict),
    Scenario("half-zip", "half a zip in the store", "restore the previous generation, say so", half_zip),
    Scenario("empty-file", "an empty file in the store", "restore the previous generation, say so", empty_file),
    Scenario("noise", "noise in the store", "restore the previous generation, say so", noise),
    Scenario("failing-store", "store.save throws", "a condition, retry, go on", failing_store, long=True),
    Scenario("destroyed-early", "destroy() within a minute", "save if whole, exit in time", destroyed_early, long=True),
    Scenario("used-up-refs", "refs used up", "refresh until the linking time-out", used_up_refs),
    Scenario("idle-at-start", "page idle at start", "refresh", idle_at_start),
    Scenario("early-sync", "page synced before listeners attach", "ready", early_sync),
    Scenario("resync", "synced flag flips at a reconnect", "one ready, one timer", resync),
    Scenario("relinked", "relink after a phone logout", "a real save", relinked),
    Scenario("site-down", "site down at start", "reconnect, lose nothing", site_down),
    Scenario("store-away", "store away at a restart", "keep the local profile", store_away),
    Scenario("stale-lock", "LocalAuth: a stale lock of another host", "say who holds it, how to mend it", stale_lock),
]
