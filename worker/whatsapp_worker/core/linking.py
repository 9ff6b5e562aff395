"""Decide by what the page reports: links, connections, logouts. Pure.

Only a logout retires a login.
"""

from dataclasses import replace
from typing import assert_never

from whatsapp_session.conditions import ExitCode, Reason, SaveTrigger, SessionState
from whatsapp_worker.core import actions, conflict, link_codes, page_contract, page_events, recovery, saving
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import UNKNOWN, Conflict, State
from whatsapp_worker.core.transitions import (
    UNLINKED,
    Step,
    enter,
    finish,
    offline_state,
    on_the_way,
    refused,
    with_problem,
    without_login,
    without_problem,
)

SAVE_AFTER_RESTORE = 15.0
"""Seconds after a restored session is back: the login itself moved the ratchet on, which the archive lacks."""
FOREIGN_LOADS = 4
"""Loads in a row that may show another page before an unlinked worker gives up."""
_SOLVED = (
    Reason.AWAITING_SCAN,
    Reason.PASSKEY_REQUIRED,
    Reason.LOGGED_OUT_FROM_PHONE,
    Reason.RECONNECTING,
    Reason.PROXY_BLOCKED,
    Reason.CONFLICT,
    Reason.BROWSER_CRASHED,
    Reason.PAGE_DEAD,
    Reason.SYNCING,
    Reason.PAGE_CONTRACT_BROKEN,
)
"""Problems that a connection has solved."""
_AS_BEFORE = (page_events.SocketState.UNLAUNCHED, page_events.SocketState.OPENING, page_events.SocketState.CONNECTED)
"""States of a page that does not leave after a logout, which say nothing of a new link."""
_ASKS_FOR_A_LINK = (
    page_events.SocketState.UNPAIRED,
    page_events.SocketState.UNPAIRED_IDLE,
    page_events.SocketState.PAIRING,
)
_ANNOUNCED = (actions.Emit("authenticated", ()), actions.Emit("ready", ()))
PASSKEY = "WhatsApp requires a passkey to link this account, which the worker cannot provide"


def facts(
    settings: Settings, state: State, event: page_events.Attached | page_events.Changed | page_events.Synced, now: float
) -> Step:
    """Decide by the page's state."""
    reported = event.facts
    stays = state.page.logged_out and not isinstance(event, page_events.Attached)
    if stays and reported.state in _AS_BEFORE:
        return state, ()  # recovery loads such a page again
    stays = stays and reported.state not in _ASKS_FOR_A_LINK
    page = replace(state.page, version=reported.version or state.page.version, unreadable=False, logged_out=stays)
    if reported.state is not page_events.SocketState.UNKNOWN:
        page = replace(page, unknown_state="")
    state = replace(state, page=page, loading=replace(state.loading, failures=0, due=0.0))
    if isinstance(event, page_events.Attached):
        # A page that was loaded again, even unasked, is on its way until it reports otherwise.
        state = on_the_way(state, now)
        codes = replace(state.codes.cleared(), since_load=0)
        state = replace(state, codes=codes, page=replace(state.page, synced=False, faults=()))
    before: tuple[actions.Action, ...] = ()
    if isinstance(event, page_events.Changed):
        before = (actions.Emit("change_state", (str(reported.state),)),)
    synced = reported.synced or isinstance(event, page_events.Synced)
    state, todo = _by_socket(settings, state, reported, synced, now)
    return state, before + todo


def _by_socket(settings: Settings, state: State, facts: page_events.PageState, synced: bool, now: float) -> Step:
    socket = page_events.SocketState
    match facts.state:
        case socket.UNLAUNCHED | socket.OPENING | socket.PAIRING:
            return on_the_way(state, now), ()
        case socket.UNPAIRED | socket.UNPAIRED_IDLE:
            return _unpaired(settings, state, facts, now)
        case socket.CONNECTED:
            return _connected(settings, state, facts.account, synced or state.page.synced, now)
        case socket.CONFLICT:
            return conflict.found(state, now)
        case socket.UNKNOWN:
            emitted = _disconnected(state, Reason.RECONNECTING)
            return page_contract.unknown_state(_waiting(settings, state, now), facts, now), emitted
        case socket.TIMEOUT | socket.DELETED:
            message = f"WhatsApp Web reports the connection as {facts.state}"
            state, emitted = _reconnecting(settings, state, Reason.RECONNECTING, message, now)
            # A lost network is ``change_state`` only, as in whatsapp-web.js: bots exit when they hear ``disconnected``.
            return state, () if facts.state is socket.TIMEOUT else emitted
        case socket.PROXYBLOCK:
            message = "WhatsApp blocks this network address; use another network or proxy"
            return _reconnecting(settings, state, Reason.PROXY_BLOCKED, message, now)
        case socket.TOS_BLOCK | socket.SMB_TOS_BLOCK:
            return refused(
                state, Reason.TEMPORARILY_BANNED, "WhatsApp has blocked this account; see the phone for its reason", now
            )
        case socket.DEPRECATED_VERSION:
            message = "WhatsApp no longer accepts this version of WhatsApp Web; update the worker image"
            return refused(state, Reason.CLIENT_OUTDATED, message, now)
        case _:
            assert_never(facts.state)


def _reconnecting(settings: Settings, state: State, reason: Reason, message: str, now: float) -> Step:
    emitted = _disconnected(state, reason)
    state = enter(_waiting(settings, state, now), offline_state(state), now)
    return with_problem(state, reason, message, now), emitted


def _disconnected(state: State, reason: Reason) -> tuple[actions.Action, ...]:
    return () if state.session_state is offline_state(state) else (actions.Emit("disconnected", (str(reason),)),)


def _waiting(settings: Settings, state: State, now: float) -> State:
    """Take the code of a page that is of no use now; without a login its time for a link runs on."""
    if offline_state(state) is SessionState.LAUNCHING:
        state = link_codes.with_deadline(settings, state, now)
    return replace(state, codes=replace(state.codes, qr=None))


def _unpaired(settings: Settings, state: State, facts: page_events.PageState, now: float) -> Step:
    login = state.login
    if login.known_hash and not login.logged_out:
        return _restored_without_login(state, now)
    if state.session_state is not SessionState.AWAITING_LINK:
        state = link_codes.with_deadline(settings, enter(state, SessionState.AWAITING_LINK, now), now)
        state = replace(
            state,
            login=replace(login, account=None),
            page=replace(state.page, percent=-1),
        )
    return link_codes.wanted(settings, state, facts.state, now)


def _restored_without_login(state: State, now: float) -> Step:
    which = "profile has lost its" if state.login.proven else "restored profile has no"
    message = f"the {which} login although no logout was seen; the worker restores an archive"
    login = replace(state.login, account=None, known_hash="", previous_hash=state.login.known_hash)
    state = enter(replace(state, login=login), SessionState.RESTORING, now)
    state = with_problem(state, Reason.RESTORE_FAILED, message, now)
    return state, (actions.Emit("auth_failure", (message,)), actions.RestorePrevious())


def _connected(settings: Settings, state: State, account: page_events.Account | None, synced: bool, now: float) -> Step:
    named, account = account is not None, account or state.login.account
    if account and settings.expected_account and not _is_expected(settings.expected_account, account):
        return _mismatch(state, account, now)
    login = replace(state.login, account=account, logged_out=False)
    state = replace(state, login=login, codes=replace(state.codes.cleared(), deadline=0.0))
    if not synced or account is None or not (named or state.page.synced):
        return enter(state, SessionState.SYNCING, now), ()
    if state.session_state is SessionState.CONNECTED and state.page.synced:
        return state, ()
    state = without_problem(enter(state, SessionState.CONNECTED, now), *_SOLVED)
    state = replace(
        state,
        login=replace(login, proven=True, announced=True, known_hash=account.hash),
        page=replace(state.page, synced=True, percent=100),
        loading=replace(state.loading, stalls=0),
        browser=replace(state.browser, restarts=0),
        conflict=Conflict(),
    )
    if login.proven:
        return state, () if login.announced else _ANNOUNCED
    return _ready(settings, state, account, is_new_link=account.hash != login.known_hash, now=now)


def _ready(settings: Settings, state: State, account: page_events.Account, *, is_new_link: bool, now: float) -> Step:
    if is_new_link and state.login.previous_hash not in ("", UNKNOWN, account.hash):
        message = f"another account was linked: {account.masked}; the archives of the previous one are kept separately"
        state = with_problem(state, Reason.ACCOUNT_CHANGED, message, now)
    emitted = _ANNOUNCED
    if not settings.saves or state.saving.running:
        return state, emitted
    if is_new_link or state.saving.saved is None:
        state, todo = saving.saving_started(state, SaveTrigger.FIRST_LINK, now)
        return state, (*emitted, *todo)
    due = now + min(SAVE_AFTER_RESTORE, settings.interval)
    return replace(state, saving=replace(state.saving, due=due)), emitted


def _mismatch(state: State, account: page_events.Account, now: float) -> Step:
    if not state.login.known_hash:
        message = f"the worker unlinked {account.masked}, which is not the expected account"
        return with_problem(state, Reason.ACCOUNT_MISMATCH, message, now), (actions.Unlink(),)
    # To unlink it as well would retire its archives, and a typing error in the settings is enough to come here.
    message = (
        f"the saved login belongs to {account.masked}, which is not the expected account; nothing was unlinked or "
        "deleted: set the expected account to this one, or request a new link (relink) to give this login up"
    )
    shutdown = actions.Shutdown(ExitCode.CONFIGURATION, Reason.ACCOUNT_MISMATCH, message, save=False)
    return finish(state, SessionState.FAILED, now, shutdown)


def _is_expected(expected: str, account: page_events.Account) -> bool:
    digits = "".join(letter for letter in expected.partition("@")[0] if letter.isdigit())
    return account.id.partition("@")[0].partition(":")[0] == digits


def logged_out(state: State, now: float) -> Step:
    """Retire the login that the phone has removed."""
    retired = state.login.hash
    if state.login.logged_out or not state.login.exists:
        return state, ()
    state = without_login(enter(state, SessionState.LOGGED_OUT, now), retired)
    state = replace(state, login=replace(state.login, logged_out=True), page=replace(state.page, logged_out=True))
    state = with_problem(state, Reason.LOGGED_OUT_FROM_PHONE, "the phone removed this device", now)
    return state, (actions.RetireLogin(retired), actions.Emit("disconnected", ("LOGOUT",)))


def progress(state: State, event: page_events.Progress) -> Step:
    """Note how far the synchronisation is, which also shows that the page works."""
    if state.page.synced or state.page.percent == event.percent:
        return state, ()
    page, loading = replace(state.page, percent=event.percent), replace(state.loading, stall_due=0.0, stalls=0)
    state = replace(state, page=page, loading=loading)
    return state, (actions.Emit("loading_screen", (event.percent, "WhatsApp")),)


def unexpected_page(settings: Settings, state: State, event: page_events.UnexpectedPage, now: float) -> Step:
    """Wait for the true page; one that is served again and again without anything that we know is a changed one."""
    if not event.missing:
        return recovery.not_loaded(state, f"WhatsApp Web answered with HTTP status {event.status}", now)
    if not state.login.exists and state.loading.failures >= FOREIGN_LOADS:
        faults = tuple(f"{name} is missing" for name in event.missing)
        broken = page_events.ContractBroken(faults, page_events.Need.SESSION)
        return page_contract.broken(settings, state, broken, now)
    missing = " and ".join(event.missing)
    message = f"the loaded page is not WhatsApp Web: {missing} are missing; check whether a proxy serves its own page"
    return recovery.not_loaded(state, message, now)


def adapter_missing(state: State, now: float) -> Step:
    """Load a page again that the adapter is not in: an error page after it had loaded itself, or another site."""
    if state.page.unreadable:
        return state, ()
    return recovery.not_loaded(state, "the browser shows a page other than WhatsApp Web", now)


def expired(state: State, now: float) -> Step | None:
    """End the worker when no phone was linked in time, None when it is not yet time."""
    waits = state.session_state in UNLINKED and not state.login.exists
    if not (waits and state.codes.deadline and now >= state.codes.deadline):
        return None
    target = SessionState.LOGGED_OUT if state.login.logged_out else SessionState.LINK_EXPIRED
    reason = Reason.LOGGED_OUT_FROM_PHONE if state.login.logged_out else Reason.QR_EXPIRED
    shutdown = actions.Shutdown(ExitCode.DONE, reason, "no phone linked in time", save=False)
    return finish(state, target, now, shutdown)
