"""Codes that the page does not give at once, or that WhatsApp limits the rate of."""

from dataclasses import replace

import pytest

from scenes.worker.machine_story import ALICE, SETTINGS, S, Story, facts
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import actions, events, link_codes, page_events


def pairing() -> Story:
    return Story(replace(SETTINGS, phone_number="4915112345678")).launched().on(page_events.Attached(facts(S.UNPAIRED)))


def shown(story: Story) -> str:
    return story.state.shown_pairing_code.code if story.state.shown_pairing_code else ""


def test_an_idle_page_that_gives_no_code_is_asked_again_until_it_does() -> None:
    story = Story().awaiting().on(page_events.Changed(facts(S.UNPAIRED_IDLE)), after=160)
    assert story.actions[-1] == actions.RefreshQr()
    for pause in (4, 8):
        story.on(events.Tick(), after=pause - 0.1)
        assert story.actions == []
        story.on(events.Tick(), after=0.1)
        assert story.actions == [actions.RefreshQr()]
    story.on(page_events.Qr("2@seven")).on(events.Tick(), after=59)
    assert story.actions == []


def test_an_idle_page_that_never_gives_a_code_is_loaded_again_ever_more_seldom_and_named() -> None:
    story, loads = Story().awaiting().on(page_events.Changed(facts(S.UNPAIRED_IDLE)), after=160), []
    nothing = page_events.ContractBroken(("X.refreshQR() gives no new code",), page_events.Need.QR, certain=False)
    begun = story.now
    while len(loads) < 3:  # the third starts the browser
        story.on(nothing, events.Tick(), after=0.5)
        assert story.state.problem is not None
        assert "X.refreshQR()" in story.state.problem.message
        if story.does(actions.Recycle):
            story.on(events.Launched("156"))
        elif not story.does(actions.Load):
            continue
        loads.append(story.now - begun)
        story.on(page_events.Attached(facts(S.UNPAIRED_IDLE)))
    assert [loads[0], loads[1] - loads[0], loads[2] - loads[1]] == pytest.approx([30, 60, 120], abs=3)
    story.on(page_events.Qr("2@new"))
    assert story.state.problem is None


def test_an_idle_page_is_not_asked_once_it_is_linked() -> None:
    story = (
        Story()
        .awaiting()
        .on(page_events.Changed(facts(S.UNPAIRED_IDLE)), page_events.Changed(facts(S.CONNECTED, ALICE)))
    )
    story.on(events.Tick(), after=60)
    assert not story.does(actions.RefreshQr)


def test_a_pairing_code_is_asked_for_and_shown() -> None:
    story = pairing()
    assert story.actions == [actions.AskPairingCode()]
    story.on(events.CodeShown("ABCD-EFGH"))
    assert (story.emitted, shown(story)) == (["code"], "ABCD-EFGH")


def test_a_pairing_code_is_renewed_when_its_time_is_over() -> None:
    story = pairing()
    story.on(events.CodeShown("ABCD-EFGH"), events.Tick(), after=link_codes.PAIRING_CODE_SECONDS / 2)
    assert not story.does(actions.AskPairingCode)
    story.on(events.Tick(), after=link_codes.PAIRING_CODE_SECONDS)
    assert story.actions == [actions.AskPairingCode()]
    assert shown(story) == ""


def test_a_pairing_code_that_whatsapp_refuses_is_asked_for_once_a_minute_however_the_page_flaps() -> None:
    story, asked = pairing(), 0
    story.on(events.RetryingAfter(Reason.AWAITING_SCAN, "no pairing code: rate-overlimit"))
    for _ in range(60):  # of five seconds each
        story.on(
            page_events.Changed(facts(S.OPENING)), page_events.Changed(facts(S.UNPAIRED)), events.Tick(), after=5 / 3
        )
        asked += story.actions.count(actions.AskPairingCode())
    assert 4 <= asked <= 5
    story.on(events.BrowserGone(Reason.BROWSER_CRASHED, "x"), events.Launched("156"))
    story.on(page_events.Attached(facts(S.UNPAIRED)))
    assert not story.does(actions.AskPairingCode), "nor does a new browser begin anew"
    story.on(events.Tick(), after=60)
    assert story.actions == [actions.AskPairingCode()]
    story.on(events.CodeShown("ABCD-EFGH"))
    assert story.state.problem is None or story.state.problem.reason is not Reason.AWAITING_SCAN


def test_a_pairing_code_of_a_page_that_was_loaded_again_is_replaced() -> None:
    story = pairing().on(events.CodeShown("ABCD-EFGH")).on(page_events.Attached(facts(S.UNPAIRED)), after=61)
    assert (story.state.session_state, shown(story)) == (SessionState.AWAITING_LINK, "")
    assert story.actions == [actions.AskPairingCode()]


def test_a_code_that_no_phone_can_scan_is_not_shown_and_the_next_one_is() -> None:
    story = Story().launched().on(page_events.Attached(facts(S.UNPAIRED)), page_events.Qr("2@" + "x" * 4096))
    assert (story.state.codes.qr, story.emitted) == (None, [])
    assert story.state.problem is not None
    assert story.state.problem.reason is Reason.PAGE_CONTRACT_BROKEN
    story.on(page_events.Qr("2@one"))
    assert (story.state.problem, story.emitted) == (None, ["qr"])
