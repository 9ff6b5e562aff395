"""What the JavaScript library was seen to do wrong, row by row, and what ours does instead."""

import pathlib
import shutil
import signal
from collections.abc import Callable

import pytest

from component.conftest import MakeHome
from component.workers import Home, Worker, lose_everything_but_the_store, wait
from simulator.client import RefusedError


def test_a_login_that_the_phone_removed_meanwhile_is_set_aside_and_a_new_code_shown(home: Home) -> None:
    worker, device = home.linked()
    assert worker.stop() == 0
    archives = home.archives()
    home.simulator.admin.logout(device)
    shutil.rmtree(home.data)
    again = home.start()
    again.wait("disconnected", reason="LOGOUT")
    again.wait("qr")
    assert not again.all("auth_failure")
    assert home.archives() == archives, "set aside, not deleted"
    wait(lambda: "logout" in home.kinds(), "the tombstone in the log")
    lose_everything_but_the_store(home, again)
    third = home.start()
    third.wait("qr")
    assert not third.all("disconnected", reason="LOGOUT"), "the dead archive is never restored again"
    home.link(third)
    third.wait("saved", trigger="FirstLink")
    lose_everything_but_the_store(home, third)
    fourth = home.start()
    fourth.wait("ready")
    assert not fourth.all("qr")


def test_after_a_logout_the_same_process_links_again_and_saves_a_real_archive(home: Home) -> None:
    worker, device = home.linked()
    mark = worker.mark
    home.simulator.admin.logout(device)
    second = home.link(worker, after=mark)
    worker.wait("saved", mark, trigger="FirstLink")
    assert second != device
    lose_everything_but_the_store(home, worker)
    again = home.start()
    again.wait("ready")
    assert not again.all("qr")
    home.assert_whole(second)


@pytest.mark.parametrize("fault", ["stays", "unpaired"])
def test_a_page_that_does_not_leave_after_a_logout_is_one_logout_and_one_new_link(home: Home, fault: str) -> None:
    home.simulator.admin.set_knobs(logout_fault=fault)
    worker, device = home.linked()
    mark = worker.mark
    home.simulator.admin.logout(device)
    assert home.link(worker, after=mark) != device
    worker.wait("saved", mark, trigger="FirstLink")
    assert len(worker.all("disconnected", reason="LOGOUT")) == 1
    assert not worker.all("fault", reason="SnapshotFailed"), worker
    assert not worker.all("fault", reason="RestoreFailed"), worker
    assert len(worker.all("ready")) == 2


def test_a_conflict_deletes_nothing_and_the_newest_claim_keeps_the_session(home: Home) -> None:
    worker, device = home.linked()
    archives, mark = home.archives(), worker.mark
    assert home.simulator.admin.take_over(device)
    worker.wait("state", mark, state="Conflict")
    worker.wait("state", mark, state="Connected")
    assert home.archives() == archives
    assert home.kinds() == ["claim", "generation"]
    home.assert_whole(device)


DAMAGE: dict[str, Callable[[pathlib.Path], object]] = {
    "half a zip": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "an empty file": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(bytes(range(256)) * 4000),
    "a missing file": lambda path: path.unlink(),
}


def test_a_damaged_archive_is_refused_by_name_and_the_previous_generation_restored(home: Home) -> None:
    worker, device = home.linked()
    home.news(device)
    worker.signal(signal.SIGUSR1)
    worker.wait("saved", generation=2)
    worker.kill()
    home.wait_for_browsers_to_end()
    for number, (damage, harm) in enumerate(DAMAGE.items()):
        copy = Home(home.root / str(number), home.simulator)
        shutil.copytree(home.store, copy.store)
        harm(copy.archives()[-1])
        try:
            again = copy.start()
            fault = again.wait("fault", reason="RestoreFailed")
            assert "generation 2" in fault["message"], damage
            again.wait("ready")
            assert not again.all("qr"), damage
        finally:
            copy.end()


def test_when_no_archive_is_whole_a_link_is_asked_for_and_the_reason_said(home: Home) -> None:
    worker, _ = home.linked()
    lose_everything_but_the_store(home, worker)
    for path in home.store.glob("*.zip"):
        path.unlink()  # the wwebjs-compatible copy would be restored
    for path in home.archives():
        path.write_bytes(b"noise")
    again = home.start()
    again.wait("fault", reason="RestoreFailed")
    again.wait("qr")
    home.link(again)
    again.wait("saved", trigger="FirstLink")
    assert home.records()[-1]["generation"]["number"] == 2


def test_when_every_archive_is_gone_no_code_is_shown_because_the_store_may_be_the_wrong_one(home: Home) -> None:
    worker, _ = home.linked()
    lose_everything_but_the_store(home, worker)
    shutil.rmtree(home.session / "archives")
    for path in home.store.glob("*.zip"):
        path.unlink()
    again = home.start()
    assert again.wait("ended")["reason"] == "ArchiveMissing"
    assert again.exit_code() == 3
    assert not again.all("qr")


def test_a_store_that_fails_is_told_and_tried_again_while_the_session_goes_on(home: Home) -> None:
    worker = home.start()
    worker.wait("qr")
    blocked = home.session / "archives"
    blocked.write_text("no directory: every save fails")
    device = home.link(worker)
    fault = worker.wait("fault", reason="StoreUnavailable")
    assert f"the store's directory {home.store} answered" in fault["message"]
    assert worker.all("state")[-1]["state"] == "Connected"
    home.assert_whole(device)
    blocked.unlink()
    worker.wait("saved", trigger="FirstLink")


def test_a_stop_right_after_ready_saves_and_ends_in_time(home: Home) -> None:
    worker = home.start()
    device = home.link(worker)
    worker.wait("ready")
    assert worker.stop(90) == 0
    assert "generation" in home.kinds()
    shutil.rmtree(home.data)
    home.start().wait("ready")
    home.assert_whole(device)


def test_a_stop_during_the_first_sync_waits_for_it_and_keeps_the_link(make_home: MakeHome) -> None:
    home = make_home(sync_s=8)
    worker = home.start()
    device = home.link(worker)
    worker.wait("state", state="Syncing")
    assert worker.stop() == 0
    assert home.kinds() == ["claim", "generation", "release"]
    shutil.rmtree(home.data)
    home.simulator.admin.set_knobs(sync_s=0.5)
    again = home.start()
    again.wait("ready")
    assert not again.all("qr")
    home.assert_whole(device)


def test_codes_that_are_used_up_are_refreshed(make_home: MakeHome) -> None:
    home = make_home(ref_first_s=0.6, ref_next_s=0.3, ref_count=2)
    worker = home.start()
    wait(lambda: len({event["code"] for event in worker.all("qr")}) >= 6, lambda: f"six codes; {worker}")
    home.simulator.admin.set_knobs(ref_first_s=60)
    wait(lambda: scanned(home, worker), "a code to be scanned in time")
    worker.wait("ready")


def scanned(home: Home, worker: Worker) -> bool:
    """Scan the newest code; False when it has just expired."""
    try:
        return home.simulator.admin.scan("alice", worker.all("qr")[-1]["code"]) is not None
    except RefusedError:
        return False


def test_a_page_that_synced_before_anybody_listened_is_ready(make_home: MakeHome) -> None:
    home = make_home(sync_fault="early")
    worker, device = home.linked()
    assert len(worker.all("ready")) == 1
    home.assert_whole(device)


@pytest.mark.parametrize("fault", ["flapping", "again_on_reconnect"])
def test_ready_comes_once_however_often_the_page_says_that_it_has_synced(make_home: MakeHome, fault: str) -> None:
    home = make_home(sync_fault=fault, flaps=3, flap_s=0.2)
    worker, device = home.linked()
    home.simulator.admin.drop(device)
    wait(lambda: home.simulator.admin.device(device).online, "the page to be back")
    home.assert_whole(device)
    assert len(worker.all("ready")) == 1
    assert len(worker.all("authenticated")) == 1
    assert len(worker.all("saved", trigger="FirstLink")) == 1


def test_a_site_that_is_down_at_the_start_is_waited_for_and_nothing_is_lost(home: Home) -> None:
    worker, device = home.linked()
    assert worker.stop() == 0
    archives = home.archives()
    home.simulator.admin.set_site(False)
    again = home.start()
    again.wait("state", state="Reconnecting")
    again.wait("fault", reason="Reconnecting")
    home.simulator.admin.set_site(True)
    again.wait("ready")
    assert not again.all("qr")
    assert home.archives()[: len(archives)] == archives
    home.assert_whole(device)


def test_a_site_that_answers_503_is_waited_for_and_the_page_is_not_said_to_have_changed(home: Home) -> None:
    worker, _ = home.linked()
    assert worker.stop() == 0
    home.simulator.admin.set_knobs(site_error=503)
    again = home.start()
    fault = again.wait("fault", reason="Reconnecting")
    assert "503" in fault["message"]
    again.wait("state", state="Reconnecting")
    home.simulator.admin.set_knobs(site_error=0)
    again.wait("ready")
    assert not again.all("fault", reason="PageContractBroken")
    assert not again.all("qr")


def test_a_restart_while_the_store_is_unreachable_waits_and_keeps_the_local_profile(home: Home) -> None:
    worker, device = home.linked()
    home.news(device)
    worker.kill()
    home.wait_for_browsers_to_end()
    away = home.root / "away"
    home.store.rename(away)
    home.store.write_text("an unreachable store")
    again = home.start()
    again.wait("fault", reason="StoreUnavailable")
    assert (home.profile / "Default").is_dir()
    home.store.unlink()
    away.rename(home.store)
    again.wait("ready")
    assert not again.all("qr")
    assert home.simulator.admin.device(device).rollbacks == 0, "the local profile is newer than the archive"


def test_a_lost_network_is_reconnecting_and_then_connected_again(home: Home) -> None:
    worker, _ = home.linked()
    mark = worker.mark
    home.simulator.admin.set_network(False)
    worker.wait("state", mark, state="Reconnecting")
    home.simulator.admin.set_network(True)
    worker.wait("state", mark, state="Connected")
    assert len(worker.all("ready")) == 1


def test_a_stop_while_the_network_is_down_saves_what_is_not_saved_yet(home: Home) -> None:
    worker, device = home.linked()
    home.news(device)
    mark = worker.mark
    home.simulator.admin.set_network(False)
    worker.wait("state", mark, state="Reconnecting")
    assert worker.stop() == 0
    assert worker.all("saved", trigger="Shutdown")
    home.simulator.admin.set_network(True)
    shutil.rmtree(home.data)
    home.start().wait("ready")
    assert home.simulator.admin.device(device).rollbacks == 0
