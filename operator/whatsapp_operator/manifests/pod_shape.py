"""What every pod of ours has, whatever it does: worker, store check, move and purge are composed here and nowhere else.

``base`` begins a PodSpec with what the chart's values say of all of them; ``one_volume_per_claim`` ends it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from whatsapp_operator.manifests import pod_security
from whatsapp_operator.manifests.pod_standard import CONTAINER_LISTS, items, mapping
from whatsapp_operator.manifests.store_access import SECRET_MODE

Manifest = dict[str, Any]

SCHEDULING: Final[Mapping[str, type]] = {
    "affinity": dict,
    "nodeSelector": dict,
    "priorityClassName": str,
    "runtimeClassName": str,
    "schedulerName": str,
    "tolerations": list,
    "topologySpreadConstraints": list,
}
"""Parts of a PodSpec that the chart's values may set, and their JSON types."""
STORE_POD_RESOURCES: Final[Mapping[str, Any]] = {
    "requests": {"cpu": "50m", "memory": "96Mi", "ephemeral-storage": "64Mi"},
    "limits": {"cpu": "500m", "memory": "512Mi", "ephemeral-storage": "1Gi"},
}
"""All of them, because a quota that counts one refuses who does not name it; limits at most ten times the requests,
as LimitRanges have it. A session's own are for a browser."""
_READABLE: Final = 0o444


@dataclass(frozen=True, slots=True)
class PodSettings:
    """What is the same for every pod that the operator makes; a session's podTemplate overrides its worker's."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    security_context: Mapping[str, Any] = field(default_factory=pod_security.ids)
    """User, group and the like of a PodSecurityContext; {} where the cluster assigns them, as OpenShift does."""
    scheduling: Mapping[str, Any] = field(default_factory=dict)
    """Parts of a PodSpec; see ``SCHEDULING``."""
    host_aliases: Sequence[Mapping[str, Any]] = ()
    image_pull_secrets: Sequence[str] = ()
    """By name: each namespace has its own of them."""
    store_resources: Mapping[str, Any] = field(default_factory=lambda: STORE_POD_RESOURCES)
    """Requests and limits of the pods that check, move and purge."""


def annotations(settings: PodSettings, *, keeps_login: bool = True) -> Manifest:
    """Return the annotations that every pod begins with; ``keeps_login`` says that an eviction costs no login."""
    return {
        # Argo CD would report a pod that restarts its container, or that ends, as degraded.
        "argocd.argoproj.io/ignore-healthcheck": "true",
        # Otherwise the autoscaler keeps each node with such a pod, because of its emptyDir volumes.
        **({"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"} if keeps_login else {}),
        **settings.annotations,
    }


def base(settings: PodSettings) -> Manifest:
    """Return the parts of a PodSpec that every pod begins with."""
    scheduling = dict(settings.scheduling)
    spec: Manifest = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security.pod(settings.security_context),
        **scheduling,
        "tolerations": tolerations(scheduling.get("tolerations", ())),
    }
    if settings.host_aliases:
        spec["hostAliases"] = [dict(alias) for alias in settings.host_aliases]
    if settings.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in settings.image_pull_secrets]
    return spec


def tolerations(given: Sequence[Any]) -> list[Manifest]:
    """Return these tolerations, and 30 s on a node that is lost where they do not name another time.

    The cluster's own default is 5 minutes.
    """
    lost = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}
    named = {mapping(item).get("key") for item in given}
    keys = (f"node.kubernetes.io/{what}" for what in ("not-ready", "unreachable"))
    return [*({"key": key, **lost} for key in keys if key not in named), *given]


def readable(spec: Mapping[str, Any], volumes: Collection[str]) -> Manifest:
    """Return a PodSpec in which any user reads the files of these volumes, if no fsGroup gives them a group.

    Their owner is root, and which user the cluster or the image chooses is not known. Only containers that mount a
    volume see its files, whatever their mode.
    """
    if mapping(spec.get("securityContext")).get("fsGroup") is not None:
        return dict(spec)
    return {**spec, "volumes": [_readable(item, volumes) for item in spec["volumes"]]}


def _readable(volume: Any, volumes: Collection[str]) -> Any:
    for kind in ("secret", "projected"):
        source = mapping(mapping(volume).get(kind))
        if _name(volume) in volumes and source.get("defaultMode") == SECRET_MODE:
            return {**volume, kind: {**source, "defaultMode": _READABLE}}
    return volume


def one_volume_per_claim(spec: Mapping[str, Any]) -> Manifest:
    """Return a PodSpec in which no two volumes name the same claim; mounts follow.

    A kubelet mounts a claim once a pod, and a pod with two volumes of it stays in ContainerCreating
    (kubernetes/kubernetes#132921).
    """
    volumes = items(spec.get("volumes"))
    kept: dict[str, str] = {}
    renamed: dict[str, str] = {}
    for volume in volumes:
        claim = _claim(volume)
        if claim is not None:
            renamed[str(volume.get("name"))] = kept.setdefault(claim, str(volume.get("name")))
    twice = {name for name, first in renamed.items() if name != first}
    if not twice:
        return dict(spec)
    read_only = {str(item["name"]) for item in volumes if mapping(item.get("persistentVolumeClaim")).get("readOnly")}
    writable = {first for name, first in renamed.items() if name not in read_only}
    made: Manifest = {**spec, "volumes": [_joined(v, writable) for v in spec["volumes"] if _name(v) not in twice]}
    for kind in CONTAINER_LISTS:
        if isinstance(spec.get(kind), list):
            made[kind] = [_mounting(item, renamed, read_only) for item in spec[kind]]
    return made


def _claim(volume: Mapping[str, Any]) -> str | None:
    name = mapping(volume.get("persistentVolumeClaim")).get("claimName")
    return name if isinstance(name, str) else None


def _name(item: Any) -> str:
    return str(mapping(item).get("name"))


def _joined(volume: Any, writable: set[str]) -> Any:
    """Return a volume that is writable where one that it stands for was; the others' mounts say read-only."""
    if _name(volume) not in writable or not mapping(mapping(volume).get("persistentVolumeClaim")).get("readOnly"):
        return volume
    claim = {name: value for name, value in volume["persistentVolumeClaim"].items() if name != "readOnly"}
    return {**volume, "persistentVolumeClaim": claim}


def _mounting(container: Any, renamed: Mapping[str, str], read_only: set[str]) -> Any:
    """Return a container that mounts the volumes that are left."""
    if not isinstance(container, Mapping) or not isinstance(container.get("volumeMounts"), list):
        return container
    mounts = [_mount(item, renamed, read_only) for item in container["volumeMounts"]]
    return {**container, "volumeMounts": mounts}


def _mount(item: Any, renamed: Mapping[str, str], read_only: set[str]) -> Any:
    name = _name(item)
    if name not in renamed:
        return item
    return {**item, "name": renamed[name], **({"readOnly": True} if name in read_only else {})}
