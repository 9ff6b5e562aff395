"""What every pod of ours may not do: restricted standard, a read-only root, one unprivileged user."""

from typing import Any

Manifest = dict[str, Any]

UID = 10001


def pod() -> Manifest:
    """Return a pod's security context."""
    return {
        "runAsNonRoot": True,
        "runAsUser": UID,
        "runAsGroup": UID,
        "fsGroup": UID,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container() -> Manifest:
    """Return a container's security context."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
