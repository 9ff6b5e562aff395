"""Decide what a session does while its browser stands still because no witness has answered in time. Pure."""

from dataclasses import replace

from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import actions, events, page_events, transitions
from whatsapp_worker.core.state import Model

WITH_A_BROWSER = (
    SessionState.LAUNCHING,
    SessionState.AWAITING_LINK,
    SessionState.SYNCING,
    SessionState.CONNECTED,
    SessionState.RECONNECTING,
    SessionState.CONFLICT,
    SessionState.LOGGED_OUT,
)
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
"""What a browser that stands still says late, and what nothing may be done about meanwhile."""
MESSAGE = "neither the Lease nor the store has answered in time: the browser stands still until one of them does"


def changed(model: Model, event: events.OwnershipExpired | events.OwnershipRenewed, now: float) -> transitions.Step:
    """Freeze where a browser runs, and return to what was before."""
    match event:
        case events.OwnershipExpired():
            model = replace(model, silenced=True)
            return (_frozen(model, model.state, now) if model.state in WITH_A_BROWSER else model), ()
        case events.OwnershipRenewed():
            model = replace(model, silenced=False)
            if model.state is not SessionState.FROZEN or model.frozen_from is None:
                return model, ()
            gone = model.frozen_from is SessionState.LAUNCHING
            fault = None if model.fault and model.fault.reason is Reason.FROZEN else model.fault
            model = replace(transitions.enter(model, model.frozen_from, now), frozen_from=None, fault=fault)
            return model, (actions.Recycle(),) if gone else ()


def prepared(model: Model, now: float) -> transitions.Step:
    """Start the browser, or wait with it for a witness that fell silent while the profile was made ready."""
    if model.silenced:
        return _frozen(model, SessionState.LAUNCHING, now), ()
    return model, (actions.Launch(),)


def _frozen(model: Model, returns_to: SessionState, now: float) -> Model:
    model = replace(transitions.enter(model, SessionState.FROZEN, now), frozen_from=returns_to)
    return transitions.with_problem(model, Reason.FROZEN, MESSAGE, now)


def kept_back(model: Model, event: events.Event) -> transitions.Step:
    """Remember only that the browser has ended: it is started again when it may."""
    if not isinstance(event, events.BrowserGone) or event.reason is Reason.PAGE_DEAD:
        return model, ()  # a page that stands still is not dead
    return replace(model, frozen_from=SessionState.LAUNCHING, launched_at=0.0, qr=None, synced=False, saving=False), ()
