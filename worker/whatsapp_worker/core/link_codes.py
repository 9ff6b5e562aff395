"""Decide which codes are shown, and when the page is asked for new ones, while a session waits for a phone. Pure."""

from dataclasses import replace

from whatsapp_session import report_bounds
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import actions, events, page_events, transitions
from whatsapp_worker.core.state import Model, Settings, ShownCode

FIRST_CODE_SECONDS = 60.0
NEXT_CODE_SECONDS = 20.0
PAIRING_CODE_SECONDS = 180.0
"""WhatsApp's own lifetimes: the first code after a load or refresh, each later one, a pairing code."""
PAIRING_PAUSE = 60.0
"""Seconds between two requests for a pairing code, whatever became of the first: WhatsApp limits their rate."""


def wanted(settings: Settings, model: Model, state: page_events.SocketState, now: float) -> transitions.Step:
    """Ask for codes when the page says that a link is needed."""
    if settings.phone_number and not model.pairing_code:
        return _pairing(model, now)
    if state is page_events.SocketState.UNPAIRED_IDLE:
        return _refresh(replace(model, qr=None, codes_since_load=0, refreshes=0), now)
    return replace(model, refresh_due=0.0), ()


def shown(model: Model, event: page_events.Qr | events.CodeShown, now: float) -> transitions.Step:
    """Show a code."""
    if model.state not in transitions.UNLINKED:
        return model, ()
    if not report_bounds.is_code(event.code):
        message = f"the page gave a code of {len(event.code)} characters that no phone can scan; wait for the next code"
        return transitions.fault(model, Reason.PAGE_CONTRACT_BROKEN, message, now), ()
    attempts = model.attempts + 1
    if isinstance(event, events.CodeShown):
        fault = None if model.fault and model.fault.reason is Reason.AWAITING_SCAN else model.fault
        due = now + PAIRING_CODE_SECONDS
        model = replace(model, pairing_code=event.code, attempts=attempts, pairing_due=due, fault=fault)
        return model, (actions.Emit("code", (event.code,)),)
    if model.fault and model.fault.reason is Reason.PAGE_CONTRACT_BROKEN:
        model = replace(model, fault=None)  # of a code that no phone could scan
    lifetime = FIRST_CODE_SECONDS if model.codes_since_load == 0 else NEXT_CODE_SECONDS
    code = ShownCode(event.code, now, now + lifetime, attempts)
    since_load = model.codes_since_load + 1
    model = replace(model, qr=code, attempts=attempts, codes_since_load=since_load, refresh_due=0.0)
    return model, (actions.Emit("qr", (event.code,)),)


def tick(settings: Settings, model: Model, now: float) -> transitions.Step:
    """Take an expired code away, and ask again for what the page has not given."""
    if model.qr and now >= model.qr.expires_at:
        return replace(model, qr=None), ()
    if model.state is not SessionState.AWAITING_LINK:
        return model, ()
    if settings.phone_number:
        ready = model.pairing_asked and (not model.pairing_code or now >= model.pairing_due)
        return _pairing(model, now) if ready else (model, ())
    return _refresh(model, now) if model.refresh_due and now >= model.refresh_due else (model, ())


def _pairing(model: Model, now: float) -> transitions.Step:
    if model.pairing_asked and now < model.pairing_asked + PAIRING_PAUSE:
        return model, ()
    return replace(model, pairing_code="", pairing_due=0.0, pairing_asked=now), (actions.AskPairingCode(),)


def _refresh(model: Model, now: float) -> transitions.Step:
    refreshes = model.refreshes + 1
    return replace(model, refreshes=refreshes, refresh_due=now + transitions.RETRY.after(refreshes + 1)), (
        actions.RefreshQr(),
    )
