"""Decide what a user's request does, and remember which were carried out: each is carried out once. Pure."""

from dataclasses import replace

from whatsapp_session import timestamps
from whatsapp_session.conditions import SessionState
from whatsapp_worker.core import actions, events
from whatsapp_worker.core.state import Ownership, State
from whatsapp_worker.core.transitions import Step, enter, without_login

SAVE, RELINK, TAKEOVER = "save", "relink", "takeover"
_BEFORE_THE_PROFILE = (SessionState.CLAIMING, SessionState.RESTORING)
"""States in which the strategy reads requests itself; the next renewal repeats those that it has not seen."""
Request = events.SaveRequested | events.RelinkRequested | events.TakeOverRequested


def done(state: State, kind: str, time: str | None) -> State:
    """Remember that a request is carried out; requests without a time leave no trace."""
    if not time or not timestamps.is_newer(time, state.requests.handled.get(kind)):
        return state
    return replace(state, requests=replace(state.requests, handled={**state.requests.handled, kind: time}))


def is_stale(state: State, kind: str, time: str) -> bool:
    """Tell whether a request was handled, is older than our claim, or has a time that is none."""
    if not time:
        return False
    moment = timestamps.seconds(time)  # whole seconds, as users write them
    newest = state.requests.handled.get(kind)
    return moment is None or moment < int(state.requests.claimed_at) or not timestamps.is_newer(time, newest)


def takeover(state: State, time: str) -> Step:
    """Take the session back from another browser if one has it."""
    if state.session_state in _BEFORE_THE_PROFILE or is_stale(state, TAKEOVER, time):
        return state, ()
    elsewhere = state.session_state is SessionState.CONFLICT
    return done(state, TAKEOVER, time), (actions.TakeOver(),) if elsewhere else ()


def relink(state: State, time: str, now: float) -> Step:
    """Give the present login up and let the strategy prepare an empty profile."""
    if state.session_state in _BEFORE_THE_PROFILE or is_stale(state, RELINK, time):
        return state, ()
    retired = state.login.hash
    emitted: tuple[actions.Action, ...] = (actions.Emit("disconnected", ("LOGOUT",)),) if retired else ()
    state = enter(state, SessionState.RESTORING, now)
    state = without_login(state, retired or state.login.previous_hash)
    return replace(
        state,
        codes=replace(state.codes, deadline=0.0),
        loading=replace(state.loading, due=0.0),
        ownership=Ownership(expired=state.ownership.expired),
        problem=None,
    ), (*emitted, actions.Relink(retired, time))
