"""Build owner references and labels of a session's objects."""

from typing import Any

from whatsapp_operator.observed.state import Pod, Session
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


def pod_owner(pod: Pod) -> Manifest:
    """Return an ownerReference to a pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": pod.name,
        "uid": pod.uid,
        "controller": False,
        "blockOwnerDeletion": False,
    }


def others(found: Manifest, session: Session) -> bool:
    """Return whether an object has another owner than this session, or is being deleted.

    An object without an owner counts as the session's: deleting a session without its dependents leaves such objects.
    """
    owners = found["metadata"].get("ownerReferences") or ()
    own = any(owner.get("uid") == session.uid for owner in owners)
    return "deletionTimestamp" in found["metadata"] or (bool(owners) and not own)


def labels(session: Session) -> dict[str, str]:
    """Return the labels of all objects of one session."""
    return {
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
        names.LABEL_COMPONENT: names.COMPONENT_WORKER,
        names.LABEL_SESSION: session.name,
    }
