"""The page in a real browser: its disk, its codes, and that the browser talks to nobody else."""

from __future__ import annotations

import json
import pathlib

import pytest

from conformance import packages, pages, peer, scenarios
from simulator import client
from simulator.testing import running_simulator

WRITTEN = """() => new Promise((resolve) => {
    indexedDB.open('wawc').onsuccess = ({ target: { result: database } }) => {
        const store = database.transaction('meta').objectStore('meta');
        store.get('ring').onsuccess = ({ target: { result } }) => {
            database.close();
            resolve(result?.next ?? 0);
        };
    };
})"""
"""Count what the page has written since it synced."""


def test_the_page_checks_every_record_and_notices_one_damaged_and_one_lost(
    launch: pages.Launch, tmp_path: pathlib.Path
) -> None:
    with running_simulator(**pages.SMALL) as sim, launch(sim, tmp_path) as page:
        device = pages.link(page, sim)
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


def test_values_lie_both_inside_leveldb_and_in_blob_files(launch: pages.Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(sync_bytes=2_000_000, sync_s=0.2) as sim, launch(sim, tmp_path) as page:
        pages.link(page, sim)
        folder = tmp_path / "Default" / "IndexedDB"
        blobs = [file for file in folder.glob("*.indexeddb.blob/**/*") if file.is_file()]
        tables = [file for file in folder.glob("*.indexeddb.leveldb/*") if file.is_file()]
        assert sum(file.stat().st_size for file in blobs) > 500_000
        assert sum(file.stat().st_size for file in tables) > 500_000


def test_the_first_key_cannot_leave_the_page(launch: pages.Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**pages.SMALL) as sim, launch(sim, tmp_path) as page:
        pages.link(page, sim)
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
def test_half_a_login_ends_in_a_qr_code_and_is_counted(loss: str, launch: pages.Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**pages.SMALL) as sim, launch(sim, tmp_path) as page:
        pages.link(page, sim)
        page.evaluate(loss)
        page.reload()
        pages.in_state(page, "UNPAIRED")
        assert sim.admin.counts()["half_keys"] == 1


def test_steady_writing_goes_on_through_a_restart_and_every_record_is_whole(
    launch: pages.Launch, tmp_path: pathlib.Path
) -> None:
    with running_simulator(**pages.SMALL, write_interval_s=0.005) as sim:
        with launch(sim, tmp_path) as page:
            device = pages.link(page, sim)
            # Not verify(), which holds the writing up.
            scenarios.wait_until("300 writes", lambda: page.evaluate(WRITTEN) > 300, seconds=180)
        with launch(sim, tmp_path):
            sim.admin.wait_for("the page to be back", lambda devices: devices[0].synced)
            checked = sim.admin.verify(device)
            assert checked["ok"], checked
            written = checked["written"]
            assert isinstance(written, int)
            assert written > 300
        assert sim.admin.device(device).rollbacks == 0


def test_refs_turn_over_until_the_page_is_idle_and_a_refresh_brings_new_ones(
    launch: pages.Launch, tmp_path: pathlib.Path
) -> None:
    with (
        running_simulator(**pages.SMALL, ref_first_s=5.0, ref_next_s=5.0, ref_count=2) as sim,
        launch(sim, tmp_path) as page,
    ):
        pages.in_state(page, "UNPAIRED")
        old = page.evaluate(pages.QR)
        pages.in_state(page, "UNPAIRED_IDLE")
        page.wait_for_timeout(600)  # past the time in which a late scan is still taken
        with pytest.raises(client.RefusedError, match="expired_ref"):
            sim.admin.scan("alice", old)
        sim.admin.set_knobs(ref_first_s=60)
        page.evaluate("window.require('WAWebCmd').Cmd.refreshQR()")
        pages.in_state(page, "UNPAIRED")
        assert sim.admin.scan("alice", page.evaluate(pages.QR)) is not None


def test_the_news_of_the_sync_waits_for_a_listener_and_comes_once(launch: pages.Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**pages.SMALL) as sim, launch(sim, tmp_path) as page:
        pages.link(page, sim)
        page.evaluate("""() => {
            window.heard = 0;
            const socket = window.require('WAWebSocketModel').Socket;
            socket.on('change:hasSynced', () => { window.heard += 1; });
            socket.on('change:hasSynced', () => { window.heard += 10; });
        }""")
        page.wait_for_function("window.heard > 0")
        page.wait_for_timeout(200)
        assert page.evaluate("window.heard") == 11


def test_a_browser_pointed_at_the_simulator_opens_no_connection_to_anything_else(
    tmp_path: pathlib.Path, modules: pathlib.Path
) -> None:
    place = peer.Place(modules, packages.browser(), tmp_path)
    log = tmp_path / "net.json"
    with running_simulator(**pages.SMALL) as sim:
        with peer.running(place, sim, "local", puppeteer_args=[f"--log-net-log={log}"]) as one:
            peer.link(one, sim)
            sim.admin.write("alice", "4917", "https://example.org/")
            one.wait_for("message")
            one.do("destroy")
            assert one.exit_code(60) == 0
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
