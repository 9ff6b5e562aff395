"""Mark what belongs to a session."""

from typing import Any

from whatsapp_operator.observed import Session
from whatsapp_session import names

Manifest = dict[str, Any]


def owner(session: Session, *, controller: bool) -> Manifest:
    """Return an ownerReference to the session."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.SESSION_KIND,
        "name": session.name,
        "uid": session.uid,
        "controller": controller,
        "blockOwnerDeletion": False,
    }


def labels(session: Session) -> dict[str, str]:
    """Return the labels of everything that is made for one session."""
    return {
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
        names.LABEL_COMPONENT: names.COMPONENT_WORKER,
        names.LABEL_SESSION: session.name,
    }
