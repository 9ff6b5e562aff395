"""Render the machine's state as ``status.session``, within the bounds of its schema. Pure."""

from dataclasses import dataclass
from typing import Any

from whatsapp_session import report_bounds
from whatsapp_session.conditions import SessionState
from whatsapp_session.timestamps import rfc3339
from whatsapp_worker.core.state import UNKNOWN, State


@dataclass(frozen=True, slots=True)
class Process:
    """The process that reports: its pod, and how often its container was restarted before it, None if unknown."""

    pod_uid: str
    restart_count: int | None = None


def session(state: State, process: Process, ahead: float = 0.0) -> dict[str, Any]:
    """Return the whole object; what is not known is absent rather than null, and what is too long is cut.

    ``ahead`` says by how many seconds the state's times are ahead of the machine's clock.
    """
    return report_bounds.bounded(_document(state, process, ahead))


def _document(state: State, process: Process, ahead: float) -> dict[str, Any]:
    return {
        "podUID": process.pod_uid,
        **({} if process.restart_count is None else {"restartCount": process.restart_count}),
        "state": str(state.session_state),
        # By the clock of the node: without a count the operator compares it with the kubelet's times of the container.
        "stateSince": rfc3339(state.since - ahead),
        "handledRequests": dict(state.requests.handled),
        **_account(state),
        **_codes(state),
        **_archives(state),
        **_browser(state),
        **_problems(state),
    }


def _account(state: State) -> dict[str, Any]:
    account, known_hash = state.login.account, state.login.known_hash
    if account:
        document = {"id": account.masked, "pushName": account.push_name, "platform": account.platform}
        return {"account": {**document, "hash": account.hash}}
    return {"account": {"hash": known_hash}} if known_hash not in ("", UNKNOWN) else {}


def _codes(state: State) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if qr := state.shown_qr:
        document["qr"] = {
            "code": qr.code,
            "issuedAt": rfc3339(qr.issued_at),
            "expiresAt": rfc3339(qr.expires_at),
            "attempt": qr.attempt,
        }
    if state.shown_pairing_code:
        document["pairingCode"] = state.shown_pairing_code.code
    return document


def _archives(state: State) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if saved := state.saving.saved:
        document["saved"] = {
            "generation": saved.generation,
            "time": rfc3339(saved.time),
            "bytes": saved.size,
            "sha256": saved.digest,
            "trigger": str(saved.trigger),
        }
        if state.saving.overdue_since:
            document["saved"]["overdueSince"] = rfc3339(state.saving.overdue_since)
    if (restored := state.login.restored) and restored.generation:
        document["restored"] = {
            "generation": restored.generation,
            "time": rfc3339(restored.time),
            "fallback": restored.fallback,
        }
    return document


def _browser(state: State) -> dict[str, Any]:
    known = {
        "webVersion": state.page.version,
        "browserVersion": state.browser.version,
        "sandbox": state.browser.sandbox,
    }
    document: dict[str, Any] = {name: value for name, value in known.items() if value}
    if state.session_state is SessionState.SYNCING and state.page.percent >= 0:
        document["loading"] = {"percent": state.page.percent, "message": "WhatsApp"}
    return document


def _problems(state: State) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if warnings := state.usage.warnings:
        document["warnings"] = [{"reason": str(item.reason), "message": item.message} for item in warnings]
    if problem := state.problem:
        document["lastError"] = {
            "reason": str(problem.reason),
            "message": problem.message,
            "time": rfc3339(problem.time),
        }
    return document
