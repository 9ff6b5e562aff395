"""What becomes of a session whose page is loaded again, or shows something else, without the worker's doing."""

import asyncio
import contextlib
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Error, Page, sync_playwright

from component.conftest import MakeHome
from component.workers import Home, wait
from scenes.ports import free_port
from whatsapp_session.conditions import SessionState
from whatsapp_worker import Client, Options, RemoteAuth
from whatsapp_worker.runtime import heartbeat


@contextlib.contextmanager
def page_of(port: int) -> Iterator[Page]:
    """Attach to a worker's page as a bot does."""
    with sync_playwright() as driver:
        bot = driver.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        (page,) = bot.contexts[0].pages
        yield page
        bot.close()


def test_a_reload_at_the_address_that_follows_a_logout_does_not_bury_the_new_link(home: Home) -> None:
    port = free_port()
    worker, device = home.linked("--cdp-port", str(port))
    mark = worker.mark
    home.simulator.admin.logout(device)
    second = home.link(worker, after=mark)
    worker.wait("saved", mark, trigger="FirstLink")
    kinds, mark = home.kinds(), worker.mark
    with page_of(port) as page:
        assert "post_logout=1" in page.url
        page.reload()
        worker.wait("state", mark, state="Connected")
    assert not worker.all("disconnected", mark, reason="LOGOUT")
    assert home.kinds() == kinds, "no tombstone"
    mark = worker.mark
    home.simulator.admin.logout(second)
    worker.wait("disconnected", mark, reason="LOGOUT")
    wait(lambda: home.kinds().count("logout") == 2, "the tombstone of a true logout at that address")


def test_an_account_that_has_a_hidden_id_only_is_connected_saved_and_restored(make_home: MakeHome) -> None:
    home = make_home(lid_only=True)
    worker, device = home.linked()
    mark = len(home.kinds())
    worker.kill()
    home.wait_for_browsers_to_end()
    shutil.rmtree(home.data)
    again = home.start()
    again.wait("ready")
    assert not again.all("qr")
    home.assert_whole(device)
    assert set(home.kinds()[mark:]) <= {"claim", "generation"}


def reload(port: int) -> None:
    with page_of(port) as page, contextlib.suppress(Error):  # nothing answers
        page.reload(timeout=10_000)


async def test_a_page_that_reloads_itself_while_the_site_is_down_is_loaded_again_when_it_is_back(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.5)  # six of ten seconds are too long for a test
    home.root.mkdir(parents=True, exist_ok=True)
    port = free_port()
    remote = RemoteAuth(f"file:{home.store}", home.client_id, home.data)
    client = Client(auth=remote, options=Options(browser_args=tuple(home.simulator.browser_args()), cdp_port=port))
    saved = asyncio.Event()

    @client.on("qr")
    async def scan(code: str) -> None:
        await asyncio.to_thread(home.simulator.admin.scan, "alice", code)

    async def until(state: SessionState) -> None:
        await asyncio.to_thread(wait, lambda: client.state is state, f"the state {state}")

    client.on("remote_session_saved", saved.set)
    client.start()
    async with asyncio.timeout(300):
        await saved.wait()
        home.simulator.admin.set_site(False)
        await asyncio.to_thread(reload, port)
        await until(SessionState.RECONNECTING)
        home.simulator.admin.set_site(True)
        await until(SessionState.CONNECTED)
        await client.destroy()
    assert "logout" not in home.kinds()
