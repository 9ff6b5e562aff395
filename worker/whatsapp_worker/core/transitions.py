"""Say which state may follow which, and build steps of the machine: a next state and what to do. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker.core import actions
from whatsapp_worker.core.state import Login, Problem, Saving, State, Unlisted

RETRY = Backoff(2.0, 60.0)
"""Pauses between loads, saves, starts of the browser and requests for codes that fail in a row."""
UNLINKED = (SessionState.LAUNCHING, SessionState.AWAITING_LINK, SessionState.LOGGED_OUT)
"""States in which the machine keeps a code; it is shown in AwaitingLink only (`State.shown_qr`)."""
WITH_A_BROWSER = (
    SessionState.LAUNCHING,
    SessionState.AWAITING_LINK,
    SessionState.SYNCING,
    SessionState.CONNECTED,
    SessionState.RECONNECTING,
    SessionState.CONFLICT,
    SessionState.LOGGED_OUT,
)
LINKED = (SessionState.SYNCING, SessionState.CONNECTED, SessionState.RECONNECTING, SessionState.CONFLICT)
"""States of a session whose page has, or is to regain, a login."""
ENDED = (SessionState.STOPPING, SessionState.LINK_EXPIRED, SessionState.SUPERSEDED, SessionState.FAILED)
"""States that nothing follows. LoggedOut ends a session, too, when no phone links in time."""
_STOPS = frozenset({SessionState.STOPPING, SessionState.SUPERSEDED, SessionState.FAILED})
_INTERRUPTED = _STOPS | {SessionState.FROZEN, SessionState.RESTORING, SessionState.LAUNCHING}
"""What may happen to a browser whatever its page shows: frozen, replaced by another profile, started again."""
_LINKED = frozenset({SessionState.SYNCING, SessionState.CONNECTED, SessionState.CONFLICT})
"""What any page may report that is not yet, or not now, connected."""
_LOST = frozenset({SessionState.RECONNECTING, SessionState.CONFLICT, SessionState.LOGGED_OUT})
"""What may become of a login."""
_TABLE: Mapping[SessionState, frozenset[SessionState]] = {
    SessionState.CLAIMING: _STOPS | {SessionState.RESTORING, SessionState.LAUNCHING},
    SessionState.RESTORING: _STOPS | {SessionState.LAUNCHING},
    SessionState.LAUNCHING: _INTERRUPTED | _LINKED | _LOST | {SessionState.AWAITING_LINK, SessionState.LINK_EXPIRED},
    SessionState.AWAITING_LINK: _INTERRUPTED | _LINKED | _LOST | {SessionState.LINK_EXPIRED},
    SessionState.SYNCING: _INTERRUPTED | _LINKED | _LOST | {SessionState.AWAITING_LINK},
    SessionState.CONNECTED: _INTERRUPTED | _LOST,
    SessionState.RECONNECTING: _INTERRUPTED | _LINKED | _LOST | {SessionState.AWAITING_LINK},
    SessionState.CONFLICT: _INTERRUPTED | _LINKED | _LOST | {SessionState.AWAITING_LINK},
    SessionState.LOGGED_OUT: _INTERRUPTED | _LINKED | {SessionState.AWAITING_LINK},
    SessionState.FROZEN: _STOPS | {SessionState.RESTORING, *WITH_A_BROWSER},
    **{state: frozenset() for state in ENDED},
}
ALLOWED: Mapping[SessionState, frozenset[SessionState]] = {state: after - {state} for state, after in _TABLE.items()}
"""Which state may follow which. `deploy/docs/architecture.md` draws it: run ``make docs`` after a change."""
Step = tuple[State, tuple[actions.Action, ...]]


class UnlistedTransitionError(AssertionError):
    """The machine entered a state that the table does not list; raised in tests only."""


def enter(state: State, session_state: SessionState, now: float) -> State:
    """Change the session's state and note a transition that the table does not list; a code stays while unlinked."""
    if state.session_state is session_state:
        return state
    if session_state not in ALLOWED[state.session_state]:
        state = replace(state, unlisted=Unlisted(state.unlisted.count + 1, state.session_state, session_state))
    return replace(
        state,
        session_state=session_state,
        since=now,
        codes=state.codes if session_state in UNLINKED else state.codes.cleared(),
        loading=replace(state.loading, stall_due=0.0),
    )


def with_problem(state: State, reason: Reason, message: str, now: float) -> State:
    """Remember what went wrong; the same problem keeps its time."""
    known = state.problem
    same = known is not None and (known.reason, known.message) == (reason, message)
    return state if same else replace(state, problem=Problem(reason, message, now))


def without_problem(state: State, *reasons: Reason) -> State:
    """Forget the problem if it has one of these reasons."""
    return replace(state, problem=None) if state.problem and state.problem.reason in reasons else state


def without_login(state: State, previous_hash: str) -> State:
    """Return the state without anything of a login that is gone."""
    known = state.login
    return replace(
        state,
        login=Login(number=known.number + 1, previous_hash=previous_hash, logged_out=known.logged_out),
        codes=replace(state.codes.cleared(), attempts=0),
        saving=Saving(),
        page=replace(state.page, synced=False),
    )


def offline_state(state: State) -> SessionState:
    """Return the state of a session whose page is absent or of no use: without a login nothing can be regained."""
    return SessionState.RECONNECTING if state.login.exists else SessionState.LAUNCHING


def on_the_way(state: State, now: float) -> State:
    """Let a session whose page is not connected reconnect; the first sync of a link is Syncing all the while."""
    leaves = state.session_state in LINKED and (state.page.synced or state.session_state is SessionState.CONFLICT)
    return enter(state, SessionState.RECONNECTING, now) if leaves else state


def finish(state: State, session_state: SessionState, now: float, shutdown: actions.Shutdown) -> Step:
    """End the worker in a state."""
    state = enter(state, session_state, now)
    state = replace(state, codes=replace(state.codes.cleared(), deadline=0.0))
    if shutdown.reason is not None and shutdown.code is not ExitCode.DONE:
        state = with_problem(state, shutdown.reason, shutdown.message, now)
    return state, (shutdown,)


def refused(state: State, reason: Reason, message: str, now: float) -> Step:
    """End because WhatsApp refuses; the profile stays as it is, and the newest archive stays the newest."""
    return finish(state, SessionState.FAILED, now, actions.Shutdown(ExitCode.PAGE_REFUSED, reason, message, save=False))
