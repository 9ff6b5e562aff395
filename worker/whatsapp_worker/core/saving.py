"""Decide when the login is saved, and what the result of a save means. Pure."""

from dataclasses import replace
from typing import assert_never

from whatsapp_session.conditions import Reason, SaveTrigger, SessionState
from whatsapp_worker.core import actions, events, requests
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import Saved, State
from whatsapp_worker.core.transitions import RETRY, Step, with_problem, without_problem

PATIENCE = 300.0
"""Seconds, or an interval if that is longer, after which a save that still runs is overdue."""
_SOLVED = (Reason.SNAPSHOT_FAILED, Reason.STORE_UNAVAILABLE, Reason.BACKUP_OVERDUE)
"""Problems that a save which succeeds has solved."""


def saving_started(state: State, trigger: SaveTrigger, now: float) -> Step:
    """Begin a save, which also fulfils the request that waits for one."""
    known = state.saving
    retry = SaveTrigger.FIRST_LINK if trigger is SaveTrigger.FIRST_LINK else known.retry_trigger
    saving = replace(known, running=True, since=now, fulfils=known.requested, requested=None, retry_trigger=retry)
    return replace(state, saving=saving), (actions.Save(trigger),)


def requested(settings: Settings, state: State, event: events.SaveRequested, now: float) -> Step:
    """Save as requested, now or as soon as a save can begin; a request that is known already is ignored."""
    time, saving = event.time, state.saving
    if requests.is_stale(state, requests.SAVE, time) or (time and time in (saving.requested, saving.fulfils)):
        return state, ()
    if not settings.saves:
        return requests.done(state, requests.SAVE, time), ()
    return _begin_requested(replace(state, saving=replace(saving, requested=time or saving.requested or "")), now)


def _begin_requested(state: State, now: float) -> Step:
    saving = state.saving
    if saving.requested is None or saving.running or state.session_state is not SessionState.CONNECTED:
        return state, ()
    return saving_started(state, SaveTrigger.REQUEST, now)


def tick(state: State, now: float) -> Step:
    """Begin the save that was requested, or the one that is due."""
    saving = state.saving
    if saving.running or state.session_state is not SessionState.CONNECTED:
        return state, ()
    pausing = saving.failures and now < saving.due
    if saving.requested is not None and not pausing:
        return _begin_requested(state, now)
    if saving.due and now >= saving.due:
        return saving_started(state, saving.retry_trigger if saving.saved is None else SaveTrigger.INTERVAL, now)
    return state, ()


def finished(settings: Settings, state: State, event: events.SaveDone | events.SaveFailed, now: float) -> Step:
    """Take the result of a save and plan the next one."""
    saving = state.saving
    if not state.login.proven:  # of a profile that was replaced meanwhile
        return replace(state, saving=saving.interrupted()), ()
    match event:
        case events.SaveDone(saved):
            state = requests.done(state, requests.SAVE, saving.fulfils)
            due = now + settings.interval
            saving = replace(saving, saved=saved or saving.saved, running=False, fulfils=None, due=due)
            state = replace(state, saving=replace(saving, failures=0, overdue_since=0.0))
            return without_problem(state, *_SOLVED), _announced(saved)
        case events.SaveFailed(reason, message):
            failures = saving.failures + 1
            saving = replace(
                saving.interrupted(),
                failures=failures,
                due=now + min(RETRY.after(failures), settings.interval),
                overdue_since=saving.overdue_since or now,
            )
            return with_problem(replace(state, saving=saving), reason, message, now), ()
        case _:
            assert_never(event)


def last(state: State, event: events.SaveDone | events.SaveFailed, now: float) -> Step:
    """Take the result of the last save, after the end."""
    saving = replace(state.saving, running=False)
    match event:
        case events.SaveDone(saved):
            for time in (saving.fulfils, saving.requested):
                state = requests.done(state, requests.SAVE, time)
            saving = replace(saving, saved=saved or saving.saved, overdue_since=0.0)
            return replace(state, saving=saving), _announced(saved)
        case events.SaveFailed(reason, message):
            saving = replace(saving, overdue_since=saving.overdue_since or now)
            return with_problem(replace(state, saving=saving), reason, message, now), ()
        case _:
            assert_never(event)


def _announced(found: Saved | None) -> tuple[actions.Action, ...]:
    return (actions.Emit("remote_session_saved"),) if found and found.changed else ()


def overdue(settings: Settings, state: State, now: float) -> State:
    """Report a save that has not finished in time, such as on a file system that hangs; the save continues."""
    longest, saving = max(settings.interval, PATIENCE), state.saving
    if not (saving.running and state.login.proven) or saving.overdue_since or now - saving.since <= longest:
        return state
    message = f"a save has not finished within {longest / 60:.0f} minutes; check the store and this machine's disk"
    state = replace(state, saving=replace(saving, overdue_since=now))
    return with_problem(state, Reason.BACKUP_OVERDUE, message, now)


def copy_followed(state: State, late: str, now: float) -> State:
    """Report a copy for the JavaScript stores that lags, unless there is worse to report, until it is up to date."""
    if not late:
        return without_problem(state, Reason.COPY_LATE)
    worse = state.problem is not None and state.problem.reason is not Reason.COPY_LATE
    return state if worse else with_problem(state, Reason.COPY_LATE, late, now)
