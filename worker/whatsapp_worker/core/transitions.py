"""Build steps of the machine: a next model and what to do. Pure."""

from dataclasses import replace

from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker.core import actions
from whatsapp_worker.core.state import Model, Problem

RETRY = Backoff(2.0, 60.0)
"""Pauses between loads, saves, starts of the browser and requests for codes that fail in a row."""
UNLINKED = (SessionState.LAUNCHING, SessionState.AWAITING_LINK, SessionState.LOGGED_OUT)
"""States in which a code may stand in the model."""
Step = tuple[Model, tuple[actions.Action, ...]]


def enter(model: Model, state: SessionState, now: float) -> Model:
    """Change the state; a code stays only where it can be scanned."""
    if model.state is state:
        return model
    if state not in UNLINKED:
        model = replace(model, qr=None, pairing_code="")
    return replace(model, state=state, since=now, stall_due=0.0)


def with_problem(model: Model, reason: Reason, message: str, now: float) -> Model:
    """Remember what went wrong; the same again keeps its time."""
    same = model.fault is not None and (model.fault.reason, model.fault.message) == (reason, message)
    return model if same else replace(model, fault=Problem(reason, message, now))


def without_login(model: Model) -> Model:
    """Return the model without anything of the login that is gone."""
    return replace(
        model,
        account=None,
        known_hash="",
        login=model.login + 1,
        synced=False,
        proven=False,
        saved=None,
        restored=None,
        save_due=0.0,
        saving=False,
        save_wish=None,
        saving_wish=None,
        overdue_since=0.0,
        attempts=0,
        qr=None,
        pairing_code="",
    )


def offline_state(model: Model) -> SessionState:
    """Return the state of a session whose page is not there, or not of use: without a login there is none to regain."""
    return SessionState.RECONNECTING if model.known_hash or model.account else SessionState.LAUNCHING


def not_loaded(model: Model, message: str, now: float) -> Step:
    """Load the page again after a pause that grows; one load that fails may be told in two ways."""
    model = enter(model, offline_state(model), now)
    model = with_problem(model, Reason.RECONNECTING, message, now)
    if model.load_due > now:
        return model, ()
    failures = model.load_failures + 1
    return replace(model, load_failures=failures, load_due=now + RETRY.after(failures)), ()


def finish(model: Model, state: SessionState, now: float, shutdown: actions.Shutdown) -> Step:
    """End in a state."""
    model = replace(enter(model, state, now), qr=None, pairing_code="", link_deadline=0.0)
    if shutdown.reason is not None and shutdown.code is not ExitCode.DONE:
        model = with_problem(model, shutdown.reason, shutdown.message, now)
    return model, (shutdown,)


def refused(model: Model, reason: Reason, message: str, now: float) -> Step:
    """End because WhatsApp refuses; the profile stays as it is, what was saved before stays the newest."""
    return finish(model, SessionState.FAILED, now, actions.Shutdown(ExitCode.PAGE_REFUSED, reason, message, save=False))
