"""Render a model as ``status.session``, within the bounds of its schema. Pure."""

from typing import Any

from whatsapp_session import report_bounds
from whatsapp_session.conditions import SessionState
from whatsapp_session.timestamps import rfc3339
from whatsapp_worker.core.state import UNKNOWN, Model


def session(model: Model, pod_uid: str) -> dict[str, Any]:
    """Return the whole object; what is not known is absent rather than null, and what is too long is cut."""
    return report_bounds.bounded(_document(model, pod_uid))


def _document(model: Model, pod_uid: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "podUID": pod_uid,
        "state": str(model.state),
        "stateSince": rfc3339(model.since),
        "handledRequests": dict(model.handled),
    }
    if model.account:
        document["account"] = {
            "id": model.account.masked,
            "pushName": model.account.push_name,
            "platform": model.account.platform,
            "hash": model.account.hash,
        }
    elif model.known_hash not in ("", UNKNOWN):
        document["account"] = {"hash": model.known_hash}
    if model.state is SessionState.AWAITING_LINK and model.qr:
        document["qr"] = {
            "code": model.qr.code,
            "issuedAt": rfc3339(model.qr.issued_at),
            "expiresAt": rfc3339(model.qr.expires_at),
            "attempt": model.qr.attempt,
        }
    if model.state is SessionState.AWAITING_LINK and model.pairing_code:
        document["pairingCode"] = model.pairing_code
    if model.saved:
        document["saved"] = {
            "generation": model.saved.generation,
            "time": rfc3339(model.saved.time),
            "bytes": model.saved.size,
            "sha256": model.saved.digest,
            "trigger": str(model.saved.trigger),
        }
        if model.overdue_since:
            document["saved"]["overdueSince"] = rfc3339(model.overdue_since)
    if model.restored and model.restored.generation:
        document["restored"] = {
            "generation": model.restored.generation,
            "time": rfc3339(model.restored.time),
            "fallback": model.restored.fallback,
        }
    if model.web_version:
        document["webVersion"] = model.web_version
    if model.browser_version:
        document["browserVersion"] = model.browser_version
    if model.sandbox:
        document["sandbox"] = model.sandbox
    if model.warnings:
        document["warnings"] = [{"reason": str(item.reason), "message": item.message} for item in model.warnings]
    if model.state is SessionState.SYNCING and model.percent >= 0:
        document["loading"] = {"percent": model.percent, "message": "WhatsApp"}
    if model.fault:
        document["lastError"] = {
            "reason": str(model.fault.reason),
            "message": model.fault.message,
            "time": rfc3339(model.fault.time),
        }
    return document
