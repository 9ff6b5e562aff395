"""Decide, sans I/O, what a worker does next: (settings, model, event, now) -> (model, actions).

Only a logout buries a login. A conflict, a time-out, a block, an unknown state or a crash never deletes anything.
"""

from dataclasses import replace
from typing import assert_never

from whatsapp_session.conditions import ExitCode, Reason, SaveTrigger, SessionState
from whatsapp_worker.core import (
    actions,
    conflict,
    events,
    freeze,
    link_codes,
    linking,
    page_events,
    recovery,
    requests,
    size_limits,
    transitions,
)
from whatsapp_worker.core.state import Model, Settings

SAVE_PATIENCE = 300.0
"""Seconds, or an interval if that is longer, after which a save that still runs is overdue."""
LIFETIME = 600.0
"""Seconds after which the end of a browser no longer counts as one of several in a row."""
_STARTING = (Reason.STORE_UNAVAILABLE, Reason.LEASE_HELD, Reason.RESTORE_FAILED)
_SAVE_FAULTS = (Reason.SNAPSHOT_FAILED, Reason.STORE_UNAVAILABLE, Reason.BACKUP_OVERDUE)
_PASSKEY = "WhatsApp asks this account for a passkey to link, which a browser without a person at it cannot give"
_WITHOUT_A_BROWSER = (SessionState.CLAIMING, SessionState.RESTORING)
_OF_THE_BROWSER = (page_events.PageEvent, events.Launched, events.LoadFailed, events.AdapterMissing, events.BrowserGone)
_ENDED = (
    SessionState.STOPPING,
    SessionState.LINK_EXPIRED,
    SessionState.SUPERSEDED,
    SessionState.FAILED,
)


def step(settings: Settings, model: Model, event: events.Event, now: float) -> transitions.Step:
    """Return the next model and what to do; once ended, nothing more happens but what a save reports."""
    if isinstance(event, events.SaveDone | events.SaveFailed) and event.login != model.login:
        return model, ()  # of a login that was given up meanwhile
    if model.state in _ENDED:
        return _after_end(model, event, now)
    if model.state is SessionState.FROZEN and isinstance(event, freeze.KEPT_BACK):
        return freeze.kept_back(model, event)
    if model.state in _WITHOUT_A_BROWSER and isinstance(event, _OF_THE_BROWSER):
        return model, ()  # of the browser that is about to go: it must not bring one back while its profile is changed
    match event:
        case page_events.Attached() | page_events.Changed() | page_events.Synced():
            return linking.facts(settings, model, event, now)
        case page_events.Qr() | events.CodeShown():
            return link_codes.shown(model, event, now)
        case page_events.Progress(percent):
            if model.synced or model.percent == percent:
                return model, ()
            model = replace(model, percent=percent, stall_due=0.0, stalls=0)
            return model, (actions.Emit("loading_screen", (percent, "WhatsApp")),)
        case page_events.LoggedOut():
            return linking.logged_out(model, now)
        case page_events.PasskeyAsked():
            return transitions.with_problem(model, Reason.PASSKEY_REQUIRED, _PASSKEY, now), ()
        case page_events.ContractBroken():
            return linking.contract_broken(model, event, now)
        case page_events.UnexpectedPage():
            return linking.not_the_page(model, event, now)
        case events.AdapterMissing():
            return linking.unattended(model, now)
        case events.Claimed() | events.ProfileReady() if model.state not in _WITHOUT_A_BROWSER:
            return model, ()  # a browser runs on the profile
        case (
            events.Claimed()
            | events.ProfileReady()
            | events.Launched()
            | events.LoadFailed()
            | events.BrowserGone()
            | events.RetryingAfter()
        ):
            return _life(settings, model, event, now)
        case events.SaveDone() | events.SaveFailed():
            model, todo = _saving(settings, model, event, now)
            return size_limits.judged(settings, model, now), todo
        case events.OwnershipExpired() | events.OwnershipRenewed():
            return freeze.changed(model, event, now)
        case events.Measured(memory):
            return size_limits.judged(settings, replace(model, memory=memory), now), ()
        case events.SaveRequested() | events.RelinkRequested() | events.TakeOverRequested():
            return requests.asked(settings, model, event, now)
        case events.StillOwner():
            return conflict.still_owner(model, now), ()
        case events.Fatal(code, reason, message):
            state = SessionState.SUPERSEDED if reason is Reason.SUPERSEDED else SessionState.FAILED
            return transitions.finish(model, state, now, actions.Shutdown(code, reason, message, save=False))
        case events.StopRequested():
            return transitions.finish(
                model, SessionState.STOPPING, now, actions.Shutdown(ExitCode.DONE, None, "stopped as asked")
            )
        case events.Tick():
            return _tick(settings, model, now)
        case _:
            assert_never(event)


def _after_end(model: Model, event: events.Event, now: float) -> transitions.Step:
    match event:
        case events.SaveDone(saved, changed):
            emitted = (actions.Emit("remote_session_saved"),) if changed else ()
            for wish in (model.saving_wish, model.save_wish):
                model = requests.done(model, requests.SAVE, wish)
            return replace(model, saved=saved or model.saved, saving=False, overdue_since=0.0), emitted
        case events.SaveFailed(reason, message):
            model = replace(model, saving=False, overdue_since=model.overdue_since or now)
            return transitions.with_problem(model, reason, message, now), ()
        case _:
            return model, ()


def _life(
    settings: Settings,
    model: Model,
    event: events.Claimed
    | events.ProfileReady
    | events.Launched
    | events.LoadFailed
    | events.BrowserGone
    | events.RetryingAfter,
    now: float,
) -> transitions.Step:
    match event:
        case events.Claimed(time):
            return replace(transitions.enter(model, SessionState.RESTORING, now), claimed_at=time), ()
        case events.ProfileReady(known_hash, saved, restored, fault, handled):
            for wish, asked in handled:
                model = requests.done(model, wish, asked)
            fresh = replace(
                transitions.enter(model, SessionState.LAUNCHING, now),
                account=None,
                known_hash=known_hash,
                saved=saved or (model.saved if known_hash else None),  # an empty profile has none
                restored=restored,
                proven=False,
                synced=False,
                fault=fault or (None if model.fault and model.fault.reason in _STARTING else model.fault),
            )
            return freeze.prepared(fresh, now)
        case events.Launched(version, sandbox):
            model = transitions.enter(model, SessionState.LAUNCHING, now)
            model = replace(model, browser_version=version, sandbox=sandbox, launched_at=now)
            return replace(model, load_due=0.0, stall_due=0.0), ()
        case events.LoadFailed(message):
            return transitions.not_loaded(model, message, now)
        case events.BrowserGone():
            return _gone(settings, model, event, now)
        case events.RetryingAfter(reason, message):
            return transitions.with_problem(model, reason, message, now), ()
        case _:
            assert_never(event)


def _gone(settings: Settings, model: Model, event: events.BrowserGone, now: float) -> transitions.Step:
    # One that has lived ended for reasons of its own, however long a link is waited for: it is the first in its row.
    lived = model.launched_at and now - model.launched_at >= LIFETIME
    relaunches = 1 if lived else model.relaunches + 1
    model = transitions.with_problem(
        transitions.enter(model, SessionState.LAUNCHING, now), event.reason, event.message, now
    )
    # What a dead page had not saved is on disk once its browser has closed: it is saved as soon as it is back.
    dead = event.reason is Reason.PAGE_DEAD
    model = replace(
        model,
        qr=None,
        pairing_code="",
        synced=False,
        saving=False,
        save_wish=model.saving_wish if model.save_wish is None else model.save_wish,
        saving_wish=None,
        save_due=now if dead and settings.saves else model.save_due,
        launched_at=0.0,
        relaunches=relaunches,
    )
    if relaunches > 5:
        message = f"{event.message}, {relaunches} times in a row"
        shutdown = actions.Shutdown(ExitCode.CRASHED, event.reason, message, save=False)
        return transitions.finish(model, SessionState.FAILED, now, shutdown)
    return model, (actions.Emit("disconnected", (str(event.reason),)), actions.Recycle(gently=dead))


def _saving(
    settings: Settings, model: Model, event: events.SaveDone | events.SaveFailed, now: float
) -> transitions.Step:
    if not model.proven:
        return replace(model, saving=False), ()  # of a login that is gone meanwhile
    match event:
        case events.SaveDone(saved, changed):
            model = replace(requests.done(model, requests.SAVE, model.saving_wish), saving_wish=None)
            fault = None if model.fault and model.fault.reason in _SAVE_FAULTS else model.fault
            due = now + settings.interval
            saved = saved or model.saved
            model = replace(
                model, saved=saved, saving=False, save_due=due, save_failures=0, overdue_since=0.0, fault=fault
            )
            return model, (actions.Emit("remote_session_saved"),) if changed else ()
        case events.SaveFailed(reason, message):
            failures = model.save_failures + 1
            model = replace(
                model,
                saving=False,
                save_wish=model.saving_wish if model.save_wish is None else model.save_wish,
                saving_wish=None,
                save_failures=failures,
                save_due=now + min(transitions.RETRY.after(failures), settings.interval),
                overdue_since=model.overdue_since or now,
            )
            return transitions.with_problem(model, reason, message, now), ()
        case _:
            assert_never(event)


def _overdue(settings: Settings, model: Model, now: float) -> Model:
    """Say that a save has not ended in due time, such as on a file system that hangs; it goes on."""
    longest = max(settings.interval, SAVE_PATIENCE)
    if not (model.saving and model.proven) or model.overdue_since or now - model.saving_since <= longest:
        return model
    message = f"a save has not ended within {longest / 60:.0f} minutes: does the store, or this machine's disk, hang?"
    return transitions.with_problem(replace(model, overdue_since=now), Reason.BACKUP_OVERDUE, message, now)


def _tick(settings: Settings, model: Model, now: float) -> transitions.Step:
    model = _overdue(settings, model, now)
    waiting = model.state in transitions.UNLINKED and not (model.account or model.known_hash)
    if waiting and model.link_deadline and now >= model.link_deadline:
        state = SessionState.LOGGED_OUT if model.logged_out else SessionState.LINK_EXPIRED
        reason = Reason.LOGGED_OUT_FROM_PHONE if model.logged_out else Reason.QR_EXPIRED
        message = "nobody linked a phone in time"
        return transitions.finish(model, state, now, actions.Shutdown(ExitCode.DONE, reason, message, save=False))
    if model.load_due and now >= model.load_due:
        return recovery.again(model, now)
    if model.state in transitions.UNLINKED:
        model, todo = link_codes.tick(settings, model, now)
        return (model, todo) if todo else recovery.tick(model, now)
    if model.state is SessionState.CONFLICT:
        return conflict.tick(model, now)
    if model.save_wish is not None and not (model.save_failures and now < model.save_due):
        model, todo = requests.begin_save(model, now)
        if todo:
            return model, todo
    if model.state is SessionState.CONNECTED and model.save_due and not model.saving and now >= model.save_due:
        trigger = model.save_trigger if model.saved is None else SaveTrigger.INTERVAL
        return replace(model, saving=True, saving_since=now), (actions.Save(trigger),)
    return recovery.tick(model, now)
