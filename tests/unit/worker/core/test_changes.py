"""What an observer shows of a step: each change once, and a code only while it can be scanned."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from scenes.worker.machine_story import ALICE, SAVED, SETTINGS, S, Story, facts
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import changes, events, page_events
from whatsapp_worker.core.state import Codes, PairingCode, Problem, Saving, ShownCode, State, Usage

QR = ShownCode("2@one", 1000.0, 1060.0)
PAIRING = PairingCode("ABCD-EFGH", 1180.0)
TOO_LARGE = Problem(Reason.ARCHIVE_TOO_LARGE, "too large", 1000.0)
AWAITING = State(SessionState.AWAITING_LINK, codes=Codes(QR, PAIRING))


def seen(story: Story, *happened: events.Event) -> Iterator[changes.Change]:
    """Yield the changes of each step."""
    for event in happened:
        before = story.state
        yield from changes.changes(before, story.on(event).state)


def test_the_first_look_shows_the_state_and_what_there_is() -> None:
    assert changes.changes(None, AWAITING) == (
        changes.StateChanged(None, SessionState.AWAITING_LINK, None),
        changes.QrShown(QR),
        changes.PairingCodeShown(PAIRING),
    )


def test_equal_states_have_no_changes() -> None:
    assert changes.changes(AWAITING, AWAITING) == ()
    assert changes.changes(AWAITING, replace(AWAITING, usage=Usage(memory=5))) == ()


@pytest.mark.parametrize("state", sorted(set(SessionState) - {SessionState.AWAITING_LINK}))
def test_a_code_is_shown_only_while_it_can_be_scanned(state: SessionState) -> None:
    shown = changes.changes(None, replace(AWAITING, session_state=state))
    assert not [change for change in shown if isinstance(change, changes.QrShown | changes.PairingCodeShown)]


def test_a_code_that_comes_before_the_page_says_so_is_shown_as_soon_as_it_does() -> None:
    story = Story().launched()
    assert not list(seen(story, page_events.Qr("2@early")))
    kinds = [type(change) for change in seen(story, page_events.Attached(facts(S.OPENING)))]
    story.on(page_events.Qr("2@early"))
    kinds += [type(change) for change in seen(story, page_events.Changed(facts(S.UNPAIRED)))]
    assert kinds == [changes.StateChanged, changes.QrShown]


def test_each_rotation_of_the_code_is_a_change() -> None:
    shown = list(seen(Story().awaiting(), page_events.Qr("2@two")))
    assert [change.qr.attempt for change in shown if isinstance(change, changes.QrShown)] == [2]


def test_a_link_is_shown_step_by_step() -> None:
    linked = (
        page_events.Changed(facts(S.CONNECTED, ALICE)),
        page_events.Progress(40),
        page_events.Synced(facts(S.CONNECTED, ALICE, True)),
        events.SaveDone(SAVED),
        events.SaveDone(replace(SAVED, time=900.0, changed=False)),
    )
    assert list(seen(Story().awaiting(), *linked)) == [
        changes.StateChanged(SessionState.AWAITING_LINK, SessionState.SYNCING, ALICE),
        changes.Progressed(40),
        changes.StateChanged(SessionState.SYNCING, SessionState.CONNECTED, ALICE),
        changes.GenerationSaved(SAVED),
    ], "a check that finds the same content is no new generation"


def test_a_problem_is_shown_with_the_one_before() -> None:
    story = Story().connected()
    first, second = seen(
        story,
        events.SaveFailed(Reason.STORE_UNAVAILABLE, "away"),
        events.SaveFailed(Reason.STORE_UNAVAILABLE, "away"),
        events.SaveFailed(Reason.SNAPSHOT_FAILED, "torn"),
    )
    assert isinstance(first, changes.ProblemReported)
    assert isinstance(second, changes.ProblemReported)
    assert (first.before, second.before) == (None, first.problem)
    assert not list(seen(story, events.SaveDone(None))), "a problem that is solved is not shown"


def test_a_warning_and_the_browser_are_shown_once() -> None:
    story = Story(replace(SETTINGS, memory_warning=1000)).on(events.Claimed(), events.ProfileReady())
    shown = list(seen(story, events.Launched("156", "setuid"), events.Measured(2000), events.Measured(2001)))
    assert [type(change) for change in shown] == [changes.BrowserKnown, changes.WarningRaised]
    again = (events.BrowserGone(Reason.PAGE_DEAD, "dead"), events.Launched("156", "setuid"))
    assert changes.BrowserKnown("156", "setuid") not in list(seen(story, *again))


def test_a_generation_that_is_gone_is_no_change() -> None:
    assert changes.changes(replace(AWAITING, saving=Saving(SAVED)), AWAITING) == ()
