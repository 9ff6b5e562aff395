"""The table of transitions: what it lists, and what becomes of a transition that it does not list."""

from dataclasses import replace

import pytest

from scenes.worker.machine_story import SETTINGS, S, Story, facts
from whatsapp_session.conditions import SessionState
from whatsapp_worker.core import changes, page_events
from whatsapp_worker.core.state import State
from whatsapp_worker.core.transitions import ALLOWED, ENDED, UnlistedTransitionError, enter

CONNECTED_WITHOUT_A_LOGIN = State(SessionState.CONNECTED)
"""No story leads here; a page without a link then shows a code at once, which the table does not list."""


def test_the_table_names_each_state_once_and_none_follows_itself() -> None:
    assert set(ALLOWED) == set(SessionState)
    assert not [state for state, after in ALLOWED.items() if state in after]


def test_nothing_follows_an_ended_state_and_each_other_one_can_end() -> None:
    for state, after in ALLOWED.items():
        if state in ENDED:
            assert not after, state
        else:
            assert {SessionState.STOPPING, SessionState.FAILED, SessionState.SUPERSEDED} <= after, state


def test_each_state_is_reached_from_the_first() -> None:
    reached = {SessionState.CLAIMING}
    while ahead := {after for state in reached for after in ALLOWED[state]} - reached:
        reached |= ahead
    assert reached == set(SessionState)


def test_a_listed_transition_is_not_noted() -> None:
    state = enter(State(), SessionState.RESTORING, 7.0)
    assert (state.session_state, state.since, state.unlisted.count) == (SessionState.RESTORING, 7.0, 0)


def test_an_unlisted_transition_raises_in_tests() -> None:
    story = Story()
    story.state = CONNECTED_WITHOUT_A_LOGIN
    with pytest.raises(UnlistedTransitionError, match="Connected -> AwaitingLink"):
        story.on(page_events.Changed(facts(S.UNPAIRED)))


def test_in_production_the_session_continues_after_an_unlisted_transition() -> None:
    story = Story(replace(SETTINGS, strict=False))
    story.state = CONNECTED_WITHOUT_A_LOGIN
    story.on(page_events.Changed(facts(S.UNPAIRED)), page_events.Qr("2@one"))
    assert story.state.session_state is SessionState.AWAITING_LINK
    assert story.emitted == ["change_state", "qr"]
    assert story.state.unlisted.count == 1
    noted = changes.TransitionUnlisted(SessionState.CONNECTED, SessionState.AWAITING_LINK)
    assert noted in changes.changes(CONNECTED_WITHOUT_A_LOGIN, story.state)
