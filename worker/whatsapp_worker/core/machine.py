"""Decide, sans I/O, what a worker does next: (settings, model, event, now) -> (model, actions).

Only a logout buries a login. A conflict, a time-out, a block, an unknown state or a crash never deletes anything.
"""

from dataclasses import replace
from typing import assert_never

from whatsapp_session.conditions import ExitCode, Reason, SaveTrigger, SessionState
from whatsapp_worker import actions as do
from whatsapp_worker import codes, conflict, frost, limits, linking, patience, steps, wishes
from whatsapp_worker import happenings as on
from whatsapp_worker import model as m
from whatsapp_worker.page import events as page

SAVE_PATIENCE = 300.0
"""Seconds, or an interval if that is longer, after which a save that still runs is overdue."""
LIFETIME = 600.0
"""Seconds after which the end of a browser no longer counts as one of several in a row."""
_STARTING = (Reason.STORE_UNAVAILABLE, Reason.LEASE_HELD, Reason.RESTORE_FAILED)
_SAVE_FAULTS = (Reason.SNAPSHOT_FAILED, Reason.STORE_UNAVAILABLE, Reason.BACKUP_OVERDUE)
_PASSKEY = "WhatsApp asks this account for a passkey to link, which a browser without a person at it cannot give"
_WITHOUT_A_BROWSER = (SessionState.CLAIMING, SessionState.RESTORING)
_OF_THE_BROWSER = (page.PageEvent, on.Launched, on.LoadFailed, on.Unattended, on.BrowserGone)
_ENDED = (
    SessionState.STOPPING,
    SessionState.LINK_EXPIRED,
    SessionState.SUPERSEDED,
    SessionState.FAILED,
)


def step(settings: m.Settings, model: m.Model, event: on.Event, now: float) -> steps.Step:
    """Return the next model and what to do; once ended, nothing more happens but what a save reports."""
    if isinstance(event, on.SaveDone | on.SaveFailed) and event.login != model.login:
        return model, ()  # of a login that was given up meanwhile
    if model.state in _ENDED:
        return _after_end(model, event, now)
    if model.state is SessionState.FROZEN and isinstance(event, frost.KEPT_BACK):
        return frost.kept_back(model, event)
    if model.state in _WITHOUT_A_BROWSER and isinstance(event, _OF_THE_BROWSER):
        return model, ()  # of the browser that is about to go: it must not bring one back while its profile is changed
    match event:
        case page.Attached() | page.Changed() | page.Synced():
            return linking.facts(settings, model, event, now)
        case page.Qr() | on.CodeShown():
            return codes.shown(model, event, now)
        case page.Progress(percent):
            if model.synced or model.percent == percent:
                return model, ()
            model = replace(model, percent=percent, stall_due=0.0, stalls=0)
            return model, (do.Emit("loading_screen", (percent, "WhatsApp")),)
        case page.LoggedOut():
            return linking.logged_out(model, now)
        case page.PasskeyAsked():
            return steps.fault(model, Reason.PASSKEY_REQUIRED, _PASSKEY, now), ()
        case page.ContractBroken():
            return linking.contract_broken(model, event, now)
        case page.NotThePage():
            return linking.not_the_page(model, event, now)
        case on.Unattended():
            return linking.unattended(model, now)
        case on.Claimed() | on.Prepared() if model.state not in _WITHOUT_A_BROWSER:
            return model, ()  # a browser runs on the profile
        case on.Claimed() | on.Prepared() | on.Launched() | on.LoadFailed() | on.BrowserGone() | on.Troubled():
            return _life(settings, model, event, now)
        case on.SaveDone() | on.SaveFailed():
            model, actions = _saving(settings, model, event, now)
            return limits.judged(settings, model, now), actions
        case on.Silenced() | on.Answered():
            return frost.changed(model, event, now)
        case on.Measured(memory):
            return limits.judged(settings, replace(model, memory=memory), now), ()
        case on.SaveRequested() | on.RelinkRequested() | on.TakeOverRequested():
            return wishes.asked(settings, model, event, now)
        case on.StillOwner():
            return conflict.still_owner(model, now), ()
        case on.Fatal(code, reason, message):
            state = SessionState.SUPERSEDED if reason is Reason.SUPERSEDED else SessionState.FAILED
            return steps.ended(model, state, now, do.Shutdown(code, reason, message, save=False))
        case on.StopRequested():
            return steps.ended(model, SessionState.STOPPING, now, do.Shutdown(ExitCode.DONE, None, "stopped as asked"))
        case on.Tick():
            return _tick(settings, model, now)
        case _:
            assert_never(event)


def _after_end(model: m.Model, event: on.Event, now: float) -> steps.Step:
    match event:
        case on.SaveDone(saved, changed):
            emitted = (do.Emit("remote_session_saved"),) if changed else ()
            for wish in (model.saving_wish, model.save_wish):
                model = wishes.done(model, wishes.SAVE, wish)
            return replace(model, saved=saved or model.saved, saving=False, overdue_since=0.0), emitted
        case on.SaveFailed(reason, message):
            model = replace(model, saving=False, overdue_since=model.overdue_since or now)
            return steps.fault(model, reason, message, now), ()
        case _:
            return model, ()


def _life(
    settings: m.Settings,
    model: m.Model,
    event: on.Claimed | on.Prepared | on.Launched | on.LoadFailed | on.BrowserGone | on.Troubled,
    now: float,
) -> steps.Step:
    match event:
        case on.Claimed(time):
            return replace(steps.to(model, SessionState.RESTORING, now), claimed_at=time), ()
        case on.Prepared(known_hash, saved, restored, fault, handled):
            for wish, asked in handled:
                model = wishes.done(model, wish, asked)
            fresh = replace(
                steps.to(model, SessionState.LAUNCHING, now),
                account=None,
                known_hash=known_hash,
                saved=saved or (model.saved if known_hash else None),  # an empty profile has none
                restored=restored,
                proven=False,
                synced=False,
                fault=fault or (None if model.fault and model.fault.reason in _STARTING else model.fault),
            )
            return frost.prepared(fresh, now)
        case on.Launched(version, sandbox):
            model = steps.to(model, SessionState.LAUNCHING, now)
            model = replace(model, browser_version=version, sandbox=sandbox, launched_at=now)
            return replace(model, load_due=0.0, stall_due=0.0), ()
        case on.LoadFailed(message):
            return steps.not_loaded(model, message, now)
        case on.BrowserGone():
            return _gone(settings, model, event, now)
        case on.Troubled(reason, message):
            return steps.fault(model, reason, message, now), ()
        case _:
            assert_never(event)


def _gone(settings: m.Settings, model: m.Model, event: on.BrowserGone, now: float) -> steps.Step:
    # One that has lived ended for reasons of its own, however long a link is waited for: it is the first in its row.
    lived = model.launched_at and now - model.launched_at >= LIFETIME
    relaunches = 1 if lived else model.relaunches + 1
    model = steps.fault(steps.to(model, SessionState.LAUNCHING, now), event.reason, event.message, now)
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
        shutdown = do.Shutdown(ExitCode.CRASHED, event.reason, message, save=False)
        return steps.ended(model, SessionState.FAILED, now, shutdown)
    return model, (do.Emit("disconnected", (str(event.reason),)), do.Recycle(gently=dead))


def _saving(settings: m.Settings, model: m.Model, event: on.SaveDone | on.SaveFailed, now: float) -> steps.Step:
    if not model.proven:
        return replace(model, saving=False), ()  # of a login that is gone meanwhile
    match event:
        case on.SaveDone(saved, changed):
            model = replace(wishes.done(model, wishes.SAVE, model.saving_wish), saving_wish=None)
            fault = None if model.fault and model.fault.reason in _SAVE_FAULTS else model.fault
            due = now + settings.interval
            saved = saved or model.saved
            model = replace(
                model, saved=saved, saving=False, save_due=due, save_failures=0, overdue_since=0.0, fault=fault
            )
            return model, (do.Emit("remote_session_saved"),) if changed else ()
        case on.SaveFailed(reason, message):
            failures = model.save_failures + 1
            model = replace(
                model,
                saving=False,
                save_wish=model.saving_wish if model.save_wish is None else model.save_wish,
                saving_wish=None,
                save_failures=failures,
                save_due=now + min(steps.RETRY.after(failures), settings.interval),
                overdue_since=model.overdue_since or now,
            )
            return steps.fault(model, reason, message, now), ()
        case _:
            assert_never(event)


def _overdue(settings: m.Settings, model: m.Model, now: float) -> m.Model:
    """Say that a save has not ended in due time, such as on a file system that hangs; it goes on."""
    longest = max(settings.interval, SAVE_PATIENCE)
    if not (model.saving and model.proven) or model.overdue_since or now - model.saving_since <= longest:
        return model
    message = f"a save has not ended within {longest / 60:.0f} minutes: does the store, or this machine's disk, hang?"
    return steps.fault(replace(model, overdue_since=now), Reason.BACKUP_OVERDUE, message, now)


def _tick(settings: m.Settings, model: m.Model, now: float) -> steps.Step:
    model = _overdue(settings, model, now)
    waiting = model.state in steps.UNLINKED and not (model.account or model.known_hash)
    if waiting and model.link_deadline and now >= model.link_deadline:
        state = SessionState.LOGGED_OUT if model.logged_out else SessionState.LINK_EXPIRED
        reason = Reason.LOGGED_OUT_FROM_PHONE if model.logged_out else Reason.QR_EXPIRED
        message = "nobody linked a phone in time"
        return steps.ended(model, state, now, do.Shutdown(ExitCode.DONE, reason, message, save=False))
    if model.load_due and now >= model.load_due:
        return patience.again(model, now)
    if model.state in steps.UNLINKED:
        model, actions = codes.tick(settings, model, now)
        return (model, actions) if actions else patience.tick(model, now)
    if model.state is SessionState.CONFLICT:
        return conflict.tick(model, now)
    if model.save_wish is not None and not (model.save_failures and now < model.save_due):
        model, actions = wishes.begin_save(model, now)
        if actions:
            return model, actions
    if model.state is SessionState.CONNECTED and model.save_due and not model.saving and now >= model.save_due:
        trigger = model.save_trigger if model.saved is None else SaveTrigger.INTERVAL
        return replace(model, saving=True, saving_since=now), (do.Save(trigger),)
    return patience.tick(model, now)
