"""Decide, sans I/O, what a worker does next: (settings, model, event, now) -> (model, actions).

Only a logout buries a login. A conflict, a time-out, a block, an unknown state or a crash never deletes anything.
"""

from dataclasses import replace
from typing import assert_never

from whatsapp_session.conditions import ExitCode, Reason, SaveTrigger, SessionState
from whatsapp_worker import model as m
from whatsapp_worker.page import events as page

FIRST_CODE_SECONDS = 60.0
NEXT_CODE_SECONDS = 20.0
PAIRING_CODE_SECONDS = 180.0
"""WhatsApp's own lifetimes: the first code after a load or refresh, each later one, a pairing code."""
SAVE_AFTER_RESTORE = 15.0
"""Seconds after a restored session is back: the login itself moved the ratchet on, which the archive lacks."""
SYNC_PATIENCE = 180.0
"""Seconds in Syncing without a word from the page after which it is loaded again."""
LAUNCH_PATIENCE = 90.0
RETRY_FIRST, RETRY_MOST = 2.0, 60.0
TAKEOVER_DELAY = 3.0

_PASSKEY = "WhatsApp asks this account for a passkey to link, which a browser without a person at it cannot give"
_LINKED = (SessionState.SYNCING, SessionState.CONNECTED, SessionState.RECONNECTING, SessionState.CONFLICT)
_UNLINKED = (SessionState.LAUNCHING, SessionState.AWAITING_LINK, SessionState.LOGGED_OUT)
"""States in which a code may stand in the model."""
_ENDED = (
    SessionState.STOPPING,
    SessionState.LINK_EXPIRED,
    SessionState.SUPERSEDED,
    SessionState.FAILED,
)
Step = tuple[m.Model, tuple[m.Action, ...]]


def backoff(failures: int) -> float:
    """Return seconds to wait after so many failures in a row (1, 2, ...)."""
    return float(min(RETRY_MOST, RETRY_FIRST * 2 ** (failures - 1)))


def _to(model: m.Model, state: SessionState, now: float) -> m.Model:
    if model.state is state:
        return model
    if state not in _UNLINKED:
        model = replace(model, qr=None, pairing_code="")
    return replace(model, state=state, since=now)


def _fault(model: m.Model, reason: Reason, message: str, now: float) -> m.Model:
    same = model.fault is not None and (model.fault.reason, model.fault.message) == (reason, message)
    return model if same else replace(model, fault=m.Fault(reason, message, now))


def _ended(model: m.Model, state: SessionState, now: float, shutdown: m.Shutdown) -> Step:
    model = replace(_to(model, state, now), qr=None, pairing_code="")
    if shutdown.reason is not None and shutdown.code is not ExitCode.DONE:
        model = _fault(model, shutdown.reason, shutdown.message, now)
    return model, (shutdown,)


def step(settings: m.Settings, model: m.Model, event: m.Event, now: float) -> Step:
    """Return the next model and what to do; once ended, nothing more happens but what a save reports."""
    if model.state in _ENDED:
        return _after_end(model, event)
    match event:
        case page.Attached() | page.Changed() | page.Synced():
            return _facts(settings, model, event, now)
        case page.Qr() | m.CodeShown():
            return _code(model, event, now)
        case page.Progress(percent):
            if model.synced or model.percent == percent:
                return model, ()
            return replace(model, percent=percent, since=now), (m.Emit("loading_screen", (percent, "WhatsApp")),)
        case page.LoggedOut():
            return _logged_out(model, now)
        case page.PasskeyAsked():
            return _fault(model, Reason.PASSKEY_REQUIRED, _PASSKEY, now), ()
        case page.ContractBroken():
            return _contract_broken(model, event, now)
        case m.Claimed() | m.Prepared() | m.Launched() | m.LoadFailed() | m.BrowserGone() | m.Troubled():
            return _life(settings, model, event, now)
        case m.SaveDone() | m.SaveFailed() | m.SaveRequested():
            return _saving(settings, model, event, now)
        case m.StillOwner():
            if model.state is not SessionState.CONFLICT:
                return model, ()
            return replace(model, takeover_due=now + TAKEOVER_DELAY * 2**model.takeovers), ()
        case m.Fatal(code, reason, message):
            state = SessionState.SUPERSEDED if reason is Reason.SUPERSEDED else SessionState.FAILED
            return _ended(model, state, now, m.Shutdown(code, reason, message, save=False))
        case m.StopRequested():
            return _ended(model, SessionState.STOPPING, now, m.Shutdown(ExitCode.DONE, None, "stopped as asked"))
        case m.Tick():
            return _tick(settings, model, now)
        case _:
            assert_never(event)


def _after_end(model: m.Model, event: m.Event) -> Step:
    match event:
        case m.SaveDone(saved, changed):
            emitted = (m.Emit("remote_session_saved"),) if changed else ()
            return replace(model, saved=saved, saving=False, overdue_since=0.0), emitted
        case m.SaveFailed():
            return replace(model, saving=False), ()
        case _:
            return model, ()


def _life(
    settings: m.Settings,
    model: m.Model,
    event: m.Claimed | m.Prepared | m.Launched | m.LoadFailed | m.BrowserGone | m.Troubled,
    now: float,
) -> Step:
    match event:
        case m.Claimed():
            return _to(model, SessionState.RESTORING, now), ()
        case m.Prepared(known_hash, saved, restored, fault):
            fresh = replace(
                _to(model, SessionState.LAUNCHING, now),
                account=None,
                known_hash=known_hash,
                saved=saved or model.saved,
                restored=restored,
                proven=False,
                synced=False,
                fault=fault or (None if model.fault and model.fault.reason in _STARTING else model.fault),
            )
            return fresh, (m.Launch(),)
        case m.Launched(version):
            return replace(
                _to(model, SessionState.LAUNCHING, now), since=now, browser_version=version, load_due=0.0
            ), ()
        case m.LoadFailed(message):
            failures = model.load_failures + 1
            waiting = SessionState.RECONNECTING if model.known_hash or model.account else SessionState.LAUNCHING
            model = _fault(_to(model, waiting, now), Reason.RECONNECTING, message, now)
            return replace(model, load_failures=failures, load_due=now + backoff(failures)), ()
        case m.BrowserGone(reason, message):
            relaunches = model.relaunches + 1
            model = _fault(_to(model, SessionState.LAUNCHING, now), reason, message, now)
            model = replace(model, qr=None, pairing_code="", synced=False, saving=False, relaunches=relaunches)
            if relaunches > 5:
                shutdown = m.Shutdown(ExitCode.CRASHED, reason, f"{message}, {relaunches} times in a row", save=False)
                return _ended(model, SessionState.FAILED, now, shutdown)
            return model, (m.Emit("disconnected", (str(reason),)), m.Recycle())
        case m.Troubled(reason, message):
            return _fault(model, reason, message, now), ()
        case _:
            assert_never(event)


def _facts(settings: m.Settings, model: m.Model, event: page.Attached | page.Changed | page.Synced, now: float) -> Step:
    facts = event.facts
    model = replace(model, web_version=facts.version or model.web_version, load_failures=0, load_due=0.0)
    if isinstance(event, page.Attached):
        model = replace(model, codes_since_load=0, qr=None, synced=False)
    before: tuple[m.Action, ...] = ()
    if isinstance(event, page.Changed):
        before = (m.Emit("change_state", (str(facts.state),)),)
    synced = facts.synced or isinstance(event, page.Synced)
    model, actions = _by_state(settings, model, facts, synced, now)
    return model, before + actions


def _by_state(settings: m.Settings, model: m.Model, facts: page.Facts, synced: bool, now: float) -> Step:
    state = page.SocketState
    match facts.state:
        case state.UNLAUNCHED | state.OPENING | state.PAIRING:
            return _on_the_way(model, now), ()
        case state.UNPAIRED | state.UNPAIRED_IDLE:
            return _unpaired(settings, model, facts, now)
        case state.CONNECTED:
            return _connected(settings, model, facts.account, synced or model.synced, now)
        case state.CONFLICT:
            if model.state is SessionState.CONFLICT:
                return model, ()
            model = _fault(_to(model, SessionState.CONFLICT, now), Reason.CONFLICT, "opened elsewhere", now)
            return model, (m.Emit("disconnected", ("CONFLICT",)), m.AskOwner())
        case state.TIMEOUT | state.DELETED | state.UNKNOWN:
            return _reconnecting(model, Reason.RECONNECTING, f"the page says {facts.state}", now)
        case state.PROXYBLOCK:
            return _reconnecting(model, Reason.PROXY_BLOCKED, "WhatsApp refuses this network address", now)
        case state.TOS_BLOCK | state.SMB_TOS_BLOCK:
            return _refused(model, Reason.TEMPORARILY_BANNED, "WhatsApp has blocked this account", now)
        case state.DEPRECATED_VERSION:
            return _refused(model, Reason.CLIENT_OUTDATED, "WhatsApp refuses this version of its page", now)
        case _:
            assert_never(facts.state)


def _refused(model: m.Model, reason: Reason, message: str, now: float) -> Step:
    # The profile is whole and stays as it is; what was saved before stays the newest.
    return _ended(model, SessionState.FAILED, now, m.Shutdown(ExitCode.PAGE_REFUSED, reason, message, save=False))


def _on_the_way(model: m.Model, now: float) -> m.Model:
    return _to(model, SessionState.RECONNECTING, now) if model.state in _LINKED and model.synced else model


def _reconnecting(model: m.Model, reason: Reason, message: str, now: float) -> Step:
    told = () if model.state is SessionState.RECONNECTING else (m.Emit("disconnected", (str(reason),)),)
    model = replace(_to(model, SessionState.RECONNECTING, now), qr=None)
    return _fault(model, reason, message, now), told


def _unpaired(settings: m.Settings, model: m.Model, facts: page.Facts, now: float) -> Step:
    if model.known_hash and not model.logged_out:
        message = "the restored profile came up without its login and no logout was seen"
        told = (m.Emit("auth_failure", (message,)), m.FallBack())
        previous = model.known_hash
        model = replace(
            _to(model, SessionState.RESTORING, now), known_hash="", previous_hash=previous, account=None, qr=None
        )
        return _fault(model, Reason.RESTORE_FAILED, message, now), told
    if model.state is not SessionState.AWAITING_LINK:
        deadline = model.link_deadline or (now + settings.linking_timeout if settings.linking_timeout else 0.0)
        model = replace(_to(model, SessionState.AWAITING_LINK, now), link_deadline=deadline, account=None, percent=-1)
    if settings.phone_number and not model.pairing_code:
        return model, (m.AskPairingCode(),)
    if facts.state is page.SocketState.UNPAIRED_IDLE:
        return replace(model, qr=None, codes_since_load=0), (m.RefreshQr(),)
    return model, ()


def _code(model: m.Model, event: page.Qr | m.CodeShown, now: float) -> Step:
    if model.state not in (SessionState.AWAITING_LINK, SessionState.LAUNCHING, SessionState.LOGGED_OUT):
        return model, ()
    attempts = model.attempts + 1
    if isinstance(event, m.CodeShown):
        return replace(model, pairing_code=event.code, attempts=attempts), (m.Emit("code", (event.code,)),)
    lifetime = FIRST_CODE_SECONDS if model.codes_since_load == 0 else NEXT_CODE_SECONDS
    shown = m.ShownCode(event.code, now, now + lifetime, attempts)
    model = replace(model, qr=shown, attempts=attempts, codes_since_load=model.codes_since_load + 1)
    return model, (m.Emit("qr", (event.code,)),)


def _connected(settings: m.Settings, model: m.Model, account: page.Account | None, synced: bool, now: float) -> Step:
    account = account or model.account
    if account and settings.expected_account and not _expected(settings.expected_account, account):
        message = f"{account.masked} linked, which is not the expected account"
        return _fault(model, Reason.ACCOUNT_MISMATCH, message, now), (m.Unlink(),)
    model = replace(model, account=account, qr=None, pairing_code="", link_deadline=0.0, logged_out=False)
    if not synced or account is None:
        return _to(model, SessionState.SYNCING, now), ()
    if model.state is SessionState.CONNECTED and model.synced:
        return model, ()
    new_link = account.hash != model.known_hash
    other = new_link and model.previous_hash not in ("", account.hash)
    first = not model.proven
    model = replace(
        _to(model, SessionState.CONNECTED, now),
        synced=True,
        proven=True,
        known_hash=account.hash,
        percent=100,
        relaunches=0,
        takeovers=0,
        takeover_due=0.0,
        fault=None if model.fault and model.fault.reason in _HEALED else model.fault,
    )
    if not first:
        return model, ()
    if other:
        message = f"another account linked: {account.masked}; what was saved for the previous one stays apart"
        model = _fault(model, Reason.ACCOUNT_CHANGED, message, now)
    events = (m.Emit("authenticated", ()), m.Emit("ready", ()))
    if not settings.saves or model.saving:
        return model, events
    if new_link or model.saved is None:
        return replace(model, saving=True, save_trigger=SaveTrigger.FIRST_LINK), (
            *events,
            m.Save(SaveTrigger.FIRST_LINK),
        )
    return replace(model, save_due=now + min(SAVE_AFTER_RESTORE, settings.interval)), events


_STARTING = (Reason.STORE_UNAVAILABLE, Reason.LEASE_HELD)
_HEALED = (
    Reason.PASSKEY_REQUIRED,
    Reason.LOGGED_OUT_FROM_PHONE,
    Reason.RECONNECTING,
    Reason.PROXY_BLOCKED,
    Reason.CONFLICT,
    Reason.BROWSER_CRASHED,
    Reason.PAGE_DEAD,
    Reason.SYNCING,
)


def _expected(expected: str, account: page.Account) -> bool:
    digits = "".join(letter for letter in expected.partition("@")[0] if letter.isdigit())
    return account.id.partition("@")[0].partition(":")[0] == digits


def _logged_out(model: m.Model, now: float) -> Step:
    if model.logged_out or not (model.account or model.known_hash):
        return model, ()
    buried = model.account.hash if model.account else model.known_hash
    model = replace(
        _to(model, SessionState.LOGGED_OUT, now),
        account=None,
        known_hash="",
        previous_hash=buried,
        logged_out=True,
        synced=False,
        proven=False,
        saved=None,
        restored=None,
        save_due=0.0,
        saving=False,
        overdue_since=0.0,
        attempts=0,
        qr=None,
    )
    model = _fault(model, Reason.LOGGED_OUT_FROM_PHONE, "the phone removed this device", now)
    return model, (m.BuryLogin(buried), m.Emit("disconnected", ("LOGOUT",)))


def _contract_broken(model: m.Model, event: page.ContractBroken, now: float) -> Step:
    message = f"WhatsApp changed its page: {', '.join(event.missing)} missing; update the worker or its page contract"
    if model.account or model.known_hash:
        # A linked session runs on in its page; what cannot be observed is not saved, and the archives stay.
        return _fault(_on_the_way(model, now), Reason.PAGE_CONTRACT_BROKEN, message, now), ()
    return _refused(model, Reason.PAGE_CONTRACT_BROKEN, message, now)


def _saving(
    settings: m.Settings, model: m.Model, event: m.SaveDone | m.SaveFailed | m.SaveRequested, now: float
) -> Step:
    match event:
        case m.SaveDone(saved, changed):
            fault = None if model.fault and model.fault.reason in _SAVE_FAULTS else model.fault
            due = now + settings.interval
            model = replace(
                model, saved=saved, saving=False, save_due=due, save_failures=0, overdue_since=0.0, fault=fault
            )
            return model, (m.Emit("remote_session_saved"),) if changed else ()
        case m.SaveFailed(reason, message):
            failures = model.save_failures + 1
            model = replace(
                model,
                saving=False,
                save_failures=failures,
                save_due=now + min(backoff(failures), settings.interval),
                overdue_since=model.overdue_since or now,
            )
            return _fault(model, reason, message, now), ()
        case m.SaveRequested():
            if not settings.saves or model.saving or model.state is not SessionState.CONNECTED:
                return model, ()
            return replace(model, saving=True), (m.Save(SaveTrigger.REQUEST),)
        case _:
            assert_never(event)


_SAVE_FAULTS = (Reason.SNAPSHOT_FAILED, Reason.STORE_UNAVAILABLE, Reason.BACKUP_OVERDUE)


def _tick(settings: m.Settings, model: m.Model, now: float) -> Step:
    if model.load_due and now >= model.load_due:
        return replace(model, load_due=0.0), (m.Load(),)
    waiting = model.state in (SessionState.AWAITING_LINK, SessionState.LOGGED_OUT)
    if waiting and model.link_deadline and now >= model.link_deadline:
        state = SessionState.LOGGED_OUT if model.logged_out else SessionState.LINK_EXPIRED
        reason = Reason.LOGGED_OUT_FROM_PHONE if model.logged_out else Reason.QR_EXPIRED
        message = "nobody linked a phone in time"
        return _ended(model, state, now, m.Shutdown(ExitCode.DONE, reason, message, save=False))
    if model.qr and now >= model.qr.expires_at:
        return replace(model, qr=None), ()
    if model.state is SessionState.CONFLICT and model.takeover_due and now >= model.takeover_due:
        return replace(model, takeover_due=0.0, takeovers=model.takeovers + 1), (m.TakeOver(),)
    if model.state is SessionState.CONNECTED and model.save_due and not model.saving and now >= model.save_due:
        trigger = model.save_trigger if model.saved is None else SaveTrigger.INTERVAL
        return replace(model, saving=True), (m.Save(trigger),)
    patience = {SessionState.SYNCING: SYNC_PATIENCE, SessionState.LAUNCHING: LAUNCH_PATIENCE}.get(model.state)
    if patience and now - model.since > patience and not model.load_due:
        message = f"the page has been {model.state} for {patience:.0f} s without a word"
        return replace(_fault(model, Reason.SYNCING, message, now), since=now), (m.Load(),)
    return model, ()
