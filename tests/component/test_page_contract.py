"""Whatever WhatsApp changes of its page is named soon, and never leads to a wrong code or a wrong account."""

import asyncio
import dataclasses
import random
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from component.conftest import MakeHome
from component.page_and_machine import Page, is_scannable
from component.workers import Home, wait
from scenes.worker import page_mutations
from scenes.worker.machine_story import SETTINGS
from scenes.worker.page_mutations import Mutation
from simulator.knobs import ContractBreak, LogoutFault
from whatsapp_worker.browser import chromium
from whatsapp_worker.core import actions

SMALL = {"sync_bytes": 20_000, "sync_s": 0.05, "large_share": 0.0}
LOST = (actions.Shutdown, actions.RetireLogin, actions.RestorePrevious, actions.Relink, actions.Unlink)
SIZES = ["some", pytest.param("all", marks=pytest.mark.soak)]


@pytest.fixture
async def page(make_home: MakeHome, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Page]:
    """A page that names a fault after a moment: that of the simulator needs no twelve seconds to load."""
    monkeypatch.setattr(chromium, "ANSWER_PATIENCE", 0.3)
    monkeypatch.setattr(chromium, "LOOK_INTERVAL", 0.1)
    async with Page(make_home(**SMALL)).open() as page:
        yield page


async def wrong_unlinked(page: Page, each: Mutation) -> str:
    """Return what a page without a login does wrong when a member is not as it was, "" for nothing."""
    await page.show(contract=[each.knob])
    if each.has_effect(linked=False):
        if not await page.until(lambda: each.is_named(page.message)):
            return f"is not named but {page.message!r}"
    elif not await page.until(lambda: page.codes):
        return f"gives no code and {page.message!r}"
    return "" if all(is_scannable(code) for code in page.codes) else "shows a code that no phone can use"


async def wrong_linked(page: Page, each: Mutation) -> str:
    """Return the same for a page with a login."""
    await page.show(contract=[each.knob])
    if each.has_effect(linked=True):
        if not await page.until(lambda: each.is_named(page.message)):
            return f"is not named but {page.message!r}"
    elif not await page.until(lambda: page.is_connected):
        return f"is not connected and {page.message!r}"
    if page.accounts - {page.known_hash}:
        return "is said to be another account's"
    return "loses its login" if any(isinstance(action, LOST) for action in page.done) else ""


def chosen(which: str, chance: random.Random) -> Iterable[Mutation]:
    return page_mutations.every() if which == "all" else page_mutations.sample(chance)


@pytest.mark.parametrize("which", SIZES)
async def test_each_changed_member_is_named_and_no_code_is_shown_that_is_not_whole(
    page: Page, chance: random.Random, which: str
) -> None:
    wrong = {each: found for each in chosen(which, chance) if (found := await wrong_unlinked(page, each))}
    assert wrong == {}


@pytest.mark.parametrize("which", SIZES)
async def test_each_changed_member_leaves_a_linked_session_its_login_and_is_named(
    page: Page, chance: random.Random, which: str
) -> None:
    await page.show(contract=[])
    await page.link()
    wrong = {each: found for each in chosen(which, chance) if (found := await wrong_linked(page, each))}
    assert wrong == {}
    await page.show(contract=[])
    assert await page.until(lambda: page.is_connected), "the same login, after all of it"


async def test_a_fault_of_a_page_that_was_connected_before_the_adapter_came_is_named(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    await page.show(contract=[])
    await page.link()
    attach = chromium.Chromium._attach

    async def late(browser: chromium.Chromium, loaded: Any) -> None:
        await loaded.wait_for_function("window.require?.('WAWebSocketModel').Socket.hasSynced")
        await attach(browser, loaded)

    monkeypatch.setattr(chromium.Chromium, "_attach", late)
    for how in (ContractBreak.GIVES_OBJECT, ContractBreak.GIVES_NUMBER):
        found = Mutation("WAWebConnModel", "Conn.serialize", how)
        await page.show(contract=[found.knob])
        assert await page.until(lambda: found.is_named(page.message)), how  # noqa: B023  waited for at once


async def test_a_page_that_is_asked_for_new_codes_shows_none_that_has_passed(page: Page) -> None:
    for fault in ("none", "old_ref"):
        await page.show(idle_fault=fault, ref_first_s=0.3, ref_next_s=0.3, ref_count=2, contract=[])
        assert await page.passes_until(lambda: len(page.codes) >= 4), page.codes
        assert len(set(page.codes)) == len(page.codes), fault


async def test_an_idle_page_without_new_codes_is_named_and_loaded_again(page: Page) -> None:
    deaf = {"module": "WAWebCmd", "member": "Cmd.refreshQR", "how": "gives_null"}
    await page.show(contract=[deaf], ref_first_s=0.3, ref_next_s=0.3, ref_count=1)
    assert await page.passes_until(lambda: "WAWebCmd.Cmd.refreshQR" in page.message)
    assert await page.passes_until(lambda: len(page.codes) > 1), "the codes of the next load"


@pytest.mark.parametrize("linked", [False, True], ids=["unlinked", "linked"])
async def test_a_renamed_state_names_the_word_that_was_expected(page: Page, linked: bool) -> None:
    await page.show()
    if linked:
        await page.link()
    expected = "CONNECTED" if linked else "UNPAIRED"
    for renamed in (f"{expected}_2", "READY"):
        await page.show(renamed_state=f"{expected}={renamed}")
        assert await page.until(lambda: expected in page.message), renamed
        assert renamed in page.message
        assert not any(isinstance(action, (*LOST, actions.Save)) for action in page.done)


async def test_a_pairing_code_that_is_none_is_named_and_not_shown(make_home: MakeHome, page: Page) -> None:
    home = make_home("pairing", **SMALL)
    number = "4915112345678"
    home.simulator.admin.describe_phone("alice", number=number)
    async with Page(home, dataclasses.replace(SETTINGS, phone_number=number)).open() as page:
        await page.show(contract=[{"module": "WAWebUserPrefsMultiDevice"}])
        assert await page.until(lambda: "WAWebUserPrefsMultiDevice" in page.message)
        assert await page.browser.call("pairingCode", number, True), "which is for QR codes"
        for member, how in (
            ("startAltLinkingFlow", ContractBreak.GIVES_NUMBER),
            ("startAltLinkingFlow", ContractBreak.GIVES_EMPTY),
            ("startAltLinkingFlow", ContractBreak.NEVER),
            ("initializeAltDeviceLinking", ContractBreak.NEVER),
            ("setPairingType", ContractBreak.MISSING),
        ):
            await page.show(contract=[Mutation("WAWebAltDeviceLinkingApi", member, how).knob])
            assert await page.until(lambda: page.heard)
            assert await page.browser.call("pairingCode", number, True) is None
            named = Mutation("", member, how)
            assert await page.until(lambda: named.is_named(page.message)), (member, how)  # noqa: B023  waited for at once


async def test_however_a_page_takes_a_logout_it_is_one_logout_and_one_new_code(page: Page) -> None:
    admin = page.home.simulator.admin
    for fault in LogoutFault:
        page.known_hash = ""
        await page.show(logout_fault=fault, ref_first_s=60.0)
        device = await page.link()
        page.done.clear()
        await asyncio.to_thread(admin.logout, device)
        assert await page.passes_until(lambda: page.codes), fault
        kinds = [type(action) for action in page.done]
        assert kinds.count(actions.RetireLogin) == 1, fault
        assert kinds.count(actions.RestorePrevious) == 0, fault
        emitted = [action.name for action in page.done if isinstance(action, actions.Emit)]
        assert (emitted.count("disconnected"), emitted.count("ready"), len(page.codes)) == (1, 0, 1), fault


def test_a_code_that_does_not_come_is_named_within_half_a_minute_and_comes_once_it_can(
    make_home: MakeHome,
) -> None:
    home = make_home(contract=[{"module": "WAWebConnModel", "member": "Conn.ref", "how": "null"}])
    worker = home.start()
    worker.wait("state", state="AwaitingLink")
    begun = time.monotonic()
    assert "WAWebConnModel.Conn.ref" in worker.wait("fault", reason="PageContractBroken")["message"]
    assert time.monotonic() - begun < 30
    later = {"module": "WAWebUserPrefsMultiDevice", "member": "getADVSecretKey", "how": "asynchronous"}
    home.simulator.admin.set_knobs(contract=[later])
    home.link(worker)
    named = "getADVSecretKey() is now a promise"
    wait(lambda: any(named in fault["message"] for fault in worker.all("fault")), "what has changed to be named")
    worker.wait("saved", trigger="FirstLink")


def test_nothing_is_saved_of_a_page_that_does_not_say_who_is_linked(home: Home) -> None:
    worker, device = home.linked()
    assert worker.stop() == 0
    archives, kinds = home.archives(), home.kinds()
    home.simulator.admin.set_knobs(
        contract=[{"module": "WAWebUserPrefsMeUser", "member": "getMaybeMePnUser()._serialized", "how": "empty"}]
    )
    again = home.start()
    assert "getMaybeMePnUser" in again.wait("fault", reason="PageContractBroken")["message"]
    wait(lambda: home.simulator.admin.device(device).online, "the page to be on line by itself")
    assert again.stop() == 0
    assert not again.all("qr")
    assert (home.archives(), set(home.kinds()[len(kinds) :])) == (archives, {"claim", "release"})
