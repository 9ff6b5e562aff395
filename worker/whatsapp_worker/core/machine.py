"""Decide, sans I/O, what a worker does next: (settings, state, event, now) -> (state, actions).

Only a logout retires a login. A conflict, a time-out, a block, an unknown state or a crash never deletes anything.
"""

from dataclasses import replace
from typing import assert_never

from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import (
    actions,
    conflict,
    events,
    freeze,
    link_codes,
    linking,
    page_contract,
    page_events,
    recovery,
    requests,
    saving,
    size_limits,
    stopping,
)
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import State
from whatsapp_worker.core.transitions import (
    ENDED,
    UNLINKED,
    Step,
    UnlistedTransitionError,
    enter,
    finish,
    with_problem,
    without_problem,
)

_STARTING = (Reason.STORE_UNAVAILABLE, Reason.LEASE_HELD, Reason.RESTORE_FAILED)
"""Problems that a prepared profile has solved."""
_WITHOUT_A_BROWSER = (SessionState.CLAIMING, SessionState.RESTORING)
_BrowserEvent = events.Launched | events.LoadFailed | events.AdapterMissing | events.BrowserGone
_SaveResult = events.SaveDone | events.SaveFailed
_ProfileEvent = events.Claimed | events.ProfileReady


def step(settings: Settings, state: State, event: events.Event, now: float) -> Step:
    """Return the next state and what to do; after the end only the last save's result counts."""
    before, (state, todo) = state, _admitted(settings, state, event, now)
    if settings.strict and state.unlisted != before.unlisted:
        raise UnlistedTransitionError(f"{state.unlisted.before} -> {state.unlisted.after} by {event}")
    return state, todo


def _admitted(settings: Settings, state: State, event: events.Event, now: float) -> Step:
    """Decide, unless the event comes too late or too early for the session's state."""
    if isinstance(event, _SaveResult) and event.login != state.login.number:
        return state, ()  # of a login that was given up meanwhile
    if state.session_state in ENDED:
        if isinstance(event, events.CopyFollowed):  # of the last save
            return saving.copy_followed(state, event.late, now), ()
        return saving.last(state, event, now) if isinstance(event, _SaveResult) else (state, ())
    if state.session_state is SessionState.FROZEN and isinstance(event, freeze.KEPT_BACK):
        return freeze.kept_back(state, event)
    without_a_browser = state.session_state in _WITHOUT_A_BROWSER
    if without_a_browser and isinstance(event, page_events.PageEvent | _BrowserEvent):
        return state, ()  # of a browser that is about to go: it must not bring one back while its profile is changed
    if not without_a_browser and isinstance(event, _ProfileEvent):
        return state, ()  # a browser runs on the profile
    state, todo = _decided(settings, state, event, now)
    if any(isinstance(action, actions.Emit) and action.name == "disconnected" for action in todo):
        state = replace(state, login=replace(state.login, announced=False))
    return stopping.judged((page_contract.reported(state), todo), now)


def _decided(settings: Settings, state: State, event: events.Event, now: float) -> Step:
    match event:
        case events.Tick():
            return _tick(settings, state, now)
        case events.SaveDone() | events.SaveFailed():
            state, todo = saving.finished(settings, state, event, now)
            return size_limits.judged(settings, state, now), todo
        case events.Measured(memory):
            state = replace(state, usage=replace(state.usage, memory=memory))
            return size_limits.judged(settings, state, now), ()
        case events.SaveRequested():
            return saving.requested(settings, state, event, now)
        case events.RelinkRequested(time):
            return requests.relink(state, time, now)
        case events.TakeOverRequested(time):
            return requests.takeover(state, time)
        case events.OwnershipExpired() | events.OwnershipRenewed():
            return freeze.changed(state, event, now)
        case events.StillOwner():
            return conflict.still_owner(state, now), ()
        case events.CodeShown():
            return link_codes.received(state, event, now)
        case events.RetryingAfter(reason, message):
            return with_problem(state, reason, message, now), ()
        case events.CopyFollowed(late):
            return saving.copy_followed(state, late, now), ()
        case events.Claimed() | events.ProfileReady():
            return _profile(state, event, now)
        case events.Launched() | events.LoadFailed() | events.AdapterMissing() | events.BrowserGone():
            return _browser(settings, state, event, now)
        case events.Fatal() | events.StopRequested():
            return _end(settings, state, event, now)
        case _:
            return _page(settings, state, event, now)


def _page(settings: Settings, state: State, event: page_events.PageEvent, now: float) -> Step:
    match event:
        case page_events.Attached() | page_events.Changed() | page_events.Synced():
            return linking.facts(settings, state, event, now)
        case page_events.Qr():
            return link_codes.received(state, event, now)
        case page_events.Progress():
            return linking.progress(state, event)
        case page_events.LoggedOut():
            return linking.logged_out(state, now)
        case page_events.PasskeyAsked():
            return with_problem(state, Reason.PASSKEY_REQUIRED, linking.PASSKEY, now), ()
        case page_events.ContractBroken():
            return page_contract.broken(settings, state, event, now)
        case page_events.UnexpectedPage():
            return linking.unexpected_page(settings, state, event, now)
        case _:
            assert_never(event)


def _browser(settings: Settings, state: State, event: _BrowserEvent, now: float) -> Step:
    match event:
        case events.Launched():
            return recovery.launched(state, event, now), ()
        case events.LoadFailed(message):
            return recovery.not_loaded(state, message, now)
        case events.AdapterMissing():
            return linking.adapter_missing(state, now)
        case events.BrowserGone():
            return recovery.browser_gone(settings, state, event, now)
        case _:
            assert_never(event)


def _profile(state: State, event: _ProfileEvent, now: float) -> Step:
    match event:
        case events.Claimed(time):
            state = enter(state, SessionState.RESTORING, now)
            return replace(state, requests=replace(state.requests, claimed_at=time)), ()
        case events.ProfileReady(known_hash, saved, restored, problem, handled):
            for kind, time_ in handled:
                state = requests.done(state, kind, time_)
            state = without_problem(enter(state, SessionState.LAUNCHING, now), *_STARTING)
            newest = saved or (state.saving.saved if known_hash else None)  # an empty profile has none
            login = replace(state.login, account=None, known_hash=known_hash, restored=restored, proven=False)
            state = replace(
                state,
                login=login,
                saving=replace(state.saving, saved=newest),
                page=replace(state.page, synced=False),
                problem=problem or state.problem,
            )
            return freeze.prepared(state, now)
        case _:
            assert_never(event)


def _end(settings: Settings, state: State, event: events.Fatal | events.StopRequested, now: float) -> Step:
    match event:
        case events.Fatal(code, reason, message):
            target = SessionState.SUPERSEDED if reason is Reason.SUPERSEDED else SessionState.FAILED
            return finish(state, target, now, actions.Shutdown(code, reason, message, save=False))
        case events.StopRequested():
            return stopping.requested(settings, state, event, now)
        case _:
            assert_never(event)


def _tick(settings: Settings, state: State, now: float) -> Step:
    state = saving.overdue(settings, state, now)
    if (ending := linking.expired(state, now)) is not None:
        return ending
    if state.loading.due and now >= state.loading.due:
        return recovery.again(state, now)
    if state.session_state in UNLINKED:
        state, todo = link_codes.tick(settings, state, now)
        return (state, todo) if todo else recovery.tick(state, now)
    if state.session_state is SessionState.CONFLICT:
        return conflict.tick(state, now)
    state, todo = saving.tick(state, now)
    return (state, todo) if todo else recovery.tick(state, now)
