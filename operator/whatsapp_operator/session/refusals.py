"""Turn a refusal of the API server into a condition: what was rejected, why, and what the user can do. Pure.

This is the only place that does so, for all objects.
"""

import re
from typing import Final

from whatsapp_kube import answers
from whatsapp_kube.errors import Asked, Refused
from whatsapp_operator.observed.state import Problem
from whatsapp_session import names
from whatsapp_session.conditions import Reason

_NOBODYS: Final = "no field of the spec causes this; ask the cluster's administrator to allow it"
_TEMPLATE: Final = "change spec.podTemplate, or the chart's values worker and podSecurityContext"
_RESOURCES: Final = "change the resources in spec.podTemplate, or the chart's value worker.resources"
_LABELS: Final = "change spec.podTemplate.metadata.labels, or spec.podLabels of the SessionStore"
_CLAIM: Final = (
    "create the PVC yourself and name it in spec.auth.localAuth.claimName, or re-create the session with another"
)
_STORE_PODS: Final = "the chart's value storePods.resources"
_OF_STORE_PODS: Final = (
    ("metadata.labels", "change spec.podLabels of the SessionStore, or the chart's value worker.podLabels"),
    ("metadata.annotations", "change the chart's value worker.podAnnotations"),
    ("spec.containers[].resources", f"change {_STORE_PODS}"),
    (
        "",
        "change spec.podLabels or spec.custom of the SessionStore, or the chart's values worker, storePods and"
        " podSecurityContext",
    ),
)
_OF_WORKERS: Final = (
    ("metadata.labels", _LABELS),
    ("metadata.annotations", "change spec.podTemplate.metadata.annotations"),
    ("spec.containers[].resources", _RESOURCES),
    ("", _TEMPLATE),
)
_REMEDIES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "PersistentVolumeClaim": (
        ("spec.resources", f"{_CLAIM} spec.auth.localAuth.size"),
        ("spec.storageClassName", f"{_CLAIM} spec.auth.localAuth.storageClassName"),
        ("", f"{_CLAIM} spec.auth.localAuth.size or storageClassName"),
    ),
    "ServiceAccount": (("metadata.annotations", "change spec.serviceAccount.annotations of the SessionStore"),),
    names.SESSION_KIND: (
        ("metadata.finalizers", "set spec.auth.remoteAuth.onDelete to Retain, which needs no finalizer"),
    ),
}
"""What the user can change, by the prefix of the rejected field; "" matches any field, and none."""
_AMOUNTS: Final = re.compile(r"failed quota: .* must specify |usage per (Container|Pod) |limit to request ratio per ")
"""What quota and LimitRange say of a pod's resources; the API has no structured form for it."""
_INDEX: Final = re.compile(r"\[[0-9]+\]")
_WAITS: Final = frozenset({Reason.QUOTA_EXCEEDED, Reason.STOPPING, Reason.REPLACING})


def problem(error: Refused) -> Problem:
    """Return the reason and the message for a refusal."""
    asked = error.asked
    if any(cause.reason == answers.NAMESPACE_TERMINATING for cause in error.causes):
        return Problem(Reason.STOPPING, "the namespace is being deleted")
    if "exceeded quota" in error.message:  # the API has no structured form for it
        text = f"the namespace's quota does not allow {_thing(asked)}: {error.message}"
        ways = f"raise the quota{_smaller(asked)}, or suspend or delete sessions"
        return Problem(Reason.QUOTA_EXCEEDED, f"{text}; {ways}")
    reason = Reason.INVALID_POD_TEMPLATE if asked.kind == "Pod" and asked.verb == "create" else Reason.REFUSED
    if _lacks_rights(error):
        text = "upgrade the chart, whose role has this right, or grant it to the operator's service account"
        return Problem(reason, f"the operator may not {_verb(asked)} {_thing(asked)}: {error.message}; {text}")
    fields = [_INDEX.sub("[]", cause.field) for cause in error.causes if cause.field]
    who = "the API server refuses" if fields or error.status == 400 else "an admission rule of this cluster refuses"
    what = f"to {_verb(asked)} {_thing(asked)}"
    if asked.kind == "Pod" and not fields and _AMOUNTS.search(error.message):
        fields = ["spec.containers[].resources"]
    return Problem(reason, f"{who} {what}: {error.message}; {_remedy(asked, fields)}")


def waits(found: Problem) -> bool:
    """Return whether a refusal can end without a change by the user, when others free resources."""
    return found.reason in _WAITS


def _lacks_rights(error: Refused) -> bool:
    if error.status != 403 or error.causes:
        return False
    # The API has no structured form for it: authorizer and admission both answer Forbidden.
    return f"cannot {_right(error.asked)} resource" in error.message or "not currently held" in error.message


def _right(asked: Asked) -> str:
    return {"apply": "patch", "finalize": "patch"}.get(asked.verb.partition(" ")[0], asked.verb)


def _verb(asked: Asked) -> str:
    match asked.verb:
        case "apply status":
            return "write the status of"
        case "finalize":
            return "set the finalizers of"
        case "get" | "list":
            return "read"
        case "watch":
            return "continue the watch of"
        case verb:
            return verb


def _thing(asked: Asked) -> str:
    kind = {"Pod": "pod", "": "resource"}.get(asked.kind, asked.kind)
    return f"the {kind} {asked.name}" if asked.name else f"a {kind}"


def _smaller(asked: Asked) -> str:
    """Return what makes a thing smaller that a quota counts."""
    match asked.kind:
        case "Pod" if names.is_store_pod(asked.name):
            return f", lower {_STORE_PODS}"
        case "Pod":
            return ", lower the resources in spec.podTemplate"
        case "PersistentVolumeClaim":
            return ", re-create the session with a smaller spec.auth.localAuth.size"
        case _:
            return ""


def _remedy(asked: Asked, fields: list[str]) -> str:
    if asked.verb not in ("create", "apply", "finalize"):
        return _NOBODYS
    remedies = _REMEDIES.get(asked.kind, ())
    if asked.kind == "Pod":
        remedies = _OF_STORE_PODS if names.is_store_pod(asked.name) else _OF_WORKERS
    # The patch of finalizers contains no other field and may be rejected as a whole.
    given = fields or (["metadata.finalizers"] if asked.verb == "finalize" else [""])
    found = [text for field in given for begins, text in remedies if field.startswith(begins)][:1]
    return found[0] if found else _NOBODYS
