"""Decide what a session does while its browser stands still because no witness has answered in time. Pure."""

from dataclasses import replace

from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker import actions as do
from whatsapp_worker import happenings as on
from whatsapp_worker import model as m
from whatsapp_worker import steps
from whatsapp_worker.page import events as page

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
    page.PageEvent,
    on.LoadFailed,
    on.Unattended,
    on.BrowserGone,
    on.Launched,
    on.Troubled,
    on.Tick,
    on.StillOwner,
)
"""What a browser that stands still says late, and what nothing may be done about meanwhile."""
MESSAGE = "neither the Lease nor the store has answered in time: the browser stands still until one of them does"


def changed(model: m.Model, event: on.Silenced | on.Answered, now: float) -> steps.Step:
    """Freeze where a browser runs, and return to what was before."""
    match event:
        case on.Silenced():
            model = replace(model, silenced=True)
            return (_frozen(model, model.state, now) if model.state in WITH_A_BROWSER else model), ()
        case on.Answered():
            model = replace(model, silenced=False)
            if model.state is not SessionState.FROZEN or model.frozen_from is None:
                return model, ()
            gone = model.frozen_from is SessionState.LAUNCHING
            fault = None if model.fault and model.fault.reason is Reason.FROZEN else model.fault
            model = replace(steps.to(model, model.frozen_from, now), frozen_from=None, fault=fault)
            return model, (do.Recycle(),) if gone else ()


def prepared(model: m.Model, now: float) -> steps.Step:
    """Start the browser, or wait with it for a witness that fell silent while the profile was made ready."""
    if model.silenced:
        return _frozen(model, SessionState.LAUNCHING, now), ()
    return model, (do.Launch(),)


def _frozen(model: m.Model, returns_to: SessionState, now: float) -> m.Model:
    model = replace(steps.to(model, SessionState.FROZEN, now), frozen_from=returns_to)
    return steps.fault(model, Reason.FROZEN, MESSAGE, now)


def kept_back(model: m.Model, event: on.Event) -> steps.Step:
    """Remember only that the browser has ended: it is started again when it may."""
    if not isinstance(event, on.BrowserGone) or event.reason is Reason.PAGE_DEAD:
        return model, ()  # a page that stands still is not dead
    return replace(model, frozen_from=SessionState.LAUNCHING, launched_at=0.0, qr=None, synced=False, saving=False), ()
