"""Decide what a session does while its browser is frozen: neither Lease nor log has confirmed its ownership. Pure."""

from dataclasses import replace

from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import actions, events, page_events
from whatsapp_worker.core.state import Ownership, State
from whatsapp_worker.core.transitions import WITH_A_BROWSER, Step, enter, with_problem, without_problem

KEPT_BACK = (
    page_events.PageEvent,
    events.LoadFailed,
    events.AdapterMissing,
    events.BrowserGone,
    events.Launched,
    events.RetryingAfter,
    events.Tick,
    events.StillOwner,
)
"""Late reports of a frozen browser, and events that must not cause an action meanwhile."""
MESSAGE = (
    "the browser is frozen: neither the Kubernetes Lease nor the store has confirmed in time that this worker owns the "
    "session; the browser resumes when one of them does"
)


def changed(state: State, event: events.OwnershipExpired | events.OwnershipRenewed, now: float) -> Step:
    """Freeze a session that has a browser, and return to the state before."""
    match event:
        case events.OwnershipExpired(why):
            state = replace(state, ownership=replace(state.ownership, expired=True))
            has_browser = state.session_state in WITH_A_BROWSER
            return (_frozen(state, state.session_state, now, why) if has_browser else state), ()
        case events.OwnershipRenewed():
            returns_to = state.ownership.returns_to
            state = replace(state, ownership=replace(state.ownership, expired=False))
            if state.session_state is not SessionState.FROZEN or returns_to is None:
                return state, ()
            state = replace(enter(state, returns_to, now), ownership=Ownership())
            gone = returns_to is SessionState.LAUNCHING
            return without_problem(state, Reason.FROZEN), (actions.Recycle(),) if gone else ()


def prepared(state: State, now: float) -> Step:
    """Start the browser, or freeze first if the ownership expired while the profile was prepared."""
    if state.ownership.expired:
        return _frozen(state, SessionState.LAUNCHING, now), ()
    return state, (actions.Launch(),)


def _frozen(state: State, returns_to: SessionState, now: float, why: str = "") -> State:
    state = enter(state, SessionState.FROZEN, now)
    state = replace(state, ownership=replace(state.ownership, returns_to=returns_to))
    return with_problem(state, Reason.FROZEN, f"{MESSAGE} (the last answer: {why})" if why else MESSAGE, now)


def kept_back(state: State, event: events.Event) -> Step:
    """Remember only that the browser has ended: it is started again when it may run."""
    if not isinstance(event, events.BrowserGone) or event.reason is Reason.PAGE_DEAD:
        return state, ()  # a frozen page does not answer, and is not dead
    return replace(
        state,
        ownership=replace(state.ownership, returns_to=SessionState.LAUNCHING),
        browser=replace(state.browser, launched_at=0.0),
        page=replace(state.page, synced=False),
        saving=state.saving.interrupted(),
    ), ()
