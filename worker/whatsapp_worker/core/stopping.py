"""Decide when a stop ends the session: at once, or when the first sync of a new link has made a save possible. Pure."""

from dataclasses import replace

from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker.core import actions, events
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import State
from whatsapp_worker.core.transitions import Step, finish, with_problem, without_problem

PATIENCE = 12.0
"""Seconds that a stop waits for the first sync; with the save that follows, less than the 25 s of a spot node."""
WAITING = (
    "the worker was asked to stop during the first sync of a new link; "
    f"it waits up to {PATIENCE:.0f} s until it can save the link"
)
_ON_THE_WAY = (SessionState.LAUNCHING, SessionState.SYNCING, SessionState.RECONNECTING)
"""States of a new link from which the first sync can still end."""


def requested(settings: Settings, state: State, event: events.StopRequested, now: float) -> Step:
    """End the session, but let a new link that is not saved yet finish its first sync; a second stop waits as well."""
    if event.final or not _waits(settings, state):
        return _finished(state, now)
    if state.stopping:
        return state, ()
    return with_problem(replace(state, stopping=True), Reason.SYNCING, WAITING, now), ()


def judged(step: Step, now: float) -> Step:
    """End the session of a stop that waits, as soon as the sync has ended or its link is gone."""
    state, todo = step
    over = state.stopping and state.session_state not in (*_ON_THE_WAY, SessionState.FROZEN)
    if not over or any(isinstance(action, actions.Shutdown) for action in todo):
        return step
    state, ending = _finished(state, now)
    return state, (*todo, *ending)


def _waits(settings: Settings, state: State) -> bool:
    login = state.login
    is_new_link = settings.saves and not settings.keeps_profile and not login.known_hash and not login.proven
    syncing = state.session_state is SessionState.SYNCING
    return is_new_link and (syncing or (login.account is not None and state.session_state in _ON_THE_WAY))


def _finished(state: State, now: float) -> Step:
    if state.problem is not None and state.problem.message == WAITING:
        state = without_problem(state, Reason.SYNCING)
    shutdown = actions.Shutdown(ExitCode.DONE, None, "stopped on request")
    return finish(state, SessionState.STOPPING, now, shutdown)
