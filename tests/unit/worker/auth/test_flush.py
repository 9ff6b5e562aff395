"""When a profile may be saved: while the page says that it holds this account's login, whatever its connection does."""

import pathlib

import pytest

from fakes.browser import FakeBrowser, FakeBrowsers
from whatsapp_worker import errors
from whatsapp_worker.auth import flush
from whatsapp_worker.core import page_events

ALICE, BOB = page_events.Account("4917000000001@c.us"), page_events.Account("4917000000002@c.us")
S = page_events.SocketState


async def showing(state: S, account: page_events.Account | None) -> FakeBrowser:
    """Return a browser whose page says this."""
    browser = FakeBrowsers(page_events.PageState(state, account=account))(lambda event: None, lambda: None)
    await browser.launch(pathlib.Path("/nowhere"))
    return browser


@pytest.mark.parametrize("state", [S.CONNECTED, S.OPENING, S.TIMEOUT, S.CONFLICT, S.PROXYBLOCK])
async def test_a_lost_connection_is_no_reason_to_lose_what_came_since_the_last_save(state: S) -> None:
    await flush.ask(await showing(state, ALICE), ALICE)


@pytest.mark.parametrize(
    ("state", "account"), [(S.UNPAIRED, ALICE), (S.UNPAIRED_IDLE, ALICE), (S.CONNECTED, None), (S.CONNECTED, BOB)]
)
async def test_a_login_that_is_not_surely_there_is_not_saved(state: S, account: page_events.Account | None) -> None:
    with pytest.raises(errors.SnapshotFailed, match="does not say that it is linked as this account"):
        await flush.ask(await showing(state, account), ALICE)
