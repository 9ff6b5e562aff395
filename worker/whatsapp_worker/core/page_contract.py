"""Decide what becomes of a session whose page is not as its contract says. Pure.

A linked session goes on where it can and keeps its archives; an unlinked one that cannot link ends, with the cause.
"""

import difflib
from dataclasses import replace

from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import page_events
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import Page, Problem, State
from whatsapp_worker.core.transitions import LINKED, Step, enter, offline_state, on_the_way, refused, with_problem

_WORDS = tuple(state for state in page_events.SocketState if state is not page_events.SocketState.UNKNOWN)


def broken(settings: Settings, state: State, event: page_events.ContractBroken, now: float) -> Step:
    """Report what the page lacks; end an unlinked worker that cannot do without it."""
    linked = state.login.exists or state.session_state in LINKED
    if not _is_needed(settings, event.need, linked=linked):
        known = state.page.faults
        faults = (*known, *(fault for fault in event.faults if fault not in known))
        return _reported_again(replace(state, page=replace(_dated(state.page, now), faults=faults))), ()
    message = _message(event.faults) if event.certain else _doubt(event.faults)
    if not linked and event.certain:
        return refused(state, Reason.PAGE_CONTRACT_BROKEN, message, now)
    state = with_problem(state, Reason.PAGE_CONTRACT_BROKEN, message, now)
    if not linked:
        return state, ()  # recovery loads it again
    if event.certain:
        # It runs on in its page; what cannot be observed is not saved, and the archives stay.
        state = on_the_way(state, now)
        return replace(state, page=replace(state.page, unreadable=True, synced=False)), ()
    if state.session_state is SessionState.CONNECTED:
        # Whoever the page no longer names may have been removed: the next load tells.
        state = enter(state, SessionState.RECONNECTING, now)
        state = replace(state, loading=replace(state.loading, stall_due=now), page=replace(state.page, synced=False))
    return state, ()


def _is_needed(settings: Settings, need: page_events.Need, *, linked: bool) -> bool:
    link = page_events.Need.CODE if settings.phone_number else page_events.Need.QR
    return need is page_events.Need.SESSION or (need is link and not linked)


def reported(state: State) -> State:
    """Report what the page lacks if nothing else is wrong; the report keeps its time."""
    return _reported_again(state) if state.problem is None and _faults(state.page) else state


def _reported_again(state: State) -> State:
    if state.problem is not None and state.problem.reason is not Reason.PAGE_CONTRACT_BROKEN:
        return state
    problem = Problem(Reason.PAGE_CONTRACT_BROKEN, _message(_faults(state.page)), state.page.faults_since)
    return replace(state, problem=problem)


def _faults(page: Page) -> tuple[str, ...]:
    return (page.unknown_state, *page.faults) if page.unknown_state else page.faults


def _dated(page: Page, now: float) -> Page:
    return page if _faults(page) else replace(page, faults_since=now)


def unknown_state(state: State, facts: page_events.PageState, now: float) -> State:
    """Report a word for the connection that this version does not know, with the one that was to be expected."""
    linked = facts.account is not None or state.login.exists
    alike = difflib.get_close_matches(facts.word.upper(), _WORDS, n=1)
    expected = alike[0] if alike else "CONNECTED" if linked else "UNPAIRED"
    fault = f"the connection's state is {facts.word!r} where {expected} was expected"
    page = replace(_dated(state.page, now), unknown_state=fault)
    state = enter(replace(state, page=page), offline_state(state), now)
    return with_problem(state, Reason.PAGE_CONTRACT_BROKEN, _message(_faults(page)), page.faults_since)


def _doubt(faults: tuple[str, ...]) -> str:
    return (
        f"WhatsApp Web does not give what the session needs: {', '.join(faults)}; the worker loads the page again; "
        "if this lasts, update the worker image or its page contract"
    )


def _message(faults: tuple[str, ...]) -> str:
    return f"WhatsApp changed its page: {', '.join(faults)}; update the worker image or its page contract"
