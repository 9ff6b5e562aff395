"""Secure all pods of the operator: restricted standard, read-only root file system, one unprivileged user.

The operator fills in fields that a podTemplate omits; a field that contradicts the standard is a violation.
Source: the Pod Security Standards of Kubernetes 1.34, and additional rules for sidecars of a worker.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from whatsapp_operator.manifests import pod_standard
from whatsapp_operator.manifests.pod_standard import CONTAINER_LISTS, Finding, items, mapping, words

Manifest = dict[str, Any]

UID = 10001
CHART_VALUE = "podTemplate.podSecurity"


class Level(StrEnum):
    """Levels of the chart value ``podTemplate.podSecurity``, from strict to loose."""

    RESTRICTED = "restricted"
    BASELINE = "baseline"
    PRIVILEGED = "privileged"


_ORDER = tuple(Level)


@dataclass(frozen=True, slots=True)
class Violation:
    """A violation of the standard; the message names the field and the chart value that allows it."""

    field: str
    message: str


def ids() -> Manifest:
    """Return the user and groups of a pod where no chart value says otherwise."""
    return {"runAsUser": UID, "runAsGroup": UID, "fsGroup": UID}


def pod(given: Mapping[str, Any]) -> Manifest:
    """Return a pod's security context; ``given`` is what the chart's value says of it."""
    policy = {"fsGroupChangePolicy": "OnRootMismatch"} if "fsGroup" in given else {}
    return {"runAsNonRoot": True, **policy, "seccompProfile": {"type": "RuntimeDefault"}, **given}


def container() -> Manifest:
    """Return the security context of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def violations(pod: Mapping[str, Any], level: Level = Level.RESTRICTED) -> tuple[Violation, ...]:
    """Return the violations of ``level`` by a pod, in the order of its fields; never raises."""
    return tuple(_violation(found) for found in pod_standard.findings(pod) if not _allows(level, found))


def _allows(level: Level, found: Finding) -> bool:
    return found.allowed_by is not None and _ORDER.index(level) >= _ORDER.index(Level(found.allowed_by))


def _violation(found: Finding) -> Violation:
    field = f"spec.podTemplate.{found.field}"
    who = "no chart value" if found.allowed_by is None else f"the chart value {CHART_VALUE}={found.allowed_by}"
    return Violation(field, f"{field} {found.wrong}; {who} allows it")


def filled(spec: Mapping[str, Any]) -> Manifest:
    """Return a PodSpec with omitted fields filled in as the restricted standard requires."""
    given = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    made: Manifest = {**spec, "securityContext": {**given, **_said(spec.get("securityContext"))}}
    for name in CONTAINER_LISTS:
        if isinstance(spec.get(name), list):
            made[name] = [_container(item) if isinstance(item, Mapping) else item for item in spec[name]]
    return made


def _container(item: Mapping[str, Any]) -> Manifest:
    context = _said(item.get("securityContext"))
    if context.get("privileged"):
        # The filled-in value would contradict it, and the API server rejects the combination.
        return {**item, "securityContext": context}
    capabilities = {"drop": ["ALL"], **_said(context.get("capabilities"))}
    escalation = {} if "SYS_ADMIN" in words(capabilities.get("add")) else {"allowPrivilegeEscalation": False}
    return {**item, "securityContext": {**escalation, **context, "capabilities": capabilities}}


def _said(context: Any) -> Manifest:
    """Return the fields that are not null."""
    return {name: value for name, value in mapping(context).items() if value is not None}


def permitted(parts: Mapping[str, Any], level: Level) -> Manifest:
    """Return the parts of a PodSpec that ``level`` allows: the allowed volumes and contexts, and only their mounts."""
    volumes = [item for item in items(parts.get("volumes")) if _is_permitted({"volumes": [item]}, level)]
    lost = {str(item.get("name")) for item in items(parts.get("volumes")) if item not in volumes}
    containers = [_without(_allowed(item, level), lost) for item in items(parts.get("containers"))]
    kept = {
        name: value
        for name, value in parts.items()
        if name not in ("volumes", *CONTAINER_LISTS) and _is_permitted({name: value}, level)
    }
    return kept | ({"volumes": volumes} if volumes else {}) | ({"containers": containers} if containers else {})


def _allowed(item: Mapping[str, Any], level: Level) -> Manifest:
    """Return a container without the fields of its security context that ``level`` forbids."""
    if "securityContext" not in item:
        return dict(item)
    named = {"name": item.get("name")}
    context = {
        name: value
        for name, value in mapping(item["securityContext"]).items()
        if _is_permitted({"containers": [{**named, "securityContext": {name: value}}]}, level)
    }
    return {**item, "securityContext": context}


def _is_permitted(spec: Mapping[str, Any], level: Level) -> bool:
    return not violations({"spec": filled(spec)}, level)


def _without(item: Mapping[str, Any], volumes: set[str]) -> Manifest:
    """Return a container without mounts of these volumes."""
    mounts = [mount for mount in items(item.get("volumeMounts")) if str(mount.get("name")) not in volumes]
    return {**item, "volumeMounts": mounts} if "volumeMounts" in item else dict(item)
