"""What users of such sessions complain about: each is a test of what ours does."""

import asyncio
import json
import signal

import pytest

from component import processes
from component.conftest import MakeHome
from component.workers import Home, lose_everything_but_the_store, wait
from whatsapp_session.backoff import Backoff
from whatsapp_worker import Client, Options, RemoteAuth
from whatsapp_worker.core import recovery
from whatsapp_worker.core.state import Problem, State


def test_two_workers_on_one_store_do_not_take_each_others_session(home: Home) -> None:
    worker, _ = home.linked()
    mark = worker.mark
    second = home.start(data=home.root / "elsewhere")
    ended = second.wait("ended")
    assert (ended["code"], ended["reason"]) == (3, "StoreSessionInUse")
    assert "is in use by process" in ended["message"]
    assert home.kinds() == ["claim", "generation"], "the second one left no trace"
    assert not worker.all("state", mark)


def test_a_session_that_was_released_may_be_continued_from_elsewhere(home: Home) -> None:
    worker, device = home.linked()
    assert worker.stop() == 0
    second = home.start(data=home.root / "elsewhere")
    second.wait("ready")
    home.assert_whole(device)


def test_a_second_worker_on_the_same_directory_is_refused_in_one_sentence(home: Home) -> None:
    worker, _ = home.linked()
    second = home.start()
    assert second.wait("ended")["code"] == 2
    assert "another worker uses" in second.log.read_text()
    assert worker.process.poll() is None
    assert home.browsers()


def test_a_code_that_nobody_scans_expires_after_the_linking_timeout(home: Home) -> None:
    worker = home.start("--linking-timeout", "10s")
    worker.wait("qr")
    ended = worker.wait("ended")
    assert (ended["code"], ended["reason"]) == (0, "QRExpired")
    assert worker.all("state")[-1]["state"] == "LinkExpired"
    assert worker.exit_code() == 0
    assert home.kinds() == ["claim", "release"]


@pytest.mark.parametrize("what", ["renderer", "browser"])
def test_a_session_whose_browser_died_does_not_go_on_pretending(home: Home, what: str) -> None:
    worker, device = home.linked()
    mark = worker.mark
    is_wanted = processes.is_root if what == "browser" else processes.is_renderer
    wanted = [process for process in home.browsers() if is_wanted(process)]
    assert wanted
    processes.send(wanted, signal.SIGKILL)
    worker.wait("disconnected", mark, reason="BrowserCrashed")
    worker.wait("state", mark, state="Connected")
    assert not worker.all("qr", mark)
    home.assert_whole(device)


def test_a_page_that_is_connected_and_does_not_answer_is_found_within_a_minute(home: Home) -> None:
    worker, device = home.linked()
    mark = worker.mark
    renderers = [process for process in home.browsers() if processes.is_renderer(process)]
    processes.send(renderers, signal.SIGSTOP)
    worker.wait("disconnected", mark, reason="PageDead")
    worker.wait("state", mark, state="Connected")
    home.assert_whole(device)
    assert not processes.running(renderers)


async def test_a_page_that_is_authenticated_and_never_ready_is_loaded_again_and_said(
    make_home: MakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "SYNC_PATIENCE", Backoff(4.0, 3600.0))  # three minutes are too long for a test
    home = make_home(sync_fault="never")
    home.root.mkdir(parents=True, exist_ok=True)
    faults: list[Problem] = []

    class Listening:
        def show(self, current: State) -> None:
            if current.problem and current.problem not in faults:
                faults.append(current.problem)
                home.simulator.admin.set_knobs(sync_fault="none")

    options = Options(browser_args=tuple(home.simulator.browser_args()))
    remote = RemoteAuth(f"file:{home.store}", home.client_id, home.data)
    client = Client(auth=remote, options=options, reporters=(Listening(),))
    heard: list[str] = []

    @client.on("qr")
    async def scan(code: str) -> None:
        await asyncio.to_thread(home.simulator.admin.scan, "alice", code)

    client.on("ready", lambda: heard.append("ready"))
    client.on("remote_session_saved", client.stop)
    async with asyncio.timeout(300):
        await client.run()
    assert heard == ["ready"]
    assert faults[0].reason == "Syncing"
    assert "without an event" in faults[0].message
    assert "generation" in home.kinds()


def test_a_link_that_needs_a_passkey_says_so(make_home: MakeHome) -> None:
    home = make_home(passkey_required=True)
    worker = home.start()
    assert home.simulator.admin.scan("alice", worker.wait("qr")["code"]) is None
    fault = worker.wait("fault", reason="PasskeyRequired")
    assert "passkey" in fault["message"]


@pytest.mark.parametrize(
    ("fault", "reason"), [("client_outdated", "ClientOutdated"), ("temporary_ban", "TemporarilyBanned")]
)
def test_a_refusal_by_whatsapp_ends_with_code_4_and_keeps_the_archives(home: Home, fault: str, reason: str) -> None:
    worker, _ = home.linked()
    assert worker.stop() == 0
    archives = home.archives()
    home.simulator.admin.set_knobs(login_fault=fault)
    again = home.start()
    ended = again.wait("ended")
    assert (ended["code"], ended["reason"]) == (4, reason)
    assert home.archives() == archives
    assert "logout" not in home.kinds()
    home.simulator.admin.set_knobs(login_fault="none")
    third = home.start()
    third.wait("ready")
    assert not third.all("qr")


def test_a_blocked_network_address_is_told_and_waited_out(home: Home) -> None:
    home.simulator.admin.set_knobs(login_fault="proxy_block")
    worker = home.start()
    worker.wait("fault", reason="ProxyBlocked")
    assert worker.process.poll() is None


def test_a_changed_page_is_named_and_an_unlinked_worker_ends_with_code_4(make_home: MakeHome) -> None:
    home = make_home(contract=[{"module": "WAWebSocketModel"}])
    worker = home.start()
    ended = worker.wait("ended")
    assert (ended["code"], ended["reason"]) == (4, "PageContractBroken")
    assert "WAWebSocketModel" in ended["message"]


def test_a_changed_page_leaves_a_linked_session_running_and_its_archives_alone(home: Home) -> None:
    worker, device = home.linked()
    assert worker.stop() == 0
    archives = home.archives()
    home.simulator.admin.set_knobs(contract=[{"module": "WAWebSocketModel", "member": "Socket.on", "how": "renamed"}])
    again = home.start()
    fault = again.wait("fault", reason="PageContractBroken")
    assert "WAWebSocketModel.Socket.on" in fault["message"]
    wait(lambda: home.simulator.admin.device(device).online, "the page to be on line by itself")
    assert again.process.poll() is None
    assert not again.all("qr")
    assert again.stop() == 0
    assert home.archives() == archives


def test_a_page_contract_from_a_file_mends_a_renamed_member(make_home: MakeHome) -> None:
    home = make_home(contract=[{"module": "WAWebCmd", "member": "Cmd.refreshQR"}])
    worker = home.start()
    fault = worker.wait("ended")
    assert "WAWebCmd.Cmd.refreshQR" in fault["message"]
    override = home.root / "contract.json"
    entry = {"modules": ["WAWebLaunchSocketUtils"], "path": "", "members": ["refreshQR"], "neededFor": "qr"}
    override.write_text(json.dumps({"objects": {"refresh": entry}}))
    mended = home.start(env={"WHATSAPP_PAGE_CONTRACT": str(override)})
    mended.wait("qr")


def test_another_phone_than_the_expected_one_is_unlinked_at_once(home: Home) -> None:
    worker = home.start("--expected-account", "4917000000001")
    device = home.link(worker, "mallory")
    worker.wait("fault", reason="AccountMismatch")
    wait(lambda: not home.simulator.admin.device(device).linked, "the device to be unlinked")
    assert "generation" not in home.kinds()


def test_a_saved_login_of_another_account_than_the_expected_one_is_refused_and_kept(home: Home) -> None:
    worker, device = home.linked()
    assert worker.stop() == 0
    archives = home.archives()
    wrong = home.start("--expected-account", "4917000000001")
    ended = wrong.wait("ended")
    assert (ended["code"], ended["reason"]) == (2, "AccountMismatch")
    assert home.simulator.admin.device(device).linked
    assert (home.archives(), home.kinds().count("logout")) == (archives, 0)
    home.start().wait("ready")


def test_another_account_links_and_the_old_ones_archives_stay_apart(home: Home) -> None:
    worker, device = home.linked()
    mark, before = worker.mark, home.archives()
    home.simulator.admin.logout(device)
    home.link(worker, "bob", after=mark)
    worker.wait("fault", mark, reason="AccountChanged")
    worker.wait("saved", mark, trigger="FirstLink")
    assert set(before) <= set(home.archives())
    lose_everything_but_the_store(home, worker)
    again = home.start()
    again.wait("ready")
    phones = {found.phone for found in home.simulator.admin.devices() if found.online}
    assert phones == {"bob"}


def test_the_archive_does_not_grow_with_what_the_browser_caches(home: Home) -> None:
    worker, device = home.linked()
    sizes = []
    for number in range(3):
        home.news(device, f"message {number}")
        worker.signal(signal.SIGUSR1)
        sizes.append(worker.wait("saved", generation=number + 2)["bytes"])
    assert sizes[-1] - sizes[0] < 100_000, sizes


def test_a_session_that_takes_more_than_the_user_wants_says_so_and_goes_on(home: Home) -> None:
    worker = home.start("--archive-warning", "1Ki", "--memory-warning", "1Mi")
    home.link(worker)
    large = worker.wait("warning", reason="ArchiveTooLarge")
    assert "more than the limit of 0 MB" in large["message"]
    worker.wait("warning", reason="MemoryHigh")
    assert worker.all("state")[-1]["state"] == "Connected"


def test_several_sessions_that_restart_at_once_all_come_back(make_home: MakeHome) -> None:
    homes = [make_home(f"home-{number}") for number in range(3)]
    for home in homes:
        worker, _ = home.linked()
        lose_everything_but_the_store(home, worker)
    workers = [home.start() for home in homes]
    for worker in workers:
        worker.wait("ready", seconds=240)  # three browsers at once
        assert not worker.all("qr")


def test_a_pairing_code_links_without_a_camera(home: Home) -> None:
    number = home.simulator.admin.describe_phone("alice", number="4915112345678")
    assert number
    worker = home.start("--phone-number", "4915112345678")
    code = worker.wait("code")["code"]
    assert home.simulator.admin.enter_code("alice", code)
    worker.wait("saved", trigger="FirstLink")
