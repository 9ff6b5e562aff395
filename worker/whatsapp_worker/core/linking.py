"""Decide by what the page says: links, connections, conflicts, logouts. Pure.

Only a logout buries a login.
"""

from dataclasses import replace
from typing import assert_never

from whatsapp_session.conditions import ExitCode, Reason, SaveTrigger, SessionState
from whatsapp_worker.core import actions, conflict, link_codes, page_events, transitions
from whatsapp_worker.core.state import UNKNOWN, Model, Settings

SAVE_AFTER_RESTORE = 15.0
"""Seconds after a restored session is back: the login itself moved the ratchet on, which the archive lacks."""
FOREIGN_LOADS = 4
"""Loads in a row that may show something else before an unlinked worker gives up."""
_LINKED = (SessionState.SYNCING, SessionState.CONNECTED, SessionState.RECONNECTING, SessionState.CONFLICT)
_HEALED = (
    Reason.AWAITING_SCAN,
    Reason.PASSKEY_REQUIRED,
    Reason.LOGGED_OUT_FROM_PHONE,
    Reason.RECONNECTING,
    Reason.PROXY_BLOCKED,
    Reason.CONFLICT,
    Reason.BROWSER_CRASHED,
    Reason.PAGE_DEAD,
    Reason.SYNCING,
)


def facts(
    settings: Settings, model: Model, event: page_events.Attached | page_events.Changed | page_events.Synced, now: float
) -> transitions.Step:
    """Decide by the page's state."""
    found = event.facts
    model = replace(
        model, web_version=found.version or model.web_version, load_failures=0, load_due=0.0, unreadable=False
    )
    if isinstance(event, page_events.Attached):
        # A page that was loaded anew, even if nobody asked it to, is on its way again until it says otherwise.
        model = replace(_on_the_way(model, now), codes_since_load=0, qr=None, pairing_code="", synced=False)
    before: tuple[actions.Action, ...] = ()
    if isinstance(event, page_events.Changed):
        before = (actions.Emit("change_state", (str(found.state),)),)
    synced = found.synced or isinstance(event, page_events.Synced)
    model, todo = _by_state(settings, model, found, synced, now)
    return model, before + todo


def _by_state(settings: Settings, model: Model, facts: page_events.Facts, synced: bool, now: float) -> transitions.Step:
    state = page_events.SocketState
    match facts.state:
        case state.UNLAUNCHED | state.OPENING | state.PAIRING:
            return _on_the_way(model, now), ()
        case state.UNPAIRED | state.UNPAIRED_IDLE:
            return _unpaired(settings, model, facts, now)
        case state.CONNECTED:
            return _connected(settings, model, facts.account, synced or model.synced, now)
        case state.CONFLICT:
            return conflict.found(model, now)
        case state.TIMEOUT | state.DELETED | state.UNKNOWN:
            return _reconnecting(settings, model, Reason.RECONNECTING, f"the page says {facts.state}", now)
        case state.PROXYBLOCK:
            return _reconnecting(settings, model, Reason.PROXY_BLOCKED, "WhatsApp refuses this network address", now)
        case state.TOS_BLOCK | state.SMB_TOS_BLOCK:
            return transitions.refused(model, Reason.TEMPORARILY_BANNED, "WhatsApp has blocked this account", now)
        case state.DEPRECATED_VERSION:
            return transitions.refused(model, Reason.CLIENT_OUTDATED, "WhatsApp refuses this version of its page", now)
        case _:
            assert_never(facts.state)


def _on_the_way(model: Model, now: float) -> Model:
    # The first sync of a link may well be interrupted, and is Syncing all the while.
    leaves = model.state in _LINKED and (model.synced or model.state is SessionState.CONFLICT)
    return transitions.enter(model, SessionState.RECONNECTING, now) if leaves else model


def _reconnecting(settings: Settings, model: Model, reason: Reason, message: str, now: float) -> transitions.Step:
    state = transitions.offline_state(model)
    told = () if model.state is state else (actions.Emit("disconnected", (str(reason),)),)
    if state is SessionState.LAUNCHING:
        model = replace(model, link_deadline=_deadline(settings, model, now))
    model = replace(transitions.enter(model, state, now), qr=None)
    return transitions.with_problem(model, reason, message, now), told


def _deadline(settings: Settings, model: Model, now: float) -> float:
    """Return when an unlinked page that is there has waited long enough, which begins when it first says so."""
    return model.link_deadline or (now + settings.linking_timeout if settings.linking_timeout else 0.0)


def _unpaired(settings: Settings, model: Model, facts: page_events.Facts, now: float) -> transitions.Step:
    if model.known_hash and not model.logged_out:
        message = "the restored profile came up without its login and no logout was seen"
        told = (actions.Emit("auth_failure", (message,)), actions.RestorePrevious())
        previous = model.known_hash
        model = replace(
            transitions.enter(model, SessionState.RESTORING, now),
            known_hash="",
            previous_hash=previous,
            account=None,
            qr=None,
        )
        return transitions.with_problem(model, Reason.RESTORE_FAILED, message, now), told
    if model.state is not SessionState.AWAITING_LINK:
        model = replace(
            transitions.enter(model, SessionState.AWAITING_LINK, now),
            link_deadline=_deadline(settings, model, now),
            account=None,
            percent=-1,
            stalls=0,
        )
    return link_codes.wanted(settings, model, facts.state, now)


def _connected(
    settings: Settings, model: Model, account: page_events.Account | None, synced: bool, now: float
) -> transitions.Step:
    account = account or model.account
    if account and settings.expected_account and not _expected(settings.expected_account, account):
        return _mismatch(model, account, now)
    model = replace(model, account=account, qr=None, pairing_code="", link_deadline=0.0, logged_out=False)
    if not synced or account is None:
        return transitions.enter(model, SessionState.SYNCING, now), ()
    if model.state is SessionState.CONNECTED and model.synced:
        return model, ()
    new_link = account.hash != model.known_hash
    other = new_link and model.previous_hash not in ("", UNKNOWN, account.hash)
    first = not model.proven
    model = replace(
        transitions.enter(model, SessionState.CONNECTED, now),
        synced=True,
        proven=True,
        known_hash=account.hash,
        percent=100,
        relaunches=0,
        takeovers=0,
        takeover_due=0.0,
        stalls=0,
        fault=None if model.fault and model.fault.reason in _HEALED else model.fault,
    )
    if not first:
        return model, ()
    if other:
        message = f"another account linked: {account.masked}; what was saved for the previous one stays apart"
        model = transitions.with_problem(model, Reason.ACCOUNT_CHANGED, message, now)
    events = (actions.Emit("authenticated", ()), actions.Emit("ready", ()))
    if not settings.saves or model.saving:
        return model, events
    if new_link or model.saved is None:
        wish = model.save_wish
        model = replace(model, saving=True, saving_since=now, save_trigger=SaveTrigger.FIRST_LINK)
        model = replace(model, saving_wish=wish, save_wish=None)
        return model, (*events, actions.Save(SaveTrigger.FIRST_LINK))
    return replace(model, save_due=now + min(SAVE_AFTER_RESTORE, settings.interval)), events


def _mismatch(model: Model, account: page_events.Account, now: float) -> transitions.Step:
    if not model.known_hash:
        message = f"{account.masked} linked, which is not the expected account"
        return transitions.with_problem(model, Reason.ACCOUNT_MISMATCH, message, now), (actions.Unlink(),)
    # To unlink it as well would bury its archives, and a slip of the pen in the settings is enough to come here.
    message = (
        f"the saved login is of {account.masked}, which is not the expected account; nothing was unlinked or deleted: "
        "set the expected account to this one, or ask for a new link (relink) to give this login up"
    )
    shutdown = actions.Shutdown(ExitCode.CONFIGURATION, Reason.ACCOUNT_MISMATCH, message, save=False)
    return transitions.finish(model, SessionState.FAILED, now, shutdown)


def _expected(expected: str, account: page_events.Account) -> bool:
    digits = "".join(letter for letter in expected.partition("@")[0] if letter.isdigit())
    return account.id.partition("@")[0].partition(":")[0] == digits


def logged_out(model: Model, now: float) -> transitions.Step:
    """Bury the login that the phone has removed."""
    if model.logged_out or not (model.account or model.known_hash):
        return model, ()
    buried = model.account.hash if model.account else model.known_hash
    model = transitions.without_login(transitions.enter(model, SessionState.LOGGED_OUT, now))
    model = replace(model, previous_hash=buried, logged_out=True)
    model = transitions.with_problem(model, Reason.LOGGED_OUT_FROM_PHONE, "the phone removed this device", now)
    return model, (actions.RetireLogin(buried), actions.Emit("disconnected", ("LOGOUT",)))


def not_the_page(model: Model, event: page_events.UnexpectedPage, now: float) -> transitions.Step:
    """Wait for the true page; one that is served again and again without anything that we know is a changed one."""
    if not event.missing:
        return transitions.not_loaded(model, f"the site answered {event.status}", now)
    if not (model.account or model.known_hash) and model.load_failures >= FOREIGN_LOADS:
        return contract_broken(model, page_events.ContractBroken(event.missing, session=True), now)
    message = f"what was served is not WhatsApp Web: {' and '.join(event.missing)} are missing (a proxy's own page?)"
    return transitions.not_loaded(model, message, now)


def unattended(model: Model, now: float) -> transitions.Step:
    """Load a page again in which nothing of ours listens: an error page after it had loaded itself, or another site."""
    if model.unreadable:
        return model, ()
    return transitions.not_loaded(model, "the browser shows something else than WhatsApp Web", now)


def contract_broken(model: Model, event: page_events.ContractBroken, now: float) -> transitions.Step:
    """Name what the page lacks; a linked session runs on."""
    message = f"WhatsApp changed its page: {', '.join(event.missing)} missing; update the worker or its page contract"
    if model.account or model.known_hash:
        # A linked session runs on in its page; what cannot be observed is not saved, and the archives stay.
        model = replace(_on_the_way(model, now), unreadable=True)
        return transitions.with_problem(model, Reason.PAGE_CONTRACT_BROKEN, message, now), ()
    return transitions.refused(model, Reason.PAGE_CONTRACT_BROKEN, message, now)
