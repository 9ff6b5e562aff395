"""Decide what to do when the page is opened elsewhere: the newest claim takes the session back. Pure.

Any question or command may stay unanswered in a conflict (the store may be away, the browser may be frozen, the page
may miss a call), so each is repeated, more and more slowly, until the page reports another state.
"""

from dataclasses import replace

from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import actions
from whatsapp_worker.core.state import Conflict, State
from whatsapp_worker.core.transitions import Step, enter, with_problem

TAKEOVER = Backoff(3.0, 300.0)
"""Pauses before the session is taken back."""
ASKING = Backoff(10.0, 300.0)
"""Pauses until the worker asks the log again who owns the session."""


def found(state: State, now: float) -> Step:
    """Ask who owns the session."""
    if state.session_state is SessionState.CONFLICT:
        return state, ()
    state = enter(state, SessionState.CONFLICT, now)
    state = with_problem(
        state, Reason.CONFLICT, "this login was opened in another browser; close WhatsApp Web there", now
    )
    state = replace(state, conflict=Conflict(takeovers=state.conflict.takeovers))
    return _asking(state, now, (actions.Emit("disconnected", ("CONFLICT",)),))


def still_owner(state: State, now: float) -> State:
    """Plan to take the session back, later each time: two workers that do so at once would flap."""
    if state.session_state is not SessionState.CONFLICT or state.conflict.takeover_due:
        return state
    due = now + TAKEOVER.after(state.conflict.takeovers + 1)
    return replace(state, conflict=replace(state.conflict, takeover_due=due))


def tick(state: State, now: float) -> Step:
    """Take the session back when it is time, or ask again."""
    known = state.conflict
    if state.session_state is not SessionState.CONFLICT:
        return state, ()
    if known.takeover_due and now >= known.takeover_due:
        due = now + ASKING.after(known.owner_asked + 1)
        known = replace(known, takeover_due=0.0, takeovers=known.takeovers + 1, owner_due=due)
        return replace(state, conflict=known), (actions.TakeOver(),)
    if not known.takeover_due and now >= known.owner_due:
        return _asking(state, now)
    return state, ()


def _asking(state: State, now: float, before: tuple[actions.Action, ...] = ()) -> Step:
    asked = state.conflict.owner_asked + 1
    known = replace(state.conflict, owner_asked=asked, owner_due=now + ASKING.after(asked))
    return replace(state, conflict=known), (*before, actions.CheckOwnership())
