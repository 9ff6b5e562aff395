"""A session's life on a laptop: link, save, loss of everything, back; and how it ends."""

import os
import shutil
import signal
from collections import Counter

import psutil
import pytest

from component import processes
from component.conftest import MakeHome
from component.workers import Home, wait
from whatsapp_worker.browser import command_line, process_switches


def test_the_login_survives_kill_9_and_the_loss_of_the_directory(home: Home) -> None:
    worker, device = home.linked()
    worker.kill()
    home.wait_for_browsers_to_end()
    shutil.rmtree(home.data)
    again = home.start()
    again.wait("ready")
    assert not again.all("qr")
    assert again.all("authenticated")
    home.assert_whole(device)
    assert home.simulator.admin.device(device).logins == 2
    assert home.simulator.admin.counts().get("two_browsers", 0) == 0


def test_a_clean_stop_saves_releases_and_ends_with_0_in_time(home: Home) -> None:
    worker, device = home.linked()
    home.news(device, "a step of the ratchet")
    assert worker.stop(90) == 0
    assert "ended code=0 seconds=" in worker.log.read_text(), "how long it took is told"
    assert home.kinds()[-1] == "release"
    assert worker.all("saved", trigger="Shutdown"), "what came after the first save is saved too"
    assert not home.browsers()
    shutil.rmtree(home.data)
    home.start().wait("ready")
    assert home.simulator.admin.device(device).rollbacks == 0


def test_a_session_can_be_stopped_and_started_many_times_without_a_rollback(home: Home) -> None:
    worker, device = home.linked()
    for number in range(3):
        home.news(device, f"message {number}")
        assert worker.stop() == 0
        shutil.rmtree(home.data)
        worker = home.start()
        worker.wait("ready")
    found = home.simulator.admin.device(device)
    assert (found.rollbacks, found.two_browsers, found.logins) == (0, 0, 4)
    home.assert_whole(device)


def test_a_restarted_container_keeps_its_own_newer_profile(home: Home) -> None:
    worker, device = home.linked()
    home.news(device, "after the save")
    worker.kill()
    home.start().wait("ready")
    assert home.simulator.admin.device(device).rollbacks == 0, "the archive is older than the profile"
    home.assert_whole(device)


def test_a_profile_of_an_unknown_kind_is_rubble_and_restored_afresh(home: Home) -> None:
    worker, device = home.linked()
    worker.kill()
    home.wait_for_browsers_to_end()
    home.profile.with_name(home.profile.name + ".marker.json").unlink()
    (home.profile / "Default" / "IndexedDB").rename(home.profile / "Default" / "rubble")
    home.start().wait("ready")
    home.assert_whole(device)
    assert not (home.profile / "Default" / "rubble").exists()


def test_a_local_profile_that_is_not_whole_is_replaced_by_the_archive(home: Home) -> None:
    worker, device = home.linked()
    worker.kill()
    home.wait_for_browsers_to_end()
    for manifest in home.profile.rglob("MANIFEST-*"):
        manifest.write_bytes(b"")
    home.start().wait("ready")
    home.assert_whole(device)


def test_the_browser_is_started_as_the_reference_says(home: Home) -> None:
    worker = home.start("--browser-arg=--disable-features=OurOwn")
    worker.wait("qr")
    root = next(process for process in home.browsers() if processes.is_root(process))
    command = root.cmdline()
    lists = [part for part in command if part.startswith("--disable-features=")]
    assert len(lists) == 1, "the last switch wins, so there must be one"
    features = set(lists[0].removeprefix("--disable-features=").split(","))
    saving = process_switches.features("disabled feature", separate=False)
    assert features == {*command_line.PLAYWRIGHT_DISABLED, *command_line.STORAGE_FEATURES, *saving, "OurOwn"}
    *playwrights, ours = [part for part in command if part.startswith("--enable-features=")]
    for named in playwrights:  # the last switch wins, so it must hold what Playwright switches on
        assert set(named.partition("=")[2].split(",")) <= set(ours.partition("=")[2].split(","))
    assert command_line.FLUSH in command
    assert "--disable-background-networking" in command
    assert "--enable-automation" not in command
    assert os.getpgid(root.pid) != os.getpgid(worker.process.pid), "a signal to the worker's group spares the browser"


@pytest.mark.parametrize("separate", [False, True], ids=["few", "separate"])
def test_the_browser_runs_in_few_processes_unless_a_setting_says_otherwise(home: Home, separate: bool) -> None:
    worker = home.start(env={"WHATSAPP_BROWSER_SEPARATE_PROCESSES": str(separate).lower()})
    worker.wait("qr")
    root = next(process for process in home.browsers() if processes.is_root(process))
    commands = [processes.command_line(process) for process in root.children(recursive=True)]
    hidden = [command for command in commands if "--top-chrome-webui" in command]
    kinds = Counter(part for command in commands for part in command if part.startswith("--type="))
    if separate:
        assert kinds["--type=gpu-process"] == 1
    else:
        assert not hidden
        assert not [part for command in commands for part in command if part.startswith("--crashpad-handler-pid")]
        assert kinds == {"--type=zygote": 1, "--type=renderer": 1, "--type=utility": 1}


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped in the middle of a snapshot"])
def test_no_browser_outlives_a_killed_worker(home: Home, stopped: bool) -> None:
    worker = home.start()
    worker.wait("qr")
    family = psutil.Process(worker.process.pid).children(recursive=True)
    assert home.browsers()
    if stopped:
        # A stopped browser does not notice that its pipe has closed.
        processes.send(home.browsers(), signal.SIGSTOP)
    worker.kill()
    wait(lambda: not home.browsers(), "the orphan to end")
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive, "neither driver nor watchdog stays"


def test_a_browser_left_by_a_killed_worker_and_guard_is_ended_at_the_next_start(home: Home) -> None:
    worker, _ = home.linked()
    orphans = home.browsers()
    children = psutil.Process(worker.process.pid).children()
    guards = [p for p in children if any("watchdog.py" in part for part in processes.command_line(p))]
    assert len(guards) == 1
    processes.send([*orphans, *guards], signal.SIGSTOP)
    worker.kill()
    assert processes.running(orphans)
    guards[0].kill()
    home.start().wait("ready")
    assert not processes.running(orphans)
    assert home.simulator.admin.counts().get("two_browsers", 0) == 0


def test_the_terminal_draws_the_code_and_tells_each_state(home: Home) -> None:
    worker = home.start("--events", "json")
    worker.wait("qr")
    worker.kill()
    process = home.spawn_text("run", "--auth", "none")
    wait(lambda: "valid for about" in process.text() or None, process.text)
    assert "█" in process.text() or "▀" in process.text()
    assert "waiting for a phone" in process.text()


def test_an_interval_save_happens_only_when_something_changed(make_home: MakeHome) -> None:
    home = make_home()
    worker, device = home.linked()
    before = len(home.archives())
    worker.signal(signal.SIGUSR1)
    wait(lambda: "unchanged" in worker.log.read_text(), lambda: f"an unchanged check; {worker}")
    assert len(home.archives()) == before, "nothing changed, nothing is uploaded"
    home.news(device, "news")
    worker.signal(signal.SIGUSR1)
    worker.wait("saved", trigger="Request")
    assert len(home.archives()) == before + 1


def test_a_worker_whose_session_was_taken_over_leaves_without_saving(home: Home) -> None:
    worker, device = home.linked()
    home.news(device, "not saved yet")
    taking = home.start("--take-over", data=home.root / "elsewhere")
    taking.wait("fault", reason="LeaseHeld")
    ended = worker.wait("ended")
    assert (ended["code"], ended["reason"]) == (0, "Superseded")
    assert worker.exit_code() == 0
    assert home.kinds() == ["claim", "generation", "claim"], "what the old one knows is not saved, nothing is released"
    assert not taking.all("state", state="Launching"), "the new one waits until the old one has surely seen it"


def test_a_change_is_saved_at_the_next_interval(home: Home) -> None:
    worker, device = home.linked("--backup-sync-interval", "1m")
    home.news(device, "news")
    worker.wait("saved", seconds=240, trigger="Interval")


def test_a_start_with_relink_sets_the_login_aside_and_asks_for_a_new_one(home: Home) -> None:
    worker, _ = home.linked()
    assert worker.stop() == 0
    archives = home.archives()
    again = home.start("--relink")
    device = home.link(again, "bob")
    again.wait("saved", trigger="FirstLink")
    assert home.archives()[: len(archives)] == archives, "set aside, not deleted"
    assert "logout" in home.kinds()
    assert again.stop() == 0
    shutil.rmtree(home.data)
    third = home.start()
    third.wait("ready")
    assert not third.all("qr")
    home.assert_whole(device)
