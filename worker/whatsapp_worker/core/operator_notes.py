"""Read what the operator has written onto the Lease for the worker. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from whatsapp_session import names

REQUESTS = ("save", "relink", "takeover")


@dataclass(frozen=True, slots=True)
class Notes:
    """What stands on the Lease; empty without Kubernetes."""

    requests: Mapping[str, str] = field(default_factory=dict)
    """Time of each request that somebody has made and that was not yet carried out."""
    known_account: str = ""
    """Hash of the account whose login this session has in its store: a store without it is the wrong one."""
    terminated_pod_uid: str = ""
    """UID of the previous owner's pod when the operator has proof that it is gone."""
    expired: bool = False
    """Whether the Lease was not renewed in time, so that another pod may have taken it: nothing may be claimed."""


def read(lease: Mapping[str, Any]) -> Notes:
    """Return the notes of a Lease."""
    annotations = lease["metadata"].get("annotations") or {}
    found = {request: annotations.get(names.request_annotation(request), "") for request in REQUESTS}
    return Notes(
        {request: str(time) for request, time in found.items() if time},
        str(annotations.get(names.ANNOTATION_KNOWN_ACCOUNT, "")),
        str(annotations.get(names.ANNOTATION_TERMINATED_POD_UID, "")),
    )
