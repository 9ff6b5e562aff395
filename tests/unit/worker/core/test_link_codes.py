"""Codes that the page does not give at once, or that WhatsApp limits the rate of."""

from dataclasses import replace

from unit.worker.machine_story import ALICE, SETTINGS, S, Story, facts
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker import actions as do
from whatsapp_worker import codes, happenings
from whatsapp_worker.page import events as page


def pairing() -> Story:
    return Story(replace(SETTINGS, phone_number="4915112345678")).launched().on(page.Attached(facts(S.UNPAIRED)))


def test_an_idle_page_that_gives_no_code_is_asked_again_until_it_does() -> None:
    story = Story().awaiting().on(page.Changed(facts(S.UNPAIRED_IDLE)), after=160)
    assert story.actions[-1] == do.RefreshQr()
    for pause in (4, 8, 16, 32, 60, 60):
        story.on(happenings.Tick(), after=pause - 0.1)
        assert story.actions == []
        story.on(happenings.Tick(), after=0.1)
        assert story.actions == [do.RefreshQr()]
    story.on(page.Qr("2@seven")).on(happenings.Tick(), after=59)
    assert story.actions == []


def test_an_idle_page_is_not_asked_once_it_is_linked() -> None:
    story = Story().awaiting().on(page.Changed(facts(S.UNPAIRED_IDLE)), page.Changed(facts(S.CONNECTED, ALICE)))
    story.on(happenings.Tick(), after=60)
    assert not story.does(do.RefreshQr)


def test_a_pairing_code_is_asked_for_and_shown() -> None:
    story = pairing()
    assert story.actions == [do.AskPairingCode()]
    story.on(happenings.CodeShown("ABCD-EFGH"))
    assert (story.emitted, story.model.pairing_code) == (["code"], "ABCD-EFGH")


def test_a_pairing_code_is_renewed_when_its_time_is_over() -> None:
    story = pairing()
    story.on(happenings.CodeShown("ABCD-EFGH"), happenings.Tick(), after=codes.PAIRING_CODE_SECONDS / 2)
    assert not story.does(do.AskPairingCode)
    story.on(happenings.Tick(), after=codes.PAIRING_CODE_SECONDS)
    assert story.actions == [do.AskPairingCode()]
    assert story.model.pairing_code == ""


def test_a_pairing_code_that_whatsapp_refuses_is_asked_for_once_a_minute_however_the_page_flaps() -> None:
    story, asked = pairing(), 0
    story.on(happenings.Troubled(Reason.AWAITING_SCAN, "no pairing code: rate-overlimit"))
    for _ in range(60):  # of five seconds each
        story.on(page.Changed(facts(S.OPENING)), page.Changed(facts(S.UNPAIRED)), happenings.Tick(), after=5 / 3)
        asked += story.actions.count(do.AskPairingCode())
    assert 4 <= asked <= 5
    story.on(happenings.BrowserGone(Reason.BROWSER_CRASHED, "x"), happenings.Launched("156"))
    story.on(page.Attached(facts(S.UNPAIRED)))
    assert not story.does(do.AskPairingCode), "nor does a new browser begin anew"
    story.on(happenings.Tick(), after=60)
    assert story.actions == [do.AskPairingCode()]
    story.on(happenings.CodeShown("ABCD-EFGH"))
    assert story.model.fault is None or story.model.fault.reason is not Reason.AWAITING_SCAN


def test_a_pairing_code_of_a_page_that_was_loaded_again_is_replaced() -> None:
    story = pairing().on(happenings.CodeShown("ABCD-EFGH")).on(page.Attached(facts(S.UNPAIRED)), after=61)
    assert (story.model.state, story.model.pairing_code) == (SessionState.AWAITING_LINK, "")
    assert story.actions == [do.AskPairingCode()]


def test_a_code_that_no_phone_can_scan_is_not_shown_and_the_next_one_is() -> None:
    story = Story().launched().on(page.Attached(facts(S.UNPAIRED)), page.Qr("2@" + "x" * 4096))
    assert (story.model.qr, story.emitted) == (None, [])
    assert story.model.fault is not None
    assert story.model.fault.reason is Reason.PAGE_CONTRACT_BROKEN
    story.on(page.Qr("2@one"))
    assert (story.model.fault, story.emitted) == (None, ["qr"])
