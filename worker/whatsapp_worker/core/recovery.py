"""Decide when a page that stalls is loaded again, and when its browser is started again. Pure. Deletes nothing."""

from dataclasses import replace

from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import actions, transitions
from whatsapp_worker.core.state import Model

LONGEST_PATIENCE = 3600.0
SYNC_PATIENCE = Backoff(180.0, LONGEST_PATIENCE)
"""Seconds in Syncing without a word from the page after which it is loaded again."""
LAUNCH_PATIENCE = Backoff(90.0, LONGEST_PATIENCE)
RECONNECT_PATIENCE = Backoff(300.0, LONGEST_PATIENCE)
"""Each time that a load did not help the page is given twice as long: a lost network is no reason for a storm."""
LOADS_BEFORE_A_START = 2
"""Loads that did not help after which the browser itself is started again, which may be what does not work."""
FAILURES_BEFORE_A_START = 8
"""The same for loads that failed, twice as many each time: a power of two."""


def tick(model: Model, now: float) -> transitions.Step:
    """Load the page again when its time is over, which begins anew with each state, load and sign of progress."""
    patience = _patience(model)
    if not patience or model.load_due or model.saving:
        return model, ()
    if not model.stall_due:
        return replace(model, stall_due=now + patience), ()
    if now < model.stall_due:
        return model, ()
    stalls = model.stalls + 1
    model = replace(model, stall_due=0.0, stalls=stalls)
    if model.state is not SessionState.RECONNECTING:  # which says itself why
        message = f"the page has been {model.state} for {patience:.0f} s without a word"
        model = transitions.with_problem(model, Reason.SYNCING, message, now)
    if stalls % (LOADS_BEFORE_A_START + 1):
        return model, (actions.Load(),)
    return _started_again(model, now)


def again(model: Model, now: float) -> transitions.Step:
    """Load a page that could not be loaded; after 8 failures in a row, after 16, 32 ... start its browser again.

    The browser may be what does not work (its network service has died); a lost network costs few starts in a day.
    """
    failures, model = model.load_failures, replace(model, load_due=0.0, stall_due=0.0)
    start = failures >= FAILURES_BEFORE_A_START and failures.bit_count() == 1
    return _started_again(model, now) if start and not model.saving else (model, (actions.Load(),))


def _started_again(model: Model, now: float) -> transitions.Step:
    model = replace(transitions.enter(model, SessionState.LAUNCHING, now), synced=False, launched_at=0.0)
    return model, (actions.Recycle(gently=True),)


def _patience(model: Model) -> float:
    match model.state:
        case SessionState.SYNCING:
            patience = SYNC_PATIENCE
        case SessionState.LAUNCHING | SessionState.LOGGED_OUT:
            patience = LAUNCH_PATIENCE
        case SessionState.RECONNECTING if model.unreadable:
            return LONGEST_PATIENCE  # WhatsApp changed the page under a session that runs: now and then it is loaded
        case SessionState.RECONNECTING:
            patience = RECONNECT_PATIENCE
        case _:
            return 0.0
    return patience.after(model.stalls + 1)
