"""What holds in every state, for every event and every sequence of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.worker.machine_story import ALICE, BOB, SAVED, SETTINGS, S, Story, facts
from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker import actions as do
from whatsapp_worker import codes, happenings
from whatsapp_worker import model as m
from whatsapp_worker.page import events as page

_EACH_EVENT: tuple[happenings.Event, ...] = (
    *(kind(facts(state, ALICE, True)) for kind in (page.Attached, page.Changed, page.Synced) for state in S),
    page.Qr("2@x"),
    page.Progress(50),
    page.LoggedOut(),
    page.PasskeyAsked(),
    page.ContractBroken(("X",), session=True),
    page.NotThePage(503),
    page.NotThePage(200, ("X", "Y")),
    happenings.Claimed(),
    happenings.Prepared(),
    happenings.Launched("156"),
    happenings.LoadFailed("x"),
    happenings.Unattended(),
    happenings.BrowserGone(Reason.BROWSER_CRASHED, "x"),
    happenings.SaveDone(SAVED, changed=True),
    happenings.SaveFailed(Reason.SNAPSHOT_FAILED, "x"),
    happenings.Fatal(ExitCode.CRASHED, Reason.CRASH_LOOP, "x"),
    happenings.StillOwner(),
    happenings.CodeShown("AAAA-BBBB"),
    happenings.SaveRequested(),
    happenings.RelinkRequested("2026-01-01T00:00:00Z"),
    happenings.TakeOverRequested("2026-01-01T00:00:00Z"),
    happenings.StopRequested(),
    happenings.Troubled(Reason.STORE_UNAVAILABLE, "x"),
    happenings.Silenced(),
    happenings.Answered(),
    happenings.Measured(1),
    happenings.Tick(),
)


_ENDED = (SessionState.STOPPING, SessionState.LINK_EXPIRED, SessionState.SUPERSEDED, SessionState.FAILED)


def test_the_list_of_each_event_is_complete() -> None:
    assert {type(event) for event in _EACH_EVENT} == set(get_args(happenings.Event))


@pytest.mark.parametrize("state", list(SessionState))
def test_every_event_is_answered_in_every_state_and_the_promises_hold(state: SessionState) -> None:
    for event in _EACH_EVENT:
        for account in (None, ALICE):
            story = Story()
            story.model = m.Model(state, account=account, known_hash=account.hash if account else "", proven=True)
            story.on(event)
            if state in _ENDED:
                assert not [action for action in story.actions if not isinstance(action, do.Emit)], event
                assert story.model.state is state, event
            if story.does(do.BuryLogin):
                assert isinstance(event, page.LoggedOut), "only a logout buries a login"
            if story.does(do.Relink):
                assert isinstance(event, happenings.RelinkRequested), "only a person sets a login aside"
            if story.does(do.Save):
                assert story.model.state is SessionState.CONNECTED, event
            if story.does(do.Shutdown):
                assert story.model.state in (*_ENDED, SessionState.LOGGED_OUT), event


_ACCOUNTS = st.sampled_from([None, ALICE, BOB])


_FACTS = st.builds(page.Facts, st.sampled_from(list(S)), st.booleans(), _ACCOUNTS, st.just("2.3000"))


_TIMES = ["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "1970-01-01T00:00:00Z", "soon"]


_EVENTS: st.SearchStrategy[happenings.Event] = st.one_of(
    st.builds(page.Attached, _FACTS),
    st.builds(page.Changed, _FACTS),
    st.builds(page.Synced, _FACTS),
    st.builds(page.Qr, st.just("2@x")),
    st.builds(page.Progress, st.integers(0, 100)),
    st.just(page.LoggedOut()),
    st.builds(page.ContractBroken, st.just(("X",)), st.booleans()),
    st.just(happenings.Claimed()),
    st.builds(happenings.Prepared, st.sampled_from(["", ALICE.hash]), st.sampled_from([None, SAVED])),
    st.just(happenings.Launched("156")),
    st.just(happenings.LoadFailed("x")),
    st.just(happenings.Unattended()),
    st.just(happenings.BrowserGone(Reason.PAGE_DEAD, "x")),
    st.builds(happenings.SaveDone, st.sampled_from([None, SAVED]), st.booleans()),
    st.just(happenings.SaveFailed(Reason.SNAPSHOT_FAILED, "x")),
    st.just(happenings.Fatal(ExitCode.DONE, Reason.SUPERSEDED, "x")),
    st.just(happenings.StillOwner()),
    st.just(happenings.CodeShown("AAAA-BBBB")),
    st.just(happenings.SaveRequested()),
    st.builds(happenings.SaveRequested, st.sampled_from(_TIMES)),
    st.builds(happenings.RelinkRequested, st.sampled_from(_TIMES)),
    st.builds(happenings.TakeOverRequested, st.sampled_from(_TIMES)),
    st.just(happenings.StopRequested()),
    st.builds(page.NotThePage, st.sampled_from([200, 503]), st.sampled_from([(), ("X", "Y")])),
    st.builds(happenings.Measured, st.integers(0, 1 << 40)),
    st.just(page.PasskeyAsked()),
    st.just(happenings.Silenced()),
    st.just(happenings.Answered()),
    st.just(happenings.Troubled(Reason.STORE_UNAVAILABLE, "x")),
    st.just(happenings.Tick()),
)


_SETTINGS = st.sampled_from(
    [SETTINGS, replace(SETTINGS, phone_number="4915112345678", expected_account="4917087654321")]
)


_OTHERWISE = replace(SETTINGS, phone_number="4915112345678", expected_account="4917087654321")


_BEGINNINGS: st.SearchStrategy[Callable[[Story], Story]] = st.sampled_from(
    [Story.on, Story.launched, Story.awaiting, Story.connected, Story.restored]
)


_STORIES = st.builds(
    lambda begin, settings: begin(Story(settings)), _BEGINNINGS, st.sampled_from([SETTINGS, _OTHERWISE])
)


_HAPPENINGS = st.lists(st.tuples(_EVENTS, st.floats(0, 500)), max_size=60)


@given(_STORIES, _HAPPENINGS)
def test_in_every_story_the_promises_hold(story: Story, events: list[tuple[happenings.Event, float]]) -> None:
    ended = story.model.state in _ENDED
    for event, after in events:
        before = story.model
        story.on(event, after=after)
        assert not (ended and story.does(do.Launch)), "nothing starts after the end"
        if story.does(do.BuryLogin):
            assert isinstance(event, page.LoggedOut), "only a logout buries a login"
        if story.does(do.Unlink):
            assert not before.known_hash, "a saved login is not unlinked"
        if before.state is SessionState.FROZEN and story.model.state is SessionState.FROZEN:
            assert not [a for a in story.actions if not isinstance(a, do.Emit)], "nothing is done meanwhile"
        if story.does(do.Relink):
            assert isinstance(event, happenings.RelinkRequested), "only a person sets a login aside"
            assert story.model.account is None
            assert story.model.saved is None
        for wish, time in before.handled.items():
            assert story.model.handled[wish] >= time, "what was handled stays handled"
        if story.does(do.Save):
            assert story.model.state is SessionState.CONNECTED
            assert story.model.account is not None
            assert not before.saving, "saves do not overlap"
        if story.model.qr is not None:
            assert story.model.state in (SessionState.AWAITING_LINK, SessionState.LAUNCHING, SessionState.LOGGED_OUT)
        assert sum(isinstance(action, do.Shutdown) for action in story.actions) <= (0 if ended else 1)
        ended = ended or story.does(do.Shutdown)
        assert "2@x" not in repr((story.model, story.actions)), "no code in any repr"
        assert "4915112345678" not in repr((story.model, story.actions)), "no full number in any repr"
        if ended and story.model.state is SessionState.LOGGED_OUT:
            return  # the keeper's loop has ended, as it has in the other states in which a story ends


@given(_STORIES, _HAPPENINGS)
def test_in_every_story_browser_and_page_are_what_the_machine_says(
    story: Story, events: list[tuple[happenings.Event, float]]
) -> None:
    runs, asked = story.model.state is not SessionState.CLAIMING, story.model.pairing_asked
    for event, after in events:
        heard = story.model.state not in (SessionState.FROZEN, *_ENDED)
        preparing = story.model.state is SessionState.RESTORING and not isinstance(event, happenings.Prepared)
        story.on(event, after=after)
        if preparing:
            assert story.model.state in (SessionState.RESTORING, *_ENDED), "nobody but the strategy ends a restore"
        for action in story.actions:
            match action:
                case do.Launch():
                    assert not runs, "one browser after the other"
                    runs = True
                case do.FallBack() | do.Relink():
                    runs = False
                case do.Recycle():
                    runs = True
                case do.AskPairingCode():
                    assert not asked or story.now - asked >= codes.PAIRING_PAUSE, "WhatsApp limits their rate"
                    asked = story.now
        if story.model.state is SessionState.CONNECTED:
            assert story.model.synced
            assert story.model.proven
            assert story.model.account
        if isinstance(event, page.Attached | page.Changed | page.Synced) and heard:
            connected = event.facts.state is S.CONNECTED
            assert connected or story.model.state is not SessionState.CONNECTED, "connected is what the page says it is"
        if story.does(do.Shutdown):
            return
