"""What holds in every state, for every event and every sequence of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.worker.machine_story import ALICE, BOB, SAVED, SETTINGS, S, Story, facts
from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker.core import actions, events, link_codes, page_events
from whatsapp_worker.core.state import Login, State

_EACH_EVENT: tuple[events.Event, ...] = (
    *(
        kind(facts(state, ALICE, True))
        for kind in (page_events.Attached, page_events.Changed, page_events.Synced)
        for state in S
    ),
    page_events.Qr("2@x"),
    page_events.Progress(50),
    page_events.LoggedOut(),
    page_events.PasskeyAsked(),
    page_events.ContractBroken(("X is missing",), page_events.Need.SESSION),
    page_events.UnexpectedPage(503),
    page_events.UnexpectedPage(200, ("X", "Y")),
    events.Claimed(),
    events.ProfileReady(),
    events.Launched("156"),
    events.LoadFailed("x"),
    events.AdapterMissing(),
    events.BrowserGone(Reason.BROWSER_CRASHED, "x"),
    events.SaveDone(SAVED),
    events.SaveFailed(Reason.SNAPSHOT_FAILED, "x"),
    events.Fatal(ExitCode.CRASHED, Reason.CRASH_LOOP, "x"),
    events.StillOwner(),
    events.CodeShown("AAAA-BBBB"),
    events.SaveRequested(),
    events.RelinkRequested("2026-01-01T00:00:00Z"),
    events.TakeOverRequested("2026-01-01T00:00:00Z"),
    events.StopRequested(),
    events.RetryingAfter(Reason.STORE_UNAVAILABLE, "x"),
    events.CopyFollowed("x"),
    events.OwnershipExpired(),
    events.OwnershipRenewed(),
    events.Measured(1),
    events.Tick(),
)


_ENDED = (SessionState.STOPPING, SessionState.LINK_EXPIRED, SessionState.SUPERSEDED, SessionState.FAILED)


def test_the_list_of_each_event_is_complete() -> None:
    assert {type(event) for event in _EACH_EVENT} == set(get_args(events.Event))


@pytest.mark.parametrize("state", list(SessionState))
def test_every_event_is_answered_in_every_state_and_the_promises_hold(state: SessionState) -> None:
    for event in _EACH_EVENT:
        for account in (None, ALICE):
            story = Story(replace(SETTINGS, strict=False))  # no story leads to some of these: Connected without a login
            story.state = State(state, login=Login(account, account.hash if account else "", proven=True))
            story.on(event)
            if state in _ENDED:
                assert not [action for action in story.actions if not isinstance(action, actions.Emit)], event
                assert story.state.session_state is state, event
            if story.does(actions.RetireLogin):
                assert isinstance(event, page_events.LoggedOut), "only a logout retires a login"
            if story.does(actions.Relink):
                assert isinstance(event, events.RelinkRequested), "only a person sets a login aside"
            if story.does(actions.Save):
                assert story.state.session_state is SessionState.CONNECTED, event
            if story.does(actions.Shutdown):
                assert story.state.session_state in (*_ENDED, SessionState.LOGGED_OUT), event


_ACCOUNTS = st.sampled_from([None, ALICE, BOB])


_FACTS = st.builds(page_events.PageState, st.sampled_from(list(S)), st.booleans(), _ACCOUNTS, st.just("2.3000"))


_TIMES = ["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "1970-01-01T00:00:00Z", "soon"]


_EVENTS: st.SearchStrategy[events.Event] = st.one_of(
    st.builds(page_events.Attached, _FACTS),
    st.builds(page_events.Changed, _FACTS),
    st.builds(page_events.Synced, _FACTS),
    st.builds(page_events.Qr, st.just("2@x")),
    st.builds(page_events.Progress, st.integers(0, 100)),
    st.just(page_events.LoggedOut()),
    st.builds(page_events.ContractBroken, st.just(("X",)), st.sampled_from(page_events.Need), st.booleans()),
    st.just(events.Claimed()),
    st.builds(events.ProfileReady, st.sampled_from(["", ALICE.hash]), st.sampled_from([None, SAVED])),
    st.just(events.Launched("156")),
    st.just(events.LoadFailed("x")),
    st.just(events.AdapterMissing()),
    st.just(events.BrowserGone(Reason.PAGE_DEAD, "x")),
    st.builds(events.SaveDone, st.sampled_from([None, SAVED]), st.booleans()),
    st.just(events.SaveFailed(Reason.SNAPSHOT_FAILED, "x")),
    st.just(events.Fatal(ExitCode.DONE, Reason.SUPERSEDED, "x")),
    st.just(events.StillOwner()),
    st.just(events.CodeShown("AAAA-BBBB")),
    st.just(events.SaveRequested()),
    st.builds(events.SaveRequested, st.sampled_from(_TIMES)),
    st.builds(events.RelinkRequested, st.sampled_from(_TIMES)),
    st.builds(events.TakeOverRequested, st.sampled_from(_TIMES)),
    st.just(events.StopRequested()),
    st.builds(page_events.UnexpectedPage, st.sampled_from([200, 503]), st.sampled_from([(), ("X", "Y")])),
    st.builds(events.Measured, st.integers(0, 1 << 40)),
    st.just(page_events.PasskeyAsked()),
    st.just(events.OwnershipExpired()),
    st.just(events.OwnershipRenewed()),
    st.just(events.RetryingAfter(Reason.STORE_UNAVAILABLE, "x")),
    st.sampled_from(("x", "")).map(events.CopyFollowed),
    st.just(events.Tick()),
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


_EVENT_LISTS = st.lists(st.tuples(_EVENTS, st.floats(0, 500)), max_size=60)


@given(_STORIES, _EVENT_LISTS)
def test_in_every_story_the_promises_hold(story: Story, happened: list[tuple[events.Event, float]]) -> None:
    ended = story.state.session_state in _ENDED
    for event, after in happened:
        before = story.state
        story.on(event, after=after)
        assert not (ended and story.does(actions.Launch)), "nothing starts after the end"
        if story.does(actions.RetireLogin):
            assert isinstance(event, page_events.LoggedOut), "only a logout retires a login"
        if story.does(actions.Unlink):
            assert not before.login.known_hash, "a saved login is not unlinked"
        if before.session_state is SessionState.FROZEN and story.state.session_state is SessionState.FROZEN:
            assert not [a for a in story.actions if not isinstance(a, actions.Emit)], "nothing is done meanwhile"
        if story.does(actions.Relink):
            assert isinstance(event, events.RelinkRequested), "only a person sets a login aside"
            assert story.state.login.account is None
            assert story.state.saving.saved is None
        for request, time in before.requests.handled.items():
            assert story.state.requests.handled[request] >= time, "what was handled stays handled"
        if story.does(actions.Save):
            assert story.state.session_state is SessionState.CONNECTED
            assert story.state.login.account is not None
            assert not before.saving.running, "saves do not overlap"
        if story.state.codes.qr is not None:
            assert story.state.session_state in (
                SessionState.AWAITING_LINK,
                SessionState.LAUNCHING,
                SessionState.LOGGED_OUT,
            )
        if story.state.shown_qr or story.state.shown_pairing_code:
            assert story.state.session_state is SessionState.AWAITING_LINK, "a code is shown while it can be scanned"
        assert sum(isinstance(action, actions.Shutdown) for action in story.actions) <= (0 if ended else 1)
        ended = ended or story.does(actions.Shutdown)
        assert "2@x" not in repr((story.state, story.actions)), "no code in any repr"
        assert "4915112345678" not in repr((story.state, story.actions)), "no full number in any repr"
        if ended and story.state.session_state is SessionState.LOGGED_OUT:
            return  # the runner's loop has ended, as it has in the other states in which a story ends


@given(_STORIES, _EVENT_LISTS)
def test_in_every_story_browser_and_page_are_what_the_machine_says(
    story: Story, happened: list[tuple[events.Event, float]]
) -> None:
    runs, asked = story.state.session_state is not SessionState.CLAIMING, story.state.codes.pairing_asked
    for event, after in happened:
        heard = story.state.session_state not in (SessionState.FROZEN, *_ENDED)
        preparing = story.state.session_state is SessionState.RESTORING and not isinstance(event, events.ProfileReady)
        story.on(event, after=after)
        if preparing:
            assert story.state.session_state in (SessionState.RESTORING, *_ENDED), (
                "nobody but the strategy ends a restore"
            )
        for action in story.actions:
            match action:
                case actions.Launch():
                    assert not runs, "one browser after the other"
                    runs = True
                case actions.RestorePrevious() | actions.Relink():
                    runs = False
                case actions.Recycle():
                    runs = True
                case actions.AskPairingCode():
                    assert not asked or story.now - asked >= link_codes.PAIRING_PAUSE, "WhatsApp limits their rate"
                    asked = story.now
        if story.state.session_state is SessionState.CONNECTED:
            assert story.state.page.synced
            assert story.state.login.proven
            assert story.state.login.account
        if isinstance(event, page_events.Attached | page_events.Changed | page_events.Synced) and heard:
            connected = event.facts.state is S.CONNECTED
            assert connected or story.state.session_state is not SessionState.CONNECTED, (
                "connected is what the page says it is"
            )
        if story.does(actions.Shutdown):
            return
