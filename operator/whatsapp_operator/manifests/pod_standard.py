"""Check the fields of a pod: what violates the restricted standard, and which level allows it. Pure.

The input is what a user wrote, so nothing here raises; fields of a wrong type are left to the API server, which rejects
them. The admission policy of the chart has the same rules (``templates/pod-security-policy.yaml``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from whatsapp_operator.manifests.store_access import SECRETS_DIR
from whatsapp_session import names

Map = Mapping[str, Any]

CONTAINER_LISTS: Final = ("containers", "initContainers", "ephemeralContainers")
MAX_GRACE_SECONDS: Final = 3600
"""Seconds. A worker saves within two minutes; a pod that never stops blocks its session, its node and its PVC."""
TOKEN_VOLUME: Final = "kube-api-access"  # noqa: S105  a volume's name, no password
OWN_VOLUMES: Final = frozenset({"data", "store", "store-credentials", "encryption", "tmp", "shm", TOKEN_VOLUME})
"""Names of the worker's volumes, which a podTemplate must not use."""

_VOLUMES: Final = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_BASELINE_CAPABILITIES: Final = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
_PROFILES: Final = ("RuntimeDefault", "Localhost")
_SELINUX_TYPES: Final = ("container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_IDENTITIES: Final = ("serviceAccountToken", "podCertificate")

BASELINE, PRIVILEGED = "baseline", "privileged"


@dataclass(frozen=True, slots=True)
class Finding:
    """A field that violates the restricted standard; ``allowed_by`` is the strictest level that allows it, or None."""

    field: str
    wrong: str
    allowed_by: str | None = PRIVILEGED


def mapping(value: Any) -> Map:
    """Return the value if it is a map, else {}."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Map]:
    """Return the maps of a list, [] for any other value."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def words(value: Any) -> list[str]:
    """Return the value if it is a list, else []."""
    return [str(item) for item in value] if isinstance(value, list) else []


def findings(pod: Map) -> Iterator[Finding]:
    """Yield all violations of the restricted standard, with the level that allows each."""
    spec = mapping(pod.get("spec"))
    for key, value in mapping(mapping(pod.get("metadata")).get("annotations")).items():
        if key.startswith(_APPARMOR) and value != "runtime/default" and not str(value).startswith("localhost/"):
            yield Finding(f"metadata.annotations[{key}]", "must be runtime/default or localhost/<profile>")
    yield from _of_the_pod(spec)
    for volume in items(spec.get("volumes")):
        yield from _of_a_volume(f"spec.volumes[{volume.get('name')}]", volume)
    yield from _context("spec.securityContext", mapping(spec.get("securityContext")))
    theirs = _of_the_worker(spec)
    for kind in CONTAINER_LISTS:
        for item in items(spec.get(kind)):
            where = f"spec.{kind}[{item.get('name')}]"
            yield from _of_a_container(where, item, mapping(spec.get("securityContext")))
            if kind != "containers" or item.get("name") != names.WORKER_CONTAINER:
                yield from _of_mounts(where, item, theirs)


def _of_the_pod(spec: Map) -> Iterator[Finding]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield Finding(f"spec.{name}", "may not be true", None)
    if spec.get("shareProcessNamespace"):
        yield Finding("spec.shareProcessNamespace", "may not be true: sidecars would reach the worker's token")
    if spec.get("nodeName"):
        yield Finding("spec.nodeName", "may not be set: it bypasses the scheduler; use nodeSelector or affinity")
    if str(spec.get("priorityClassName") or "").startswith("system-"):
        yield Finding("spec.priorityClassName", "may not be a system priority class, which evicts other pods")
    yield from _grace("spec", spec)
    if mapping(spec.get("os")).get("name") not in (None, "linux"):
        yield Finding("spec.os.name", "must be linux")
    sysctls = items(mapping(spec.get("securityContext")).get("sysctls"))
    if any(str(item.get("name")) not in _SYSCTLS for item in sysctls):
        yield Finding("spec.securityContext.sysctls", "may only hold the safe sysctls of the Pod Security Standards")


def _grace(where: str, given: Map) -> Iterator[Finding]:
    seconds = given.get("terminationGracePeriodSeconds")
    if isinstance(seconds, int | float) and seconds > MAX_GRACE_SECONDS:
        yield Finding(f"{where}.terminationGracePeriodSeconds", f"may not be more than {MAX_GRACE_SECONDS} (one hour)")


def _of_a_volume(where: str, volume: Map) -> Iterator[Finding]:
    for kind, value in volume.items():
        if kind == "hostPath":
            yield Finding(f"{where}.hostPath", "may not be a hostPath volume; use a PersistentVolumeClaim", None)
        elif kind != "name" and kind not in _VOLUMES and value is not None:
            text = "is not a volume type of the restricted standard; use a PersistentVolumeClaim"
            yield Finding(f"{where}.{kind}", text, BASELINE)
    if volume.get("name") == TOKEN_VOLUME:
        return
    for source in items(mapping(volume.get("projected")).get("sources")):
        for kind in _IDENTITIES:
            if source.get(kind) is not None:
                yield Finding(f"{where}.projected.sources[].{kind}", "may not be set: it is the worker's identity")


def _context(where: str, context: Map) -> Iterator[Finding]:
    """Yield violations of the security context of a pod or a container; required fields are checked per container."""
    if context.get("privileged"):
        yield Finding(f"{where}.privileged", "may not be true")
    if context.get("runAsNonRoot") is False:
        yield Finding(f"{where}.runAsNonRoot", "must be true", BASELINE)
    if context.get("runAsUser") == 0:
        yield Finding(f"{where}.runAsUser", "may not be 0 (root)", BASELINE)
    if context.get("procMount") not in (None, "Default"):
        yield Finding(f"{where}.procMount", "must be Default")
    for name in ("seccompProfile", "appArmorProfile"):
        if context.get(name) is not None and mapping(context[name]).get("type") not in _PROFILES:
            yield Finding(f"{where}.{name}.type", "must be RuntimeDefault or Localhost")
    linux = mapping(context.get("seLinuxOptions"))
    if linux.get("type") and linux["type"] not in _SELINUX_TYPES:
        yield Finding(f"{where}.seLinuxOptions.type", f"must be one of {', '.join(_SELINUX_TYPES)}")
    for name in ("user", "role"):
        if linux.get(name):
            yield Finding(f"{where}.seLinuxOptions.{name}", "may not be set")
    if mapping(context.get("windowsOptions")).get("hostProcess"):
        yield Finding(f"{where}.windowsOptions.hostProcess", "may not be true")


def _of_a_container(where: str, item: Map, above: Map) -> Iterator[Finding]:
    """Yield the violations of a container; ``above`` is the security context of the pod."""
    context = mapping(item.get("securityContext"))
    yield from _context(f"{where}.securityContext", context)
    if context.get("allowPrivilegeEscalation") is not False:
        yield Finding(f"{where}.securityContext.allowPrivilegeEscalation", "must be false", BASELINE)
    if context.get("runAsNonRoot") is None and above.get("runAsNonRoot") is None:
        yield Finding(f"{where}.securityContext.runAsNonRoot", "must be true", BASELINE)
    if context.get("seccompProfile") is None and above.get("seccompProfile") is None:
        yield Finding(f"{where}.securityContext.seccompProfile", "must be RuntimeDefault or Localhost", BASELINE)
    capabilities = mapping(context.get("capabilities"))
    added = {name for name in words(capabilities.get("add")) if name != "NET_BIND_SERVICE"}
    if added:
        allowed_by = BASELINE if added <= _BASELINE_CAPABILITIES else PRIVILEGED
        yield Finding(f"{where}.securityContext.capabilities.add", "may only hold NET_BIND_SERVICE", allowed_by)
    if "ALL" not in words(capabilities.get("drop")):
        yield Finding(f"{where}.securityContext.capabilities.drop", "must hold ALL", BASELINE)
    if any(port.get("hostPort") for port in items(item.get("ports"))):
        yield Finding(f"{where}.ports[].hostPort", "may not be set: it opens a port on the node; use a Service")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        yield from _hosts(f"{where}.{probe}", mapping(item.get(probe)))
        yield from _grace(f"{where}.{probe}", mapping(item.get(probe)))
    for hook in ("postStart", "preStop"):
        yield from _hosts(f"{where}.lifecycle.{hook}", mapping(mapping(item.get("lifecycle")).get(hook)))


def _hosts(where: str, handler: Map) -> Iterator[Finding]:
    for kind in ("httpGet", "tcpSocket"):
        if mapping(handler.get(kind)).get("host"):
            yield Finding(f"{where}.{kind}.host", "may not be set: the kubelet would call another host than the pod")


def _of_mounts(where: str, item: Map, theirs: frozenset[str]) -> Iterator[Finding]:
    """Yield the mounts of the worker's volumes in another container."""
    for kind in ("volumeMounts", "volumeDevices"):
        for mount in items(item.get(kind)):
            if str(mount.get("name")) in theirs:
                text = "may not mount what only the worker may read: profile, store, token and their Secrets"
                yield Finding(f"{where}.{kind}[{mount.get('name')}]", text)


def _of_the_worker(spec: Map) -> frozenset[str]:
    """Return the names of the worker's volumes, and of other volumes that contain the same PVC."""
    volumes = {str(item.get("name")): item for item in items(spec.get("volumes"))}
    worker = next((item for item in items(spec.get("containers")) if item.get("name") == names.WORKER_CONTAINER), {})
    secret = {
        str(mount.get("name"))
        for mount in items(worker.get("volumeMounts"))
        if str(mount.get("mountPath")).startswith(f"{SECRETS_DIR}/")
    }
    own = OWN_VOLUMES | secret
    claims = {claim for name in own if (claim := _claim(volumes.get(name))) is not None}
    return own | {name for name, item in volumes.items() if _claim(item) in claims}


def _claim(volume: Map | None) -> str | None:
    name = mapping(mapping(volume).get("persistentVolumeClaim")).get("claimName")
    return name if isinstance(name, str) else None
