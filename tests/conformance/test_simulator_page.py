"""The page in a real browser: its faults, its disk, and that the browser talks to nobody else."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from conformance import peer, scenarios
from conformance.conftest import browser
from simulator import client
from simulator.testing import Running, running_simulator

Launch = Callable[[Running, pathlib.Path], contextlib.AbstractContextManager[Page]]
QR = """async () => {
  const part = (name) => window.require(name);
  const encode = part('WABase64').encodeB64;
  const noise = await part('WAWebUserPrefsInfoStore').waNoiseInfo.get();
  const registration = await part('WAWebSignalStoreApi').waSignalStore.getRegistrationInfo();
  return [part('WAWebConnModel').Conn.ref, encode(noise.staticKeyPair.pubKey),
    encode(registration.identityKeyPair.pubKey), part('WAWebUserPrefsMultiDevice').getADVSecretKey(),
    part('WAWebCompanionRegClientUtils').DEVICE_PLATFORM].join(',');
}"""
SMALL: dict[str, Any] = {"sync_bytes": 300_000, "sync_s": 0.2}  # knobs


@pytest.fixture(scope="module")
def launch() -> Iterator[Launch]:
    with sync_playwright() as playwright:

        @contextlib.contextmanager
        def launched(simulator: Running, profile: pathlib.Path) -> Iterator[Page]:
            context = playwright.chromium.launch_persistent_context(
                profile,
                executable_path=browser(),
                args=[*simulator.browser_args(), "--enable-aggressive-domstorage-flushing"],
                chromium_sandbox=os.geteuid() != 0,
            )
            try:
                page = context.pages[0]
                page.goto("https://web.whatsapp.com/")
                yield page
            finally:
                context.close()

        yield launched


def in_state(page: Page, *states: str) -> None:
    wanted = json.dumps(states)
    page.wait_for_function(f"{wanted}.includes(window.Debug && window.require('WAWebSocketModel').Socket.state)")


def link(page: Page, simulator: Running) -> str:
    in_state(page, "UNPAIRED")
    device = simulator.admin.scan("alice", page.evaluate(QR))
    assert device is not None
    simulator.admin.wait_for("the page to have synced", lambda devices: devices[-1].synced)
    return device


def test_the_page_checks_every_record_and_notices_one_damaged_and_one_lost(
    launch: Launch, tmp_path: pathlib.Path
) -> None:
    with running_simulator(**SMALL) as sim, launch(sim, tmp_path) as page:
        device = link(page, sim)
        whole = sim.admin.verify(device)
        assert whole["ok"]
        page.evaluate("""() => new Promise((resolve) => {
            indexedDB.open('wawc').onsuccess = ({ target }) => {
                const store = target.result.transaction('records', 'readwrite').objectStore('records');
                store.get(0).onsuccess = ({ target: { result } }) => {
                    result.data[5] ^= 1;
                    store.put(result, 0);
                    store.delete(1).onsuccess = resolve;
                };
            };
        })""")
        checked = sim.admin.verify(device)
        assert (checked["ok"], checked["bad"], checked["missing"]) == (False, 1, 1)


def test_values_lie_both_inside_leveldb_and_in_blob_files(launch: Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(sync_bytes=2_000_000, sync_s=0.2) as sim, launch(sim, tmp_path) as page:
        link(page, sim)
        folder = tmp_path / "Default" / "IndexedDB"
        blobs = [file for file in folder.glob("*.indexeddb.blob/**/*") if file.is_file()]
        tables = [file for file in folder.glob("*.indexeddb.leveldb/*") if file.is_file()]
        assert sum(file.stat().st_size for file in blobs) > 500_000
        assert sum(file.stat().st_size for file in tables) > 500_000


def test_the_first_key_cannot_leave_the_page(launch: Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**SMALL) as sim, launch(sim, tmp_path) as page:
        link(page, sim)
        extractable = page.evaluate("""() => new Promise((resolve) => {
            indexedDB.open('wawc').onsuccess = ({ target }) => {
                const store = target.result.transaction('login').objectStore('login');
                store.get('noise').onsuccess = ({ target: { result } }) => resolve(result.privateKey.extractable);
            };
        })""")
        assert extractable is False


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param("localStorage.clear()", id="localStorage lost"),
        pytest.param(
            """new Promise((resolve) => { indexedDB.open('wawc').onsuccess = ({ target }) => {
                const login = target.result.transaction('login', 'readwrite').objectStore('login');
                login.clear().onsuccess = resolve; }; })""",
            id="IndexedDB lost",
        ),
    ],
)
def test_half_a_login_ends_in_a_qr_code_and_is_counted(loss: str, launch: Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**SMALL) as sim, launch(sim, tmp_path) as page:
        link(page, sim)
        page.evaluate(loss)
        page.reload()
        in_state(page, "UNPAIRED")
        assert sim.admin.counts()["half_keys"] == 1


def test_steady_writing_goes_on_through_a_restart_and_every_record_is_whole(
    launch: Launch, tmp_path: pathlib.Path
) -> None:
    with running_simulator(**SMALL, write_interval_s=0.005) as sim:
        with launch(sim, tmp_path) as page:
            device = link(page, sim)
            scenarios.wait_until(
                "300 writes", lambda: page.evaluate("window.simulator.verify()")["written"] > 300, seconds=30
            )
        with launch(sim, tmp_path):
            sim.admin.wait_for("the page to be back", lambda devices: devices[0].synced)
            checked = sim.admin.verify(device)
            assert checked["ok"], checked
            written = checked["written"]
            assert isinstance(written, int)
            assert written > 300
        assert sim.admin.device(device).rollbacks == 0


def test_refs_turn_over_until_the_page_is_idle_and_a_refresh_brings_new_ones(
    launch: Launch, tmp_path: pathlib.Path
) -> None:
    with (
        running_simulator(**SMALL, ref_first_s=0.6, ref_next_s=0.6, ref_count=2) as sim,
        launch(sim, tmp_path) as page,
    ):
        in_state(page, "UNPAIRED")
        old = page.evaluate(QR)
        in_state(page, "UNPAIRED_IDLE")
        page.wait_for_timeout(600)  # past the time in which a late scan is still taken
        with pytest.raises(client.RefusedError, match="expired_ref"):
            sim.admin.scan("alice", old)
        page.evaluate("window.require('WAWebCmd').Cmd.refreshQR()")
        in_state(page, "UNPAIRED")
        assert sim.admin.scan("alice", page.evaluate(QR)) is not None


@pytest.mark.parametrize(
    ("broken", "probe", "found"),
    [
        (
            {"module": "WAWebConnModel"},
            "() => { try { return typeof window.require('WAWebConnModel') } catch (error) { return error.message } }",
            'Requiring unknown module "WAWebConnModel".',
        ),
        (
            {"module": "WAWebConnModel", "how": "renamed"},
            "() => typeof window.require('WAWebConnModelRenamed').Conn",
            "object",
        ),
        (
            {"module": "WAWebSocketModel", "member": "Socket.state"},
            "() => typeof window.require('WAWebSocketModel').Socket.state",
            "undefined",
        ),
        (
            {"module": "WAWebCmd", "member": "Cmd.refreshQR", "how": "renamed"},
            "() => typeof window.require('WAWebCmd').Cmd.refreshQRRenamed",
            "function",
        ),
    ],
    ids=["module missing", "module renamed", "member missing", "member renamed"],
)
def test_a_broken_page_contract_lacks_exactly_what_was_named(
    broken: dict[str, str], probe: str, found: str, launch: Launch, tmp_path: pathlib.Path
) -> None:
    with running_simulator(**SMALL, contract=[broken]) as sim, launch(sim, tmp_path) as page:
        page.wait_for_function("window.Debug")
        assert page.evaluate(probe) == found
        assert page.evaluate("typeof window.require('WAWebLaunchSocketUtils').refreshQR") == "function"


@pytest.mark.parametrize(
    ("fault", "state"),
    [("client_outdated", "DEPRECATED_VERSION"), ("temporary_ban", "TOS_BLOCK"), ("proxy_block", "PROXYBLOCK")],
)
def test_a_refused_page_says_why_in_its_state_and_keeps_its_login(
    fault: str, state: str, launch: Launch, tmp_path: pathlib.Path
) -> None:
    with running_simulator(**SMALL) as sim, launch(sim, tmp_path) as page:
        device = link(page, sim)
        sim.admin.set_knobs(login_fault=fault)
        sim.admin.drop(device)
        in_state(page, state)
        sim.admin.set_knobs(login_fault="none")
        page.evaluate("window.require('WAWebSocketModel').Socket.reconnect()")
        in_state(page, "CONNECTED")


def test_an_account_with_a_passkey_stops_at_a_prompt(launch: Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**SMALL, passkey_required=True) as sim, launch(sim, tmp_path) as page:
        in_state(page, "UNPAIRED")
        page.evaluate("""() => {
            const asked = navigator.credentials.get.bind(navigator.credentials);
            navigator.credentials.get = (options) => { window.prompted = Object.keys(options); return asked(options); };
        }""")
        assert sim.admin.scan("alice", page.evaluate(QR)) is None
        in_state(page, "PAIRING")
        page.wait_for_function("window.prompted")
        assert page.evaluate("window.prompted") == ["publicKey"]
        assert sim.admin.devices() == []


def test_a_page_may_never_sync(launch: Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**SMALL, sync_fault="never") as sim, launch(sim, tmp_path) as page:
        in_state(page, "UNPAIRED")
        sim.admin.scan("alice", page.evaluate(QR))
        in_state(page, "CONNECTED")
        page.wait_for_timeout(1000)  # five times as long as a sync takes here
        assert page.evaluate("window.require('WAWebSocketModel').Socket.hasSynced") is False


def test_the_synced_flag_may_flap(launch: Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**SMALL, sync_fault="flapping", flaps=2, flap_s=0.1) as sim, launch(sim, tmp_path) as page:
        in_state(page, "UNPAIRED")
        page.evaluate("""() => {
            window.flags = [];
            window.require('WAWebSocketModel').Socket.on('change:hasSynced', (_, flag) => window.flags.push(flag));
        }""")
        sim.admin.scan("alice", page.evaluate(QR))
        page.wait_for_function("window.flags.length >= 5")
        assert page.evaluate("window.flags") == [True, False, True, False, True]


def test_the_news_of_the_sync_waits_for_a_listener_and_comes_once(launch: Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**SMALL) as sim, launch(sim, tmp_path) as page:
        link(page, sim)
        page.evaluate("""() => {
            window.heard = 0;
            const socket = window.require('WAWebSocketModel').Socket;
            socket.on('change:hasSynced', () => { window.heard += 1; });
            socket.on('change:hasSynced', () => { window.heard += 10; });
        }""")
        page.wait_for_function("window.heard > 0")
        page.wait_for_timeout(200)
        assert page.evaluate("window.heard") == 11


def test_a_slow_page_shows_nothing_until_it_is_due(launch: Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**SMALL, page_delay_s=1.0) as sim, launch(sim, tmp_path) as page:
        assert page.evaluate("typeof window.require") == "undefined"
        in_state(page, "UNPAIRED")


def test_a_crashing_page_takes_its_renderer_down_and_keeps_its_login(launch: Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**SMALL) as sim:
        with launch(sim, tmp_path) as page:
            device = link(page, sim)
            with page.expect_event("crash"):
                sim.admin.crash(device)
            sim.admin.wait_for("the socket to end", lambda devices: not devices[0].online)
        with launch(sim, tmp_path):
            sim.admin.wait_for("the page to be back", lambda devices: devices[0].synced)


def test_a_page_whose_network_is_cut_is_back_by_itself(launch: Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**SMALL) as sim, launch(sim, tmp_path) as page:
        device = link(page, sim)
        sim.admin.set_network(False)
        in_state(page, "OPENING", "TIMEOUT")
        sim.admin.set_network(True)
        in_state(page, "CONNECTED")
        seen = sim.admin.device(device)
        assert (seen.logins, seen.rollbacks, seen.two_browsers) == (2, 0, 0)


def test_a_browser_pointed_at_the_simulator_opens_no_connection_to_anything_else(
    tmp_path: pathlib.Path, modules: pathlib.Path
) -> None:
    place = peer.Place(modules, browser(), tmp_path)
    log = tmp_path / "net.json"
    with running_simulator(**SMALL) as sim:
        with peer.running(place, sim, "local", puppeteer_args=[f"--log-net-log={log}"]) as one:
            peer.link(one, sim)
            sim.admin.write("alice", "4917", "https://example.org/")
            one.wait_for("message")
            one.do("destroy")
            assert one.exit_code(20) == 0
        reached, asked = contacts(log)
        assert reached == {f"127.0.0.1:{sim.page_port}"}
        assert asked <= {"127.0.0.1"}, "names that were looked up"


def contacts(log: pathlib.Path) -> tuple[set[str], set[str]]:
    """Return the addresses that the browser's own network log shows as contacted, and the names it looked up.

    A UDP socket that was "connected" but sent nothing is no contact: Chromium asks the kernel so for a route to an
    address, for instance whether there is one for IPv6.
    """
    raw = json.loads(log.read_text())
    kinds = {number: name for name, number in raw["constants"]["logEventTypes"].items()}
    events = [(kinds[event["type"]], event["source"]["id"], event.get("params", {})) for event in raw["events"]]
    wrote = {source for kind, source, _ in events if kind == "UDP_BYTES_SENT"}
    reached = {
        details["address"]
        for kind, source, details in events
        if "address" in details and (kind == "TCP_CONNECT_ATTEMPT" or (kind == "UDP_CONNECT" and source in wrote))
    }
    asked = {
        details["host"] for kind, _, details in events if kind == "HOST_RESOLVER_MANAGER_JOB" and "host" in details
    }
    return reached, asked
