"""Each fault of the page, in a real browser."""

from __future__ import annotations

import pathlib
import time

import pytest

from conformance import pages
from simulator.testing import running_simulator


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
    broken: dict[str, str], probe: str, found: str, launch: pages.Launch, tmp_path: pathlib.Path
) -> None:
    with running_simulator(**pages.SMALL, contract=[broken]) as sim, launch(sim, tmp_path) as page:
        page.wait_for_function("window.Debug")
        assert page.evaluate(probe) == found
        assert page.evaluate("typeof window.require('WAWebLaunchSocketUtils').refreshQR") == "function"


@pytest.mark.parametrize(
    ("fault", "state"),
    [("client_outdated", "DEPRECATED_VERSION"), ("temporary_ban", "TOS_BLOCK"), ("proxy_block", "PROXYBLOCK")],
)
def test_a_refused_page_says_why_in_its_state_and_keeps_its_login(
    fault: str, state: str, launch: pages.Launch, tmp_path: pathlib.Path
) -> None:
    with running_simulator(**pages.SMALL) as sim, launch(sim, tmp_path) as page:
        device = pages.link(page, sim)
        sim.admin.set_knobs(login_fault=fault)
        sim.admin.drop(device)
        pages.in_state(page, state)
        sim.admin.set_knobs(login_fault="none")
        page.evaluate("window.require('WAWebSocketModel').Socket.reconnect()")
        pages.in_state(page, "CONNECTED")


def test_a_slow_server_answers_a_login_when_it_is_due(launch: pages.Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**pages.SMALL) as sim, launch(sim, tmp_path) as page:
        device = pages.link(page, sim)
        sim.admin.set_knobs(login_delay_s=1.0)
        begun = time.time()
        sim.admin.drop(device)
        sim.admin.wait_for("the page to be back", lambda devices: devices[0].logins == 2)
        assert time.time() - begun >= 1.0


def test_an_account_with_a_passkey_stops_at_a_prompt(launch: pages.Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**pages.SMALL, passkey_required=True) as sim, launch(sim, tmp_path) as page:
        pages.in_state(page, "UNPAIRED")
        page.evaluate("""() => {
            const asked = navigator.credentials.get.bind(navigator.credentials);
            navigator.credentials.get = (options) => { window.prompted = Object.keys(options); return asked(options); };
        }""")
        assert sim.admin.scan("alice", page.evaluate(pages.QR)) is None
        pages.in_state(page, "PAIRING")
        page.wait_for_function("window.prompted")
        assert page.evaluate("window.prompted") == ["publicKey"]
        assert sim.admin.devices() == []


def test_a_page_may_never_sync(launch: pages.Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**pages.SMALL, sync_fault="never") as sim, launch(sim, tmp_path) as page:
        pages.in_state(page, "UNPAIRED")
        sim.admin.scan("alice", page.evaluate(pages.QR))
        pages.in_state(page, "CONNECTED")
        page.wait_for_timeout(1000)  # five times as long as a sync takes here
        assert page.evaluate("window.require('WAWebSocketModel').Socket.hasSynced") is False


def test_the_synced_flag_may_flap(launch: pages.Launch, tmp_path: pathlib.Path) -> None:
    with (
        running_simulator(**pages.SMALL, sync_fault="flapping", flaps=2, flap_s=0.1) as sim,
        launch(sim, tmp_path) as page,
    ):
        pages.in_state(page, "UNPAIRED")
        page.evaluate("""() => {
            window.flags = [];
            window.require('WAWebSocketModel').Socket.on('change:hasSynced', (_, flag) => window.flags.push(flag));
        }""")
        sim.admin.scan("alice", page.evaluate(pages.QR))
        page.wait_for_function("window.flags.length >= 5")
        assert page.evaluate("window.flags") == [True, False, True, False, True]


def test_a_slow_page_shows_nothing_until_it_is_due(launch: pages.Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**pages.SMALL, page_delay_s=10.0) as sim, launch(sim, tmp_path) as page:
        assert page.evaluate("typeof window.require") == "undefined"
        pages.in_state(page, "UNPAIRED")


def test_a_crashing_page_takes_its_renderer_down_and_keeps_its_login(
    launch: pages.Launch, tmp_path: pathlib.Path
) -> None:
    with running_simulator(**pages.SMALL) as sim:
        with launch(sim, tmp_path) as page:
            device = pages.link(page, sim)
            with page.expect_event("crash"):
                sim.admin.crash(device)
            sim.admin.wait_for("the socket to end", lambda devices: not devices[0].online)
        with launch(sim, tmp_path):
            sim.admin.wait_for("the page to be back", lambda devices: devices[0].synced)


def test_a_page_whose_network_is_cut_is_back_by_itself(launch: pages.Launch, tmp_path: pathlib.Path) -> None:
    with running_simulator(**pages.SMALL) as sim, launch(sim, tmp_path) as page:
        device = pages.link(page, sim)
        sim.admin.set_network(False)
        pages.in_state(page, "OPENING", "TIMEOUT")
        sim.admin.set_network(True)
        pages.in_state(page, "CONNECTED")
        seen = sim.admin.device(device)
        assert (seen.logins, seen.rollbacks, seen.two_browsers) == (2, 0, 0)


def test_a_connection_lost_during_the_sync_does_not_announce_it_twice(
    launch: pages.Launch, tmp_path: pathlib.Path
) -> None:
    with running_simulator(sync_bytes=300_000, sync_s=1.5) as sim, launch(sim, tmp_path) as page:
        pages.in_state(page, "UNPAIRED")
        page.evaluate("""() => {
            window.heard = 0;
            window.require('WAWebSocketModel').Socket.on('change:hasSynced', () => { window.heard += 1; });
        }""")
        device = sim.admin.scan("alice", page.evaluate(pages.QR))
        assert device is not None
        sim.admin.wait_for_event("login")
        sim.admin.drop(device)
        sim.admin.wait_for("the page to have synced", lambda devices: devices[0].synced and devices[0].logins == 2)
        page.wait_for_function("window.heard > 0")
        page.wait_for_timeout(1600)  # as long as a second sync would take
        assert page.evaluate("window.heard") == 1
