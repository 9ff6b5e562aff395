"""Decide when a page is loaded again, and when its browser is started again. Pure. Deletes nothing."""

from dataclasses import replace

from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker.core import actions, events
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import State
from whatsapp_worker.core.transitions import RETRY, Step, enter, finish, offline_state, with_problem

LONGEST_PATIENCE = 3600.0
SYNC_PATIENCE = Backoff(180.0, LONGEST_PATIENCE)
"""Seconds in Syncing without a report from the page after which it is loaded again."""
LAUNCH_PATIENCE = Backoff(90.0, LONGEST_PATIENCE)
LOGOUT_PATIENCE = Backoff(15.0, LONGEST_PATIENCE)
"""Seconds in which a page leaves by itself after a logout, as WhatsApp Web's does at once."""
CODE_PATIENCE = Backoff(30.0, LONGEST_PATIENCE)
"""Seconds in which an unlinked page shows a code by itself."""
RECONNECT_PATIENCE = Backoff(300.0, LONGEST_PATIENCE)
"""Each time that a load did not help the page is given twice as long: a lost network is no reason for a storm."""
LOADS_BEFORE_A_START = 2
"""Loads that did not help after which the browser itself is started again, which may be what does not work."""
FAILURES_BEFORE_A_START = 8
"""The same for loads that failed, twice as many each time: a power of two."""
LIFETIME = 600.0
"""Seconds after which the end of a browser no longer counts as one of several in a row."""
MOST_RESTARTS = 5
"""Restarts of a browser in a row after which the worker gives up."""


def not_loaded(state: State, message: str, now: float) -> Step:
    """Load the page again after a pause that grows; one failed load may be reported in two ways."""
    state = enter(state, offline_state(state), now)
    state = with_problem(state, Reason.RECONNECTING, message, now)
    if state.loading.due > now:
        return state, ()
    failures = state.loading.failures + 1
    due = now + RETRY.after(failures)
    return replace(state, loading=replace(state.loading, failures=failures, due=due)), ()


def tick(state: State, now: float) -> Step:
    """Load the page again when its time is over, which begins again with each state, load and sign of progress."""
    loading, patience = state.loading, _patience(state)
    if not patience or loading.due or state.saving.running:
        return state, ()
    if not loading.stall_due:
        return replace(state, loading=replace(loading, stall_due=now + patience)), ()
    if now < loading.stall_due:
        return state, ()
    stalls = loading.stalls + 1
    state = replace(state, loading=replace(loading, stall_due=0.0, stalls=stalls))
    if state.problem is not None and state.problem.reason is Reason.PAGE_CONTRACT_BROKEN:
        pass  # which says why
    elif state.session_state is SessionState.AWAITING_LINK:
        message = f"the page asks for a link but showed no code for {patience:.0f} s; the worker loads it again"
        state = with_problem(state, Reason.AWAITING_SCAN, message, now)
    elif state.session_state is not SessionState.RECONNECTING:  # whose problem says why
        message = f"the page has been {state.session_state} for {patience:.0f} s without an event"
        state = with_problem(state, Reason.SYNCING, message, now)
    if stalls % (LOADS_BEFORE_A_START + 1):
        return state, (actions.Load(),)
    return _started_again(state, now)


def again(state: State, now: float) -> Step:
    """Load a page that could not be loaded; after 8 failures in a row, after 16, 32 ... start its browser again.

    The browser may be what does not work (its network service has died); a lost network costs few starts in a day.
    """
    failures = state.loading.failures
    state = replace(state, loading=replace(state.loading, due=0.0, stall_due=0.0))
    start = failures >= FAILURES_BEFORE_A_START and failures.bit_count() == 1
    return _started_again(state, now) if start and not state.saving.running else (state, (actions.Load(),))


def _started_again(state: State, now: float) -> Step:
    state = enter(state, SessionState.LAUNCHING, now)
    page, browser = replace(state.page, synced=False), replace(state.browser, launched_at=0.0)
    return replace(state, page=page, browser=browser), (actions.Recycle(gently=True),)


def launched(state: State, event: events.Launched, now: float) -> State:
    """Note that the browser runs."""
    state = enter(state, SessionState.LAUNCHING, now)
    browser = replace(state.browser, version=event.version, sandbox=event.sandbox, launched_at=now)
    return replace(state, browser=browser, loading=replace(state.loading, due=0.0, stall_due=0.0))


def browser_gone(settings: Settings, state: State, event: events.BrowserGone, now: float) -> Step:
    """Start the browser again on the same profile; give up after several in a row."""
    started = state.browser.launched_at
    # A browser that has lived ended for reasons of its own, however long a link is awaited: it is the first in its row.
    restarts = 1 if started and now - started >= LIFETIME else state.browser.restarts + 1
    state = enter(state, SessionState.LAUNCHING, now)
    state = with_problem(state, event.reason, event.message, now)
    # What a dead page had not saved is on disk once its browser has closed: it is saved as soon as it is back.
    dead, saving = event.reason is Reason.PAGE_DEAD, state.saving.interrupted()
    state = replace(
        state,
        codes=state.codes.cleared(),
        page=replace(state.page, synced=False),
        saving=replace(saving, due=now) if dead and settings.saves else saving,
        browser=replace(state.browser, launched_at=0.0, restarts=restarts),
    )
    if restarts > MOST_RESTARTS:
        message = f"{event.message}, {restarts} times in a row"
        shutdown = actions.Shutdown(ExitCode.CRASHED, event.reason, message, save=False)
        return finish(state, SessionState.FAILED, now, shutdown)
    return state, (actions.Emit("disconnected", (str(event.reason),)), actions.Recycle(gently=dead))


def _patience(state: State) -> float:
    codes = state.codes
    match state.session_state:
        case SessionState.SYNCING:
            patience = SYNC_PATIENCE
        case SessionState.LAUNCHING:
            patience = LAUNCH_PATIENCE
        case SessionState.LOGGED_OUT:
            patience = LOGOUT_PATIENCE
        case SessionState.AWAITING_LINK if not (codes.qr or codes.pairing_asked):
            patience = CODE_PATIENCE
        case SessionState.RECONNECTING if state.page.unreadable:
            return LONGEST_PATIENCE  # WhatsApp changed the page of a running session: try it once an hour
        case SessionState.RECONNECTING:
            patience = RECONNECT_PATIENCE
        case _:
            return 0.0
    return patience.after(state.loading.stalls + 1)
