"""Decide which codes there are, and when the page is asked for new ones, while a session waits for a phone. Pure."""

from dataclasses import replace

from whatsapp_session import report_bounds
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import actions, events, page_events
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import PairingCode, ShownCode, State
from whatsapp_worker.core.transitions import RETRY, UNLINKED, Step, with_problem, without_problem

FIRST_CODE_SECONDS = 60.0
NEXT_CODE_SECONDS = 20.0
PAIRING_CODE_SECONDS = 180.0
"""WhatsApp's own lifetimes: the first code after a load or refresh, each later one, a pairing code."""
_SOLVED = (Reason.PAGE_CONTRACT_BROKEN, Reason.AWAITING_SCAN)
"""Problems that a code has solved: one that no phone could scan, and none at all."""
PAIRING_PAUSE = 60.0
"""Seconds between two requests for a pairing code, whatever became of the first: WhatsApp limits their rate."""


def with_deadline(settings: Settings, state: State, now: float) -> State:
    """Let the linking timeout begin when an unlinked page reports for the first time that it is there."""
    if state.codes.deadline or not settings.linking_timeout:
        return state
    return replace(state, codes=replace(state.codes, deadline=now + settings.linking_timeout))


def wanted(settings: Settings, state: State, socket: page_events.SocketState, now: float) -> Step:
    """Ask for codes when the page reports that a phone has to link."""
    if settings.phone_number and not state.codes.pairing:
        return _pairing(state, now)
    if socket is page_events.SocketState.UNPAIRED_IDLE:
        return _refresh(replace(state, codes=replace(state.codes, qr=None, since_load=0, refreshes=0)), now)
    return replace(state, codes=replace(state.codes, refresh_due=0.0)), ()


def received(state: State, event: page_events.Qr | events.CodeShown, now: float) -> Step:
    """Keep a code that the page has made."""
    if state.session_state not in UNLINKED:
        return state, ()
    if not report_bounds.is_code(event.code):
        message = (
            f"the page gave a code of {len(event.code)} characters, which no phone can scan; wait for the next code"
        )
        return with_problem(state, Reason.PAGE_CONTRACT_BROKEN, message, now), ()
    codes = replace(state.codes, attempts=state.codes.attempts + 1)
    if isinstance(event, events.CodeShown):
        state = replace(state, codes=replace(codes, pairing=PairingCode(event.code, now + PAIRING_CODE_SECONDS)))
        return without_problem(state, *_SOLVED), (actions.Emit("code", (event.code,)),)
    state = without_problem(state, *_SOLVED)
    state = replace(state, loading=replace(state.loading, stall_due=0.0, stalls=0))
    lifetime = FIRST_CODE_SECONDS if codes.since_load == 0 else NEXT_CODE_SECONDS
    code = ShownCode(event.code, now, now + lifetime, codes.attempts)
    codes = replace(codes, qr=code, since_load=codes.since_load + 1, refresh_due=0.0)
    return replace(state, codes=codes), (actions.Emit("qr", (event.code,)),)


def tick(settings: Settings, state: State, now: float) -> Step:
    """Take an expired code away, and ask again for a code that the page has not given."""
    codes = state.codes
    if codes.qr and now >= codes.qr.expires_at:
        return replace(state, codes=replace(codes, qr=None)), ()
    if state.session_state is not SessionState.AWAITING_LINK:
        return state, ()
    if settings.phone_number:
        ready = codes.pairing_asked and (not codes.pairing or now >= codes.pairing.expires_at)
        return _pairing(state, now) if ready else (state, ())
    return _refresh(state, now) if codes.refresh_due and now >= codes.refresh_due else (state, ())


def _pairing(state: State, now: float) -> Step:
    codes = state.codes
    if codes.pairing_asked and now < codes.pairing_asked + PAIRING_PAUSE:
        return state, ()
    return replace(state, codes=replace(codes, pairing=None, pairing_asked=now)), (actions.AskPairingCode(),)


def _refresh(state: State, now: float) -> Step:
    refreshes = state.codes.refreshes + 1
    due = now + RETRY.after(refreshes + 1)
    codes = replace(state.codes, refreshes=refreshes, refresh_due=due)
    return replace(state, codes=codes), (actions.RefreshQr(),)
