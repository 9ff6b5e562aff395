"""Each field of a podTemplate that the restricted standard forbids, as a user would write it; admission and operator
are held against the same table.
"""

from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Forbidden:
    """One wrong template: ``field`` is named in the refusal, ``allowed_by`` the chart's value that allows it."""

    id: str
    spec: Manifest
    field: str
    allowed_by: str | None = "privileged"
    metadata: Manifest | None = None

    @property
    def template(self) -> Manifest:
        """Return the podTemplate."""
        return {"spec": self.spec} | ({"metadata": self.metadata} if self.metadata else {})


def _sidecar(id: str, field: str, allowed_by: str | None = "privileged", **given: Any) -> Forbidden:
    spec = {"containers": [{"name": "bot", "image": "bot:1", **given}]}
    return Forbidden(id, spec, f"spec.podTemplate.spec.containers[bot].{field}", allowed_by)


def _context(id: str, field: str, allowed_by: str | None = "privileged", **given: Any) -> Forbidden:
    return _sidecar(id, f"securityContext.{field}", allowed_by, securityContext=given)


def _pod(id: str, field: str, allowed_by: str | None = "privileged", **given: Any) -> Forbidden:
    return Forbidden(id, given, f"spec.podTemplate.spec.{field}", allowed_by)


def _volume(kind: str, source: Manifest, allowed_by: str | None = "baseline") -> Forbidden:
    return _pod(f"volume {kind}", f"volumes[x].{kind}", allowed_by, volumes=[{"name": "x", kind: source}])


def _worker(id: str, field: str, allowed_by: str | None = "privileged", **given: Any) -> Forbidden:
    spec = {"containers": [{"name": "worker", "securityContext": given}]}
    return Forbidden(id, spec, f"spec.podTemplate.spec.containers[worker].securityContext.{field}", allowed_by)


def _init(id: str, field: str, allowed_by: str | None = "privileged", **given: Any) -> Forbidden:
    spec = {"initContainers": [{"name": "prepare", "image": "bot:1", **given}]}
    return Forbidden(id, spec, f"spec.podTemplate.spec.initContainers[prepare].{field}", allowed_by)


def _mounts(id: str, volume: str, kind: str = "containers", **volumes: Any) -> Forbidden:
    mount = {"name": volume, "mountPath": "/x"}
    spec = {kind: [{"name": "bot", "image": "bot:1", "volumeMounts": [mount]}], **volumes}
    return Forbidden(id, spec, f"spec.podTemplate.spec.{kind}[bot].volumeMounts[{volume}]")


def _token(kind: str, source: Manifest) -> Forbidden:
    field = f"volumes[x].projected.sources[].{kind}"
    return _pod(f"a {kind}", field, volumes=[{"name": "x", "projected": {"sources": [{kind: source}]}}])


_PRIVILEGED: Manifest = {"privileged": True}
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/worker"
_SCRAPED = {"httpGet": {"port": 80, "host": "169.254.169.254"}}

TABLE = (
    # what a container says of itself
    _context("a privileged sidecar", "privileged", **_PRIVILEGED),
    _init("a privileged init container", "securityContext.privileged", securityContext=_PRIVILEGED),
    _init(
        "a privileged native sidecar", "securityContext.privileged", securityContext=_PRIVILEGED, restartPolicy="Always"
    ),
    _worker("a privileged worker", "privileged", **_PRIVILEGED),
    _worker("a worker that is root", "runAsUser", "baseline", runAsUser=0),
    _worker("a worker that may be root", "runAsNonRoot", "baseline", runAsNonRoot=False),
    _worker("escalation in the worker", "allowPrivilegeEscalation", "baseline", allowPrivilegeEscalation=True),
    _context("a sidecar that is root", "runAsUser", "baseline", runAsUser=0),
    _context("a sidecar that may be root", "runAsNonRoot", "baseline", runAsNonRoot=False),
    _context("escalation in a sidecar", "allowPrivilegeEscalation", "baseline", allowPrivilegeEscalation=True),
    _context("a dangerous capability", "capabilities.add", capabilities={"add": ["NET_ADMIN"]}),
    _context("a common capability", "capabilities.add", "baseline", capabilities={"add": ["CHOWN"]}),
    _context("capabilities that stay", "capabilities.drop", "baseline", capabilities={"drop": ["NET_RAW"]}),
    _context("seccomp off", "seccompProfile.type", seccompProfile={"type": "Unconfined"}),
    _context("AppArmor off", "appArmorProfile.type", appArmorProfile={"type": "Unconfined"}),
    _context("an SELinux type", "seLinuxOptions.type", seLinuxOptions={"type": "spc_t"}),
    _context("an SELinux user", "seLinuxOptions.user", seLinuxOptions={"user": "system_u"}),
    _context("an SELinux role", "seLinuxOptions.role", seLinuxOptions={"role": "system_r"}),
    _context("an unmasked /proc", "procMount", procMount="Unmasked"),
    _context("a process of a Windows host", "windowsOptions.hostProcess", windowsOptions={"hostProcess": True}),
    _sidecar("a port of the node", "ports[].hostPort", ports=[{"containerPort": 80, "hostPort": 80}]),
    _sidecar("a probe of another host", "readinessProbe.httpGet.host", readinessProbe=_SCRAPED),
    _sidecar(
        "a probe by TCP of another host",
        "livenessProbe.tcpSocket.host",
        livenessProbe={"tcpSocket": {"port": 80, "host": "10.0.0.1"}},
    ),
    _sidecar("a hook to another host", "lifecycle.postStart.httpGet.host", lifecycle={"postStart": _SCRAPED}),
    _sidecar(
        "a probe with a long grace",
        "livenessProbe.terminationGracePeriodSeconds",
        livenessProbe={"exec": {"command": ["true"]}, "terminationGracePeriodSeconds": 100_000},
    ),
    # what the pod says
    _pod("a root pod", "securityContext.runAsUser", "baseline", securityContext={"runAsUser": 0}),
    _pod("a pod that may be root", "securityContext.runAsNonRoot", "baseline", securityContext={"runAsNonRoot": False}),
    _pod(
        "seccomp off for the pod",
        "securityContext.seccompProfile.type",
        securityContext={"seccompProfile": {"type": "Unconfined"}},
    ),
    _pod(
        "AppArmor off for the pod",
        "securityContext.appArmorProfile.type",
        securityContext={"appArmorProfile": {"type": "Unconfined"}},
    ),
    _pod(
        "SELinux of the pod", "securityContext.seLinuxOptions.type", securityContext={"seLinuxOptions": {"type": "x"}}
    ),
    _pod(
        "a Windows host's process for the pod",
        "securityContext.windowsOptions.hostProcess",
        securityContext={"windowsOptions": {"hostProcess": True}},
    ),
    _pod(
        "a kernel parameter",
        "securityContext.sysctls",
        securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]},
    ),
    _pod("another system", "os.name", os={"name": "windows"}),
    _pod("a node by name", "nodeName", nodeName="node-1"),
    _pod("a system priority", "priorityClassName", priorityClassName="system-node-critical"),
    _pod("the other system priority", "priorityClassName", priorityClassName="system-cluster-critical"),
    _pod("shared processes", "shareProcessNamespace", shareProcessNamespace=True),
    _pod("a grace without bound", "terminationGracePeriodSeconds", terminationGracePeriodSeconds=9_999_999),
    Forbidden(
        "AppArmor off by annotation",
        {},
        f"spec.podTemplate.metadata.annotations[{_APPARMOR}]",
        metadata={"annotations": {_APPARMOR: "unconfined"}},
    ),
    # volumes
    _volume("nfs", {"server": "10.0.0.1", "path": "/"}),
    _volume("iscsi", {"targetPortal": "10.0.0.1", "iqn": "iqn.x", "lun": 0}),
    _volume("gcePersistentDisk", {"pdName": "disk"}),
    _volume("awsElasticBlockStore", {"volumeID": "vol"}),
    _volume("azureDisk", {"diskName": "d", "diskURI": "/d"}),
    _volume("azureFile", {"secretName": "s", "shareName": "s"}),
    _volume("cephfs", {"monitors": ["10.0.0.1"]}),
    _volume("cinder", {"volumeID": "vol"}),
    _volume("fc", {"targetWWNs": ["x"], "lun": 0}),
    _volume("flexVolume", {"driver": "x/y"}),
    _volume("flocker", {"datasetName": "d"}),
    _volume("gitRepo", {"repository": "https://git.example.com/x"}),
    _volume("glusterfs", {"endpoints": "e", "path": "p"}),
    _volume("photonPersistentDisk", {"pdID": "d"}),
    _volume("portworxVolume", {"volumeID": "v"}),
    _volume("quobyte", {"registry": "r", "volume": "v"}),
    _volume("rbd", {"monitors": ["10.0.0.1"], "image": "i"}),
    _volume("scaleIO", {"gateway": "g", "system": "s", "secretRef": {"name": "s"}}),
    _volume("storageos", {"volumeName": "v"}),
    _volume("vsphereVolume", {"volumePath": "p"}),
    _token("serviceAccountToken", {"path": "token"}),
    _token("podCertificate", {"signerName": "example.com/x", "keyType": "ED25519", "credentialBundlePath": "c"}),
    # what is the worker's alone
    _mounts("a sidecar with the token", "kube-api-access"),
    _mounts("a sidecar with the store", "store"),
    _mounts("a sidecar with the store's login", "store-credentials"),
    _mounts("a sidecar with the store's key", "encryption"),
    _mounts("a sidecar with the profile", "data"),
    _mounts("a sidecar with the worker's files", "tmp"),
    _mounts("an init container with the token", "kube-api-access", "initContainers"),
    _mounts("an init container with the store", "store", "initContainers"),
)

NEVER = (
    _volume("hostPath", {"path": "/"}, None),
    _pod("the host's network", "hostNetwork", None, hostNetwork=True),
    _pod("the host's processes", "hostPID", None, hostPID=True),
    _pod("the host's memory", "hostIPC", None, hostIPC=True),
)
"""What the definition itself refuses, whatever the chart's value."""

ALLOWED: dict[str, Manifest] = {
    "a sidecar that says nothing": {"containers": [{"name": "bot", "image": "bot:1"}]},
    "a native sidecar": {"initContainers": [{"name": "bot", "image": "bot:1", "restartPolicy": "Always"}]},
    "a sidecar that keeps the standard": {
        "containers": [
            {
                "name": "bot",
                "image": "bot:1",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "runAsNonRoot": True,
                    "runAsUser": 1000660000,
                    "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
                    "seccompProfile": {"type": "Localhost", "localhostProfile": "bot.json"},
                    "seLinuxOptions": {"level": "s0:c26,c15", "type": "container_t"},
                },
                "ports": [{"containerPort": 80}],
                "readinessProbe": {"httpGet": {"port": 80, "path": "/"}},
                "volumeMounts": [{"name": "mine", "mountPath": "/mine"}],
            }
        ],
        "volumes": [{"name": "mine", "emptyDir": {}}],
    },
    "users of the namespace, as OpenShift has them": {
        "securityContext": {"runAsUser": 1000660000, "runAsGroup": 0, "fsGroup": 1000660000}
    },
    "nothing where something was": {
        "securityContext": {"seccompProfile": None, "runAsUser": None, "runAsNonRoot": None},
        "containers": [{"name": "worker", "securityContext": None}, {"name": "bot", "image": "b", "ports": None}],
    },
    "resources and scheduling": {
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "bots", "operator": "Exists"}],
        "priorityClassName": "bots",
        "terminationGracePeriodSeconds": 3600,
        "containers": [{"name": "worker", "resources": {"limits": {"memory": "3Gi"}}}],
    },
    "a safe kernel parameter": {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}},
    "every volume of the standard": {
        "volumes": [
            {"name": "a", "configMap": {"name": "a"}},
            {"name": "b", "secret": {"secretName": "b"}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "c"}},
            {"name": "d", "projected": {"sources": [{"configMap": {"name": "d"}}]}},
            {"name": "e", "downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            {"name": "f", "csi": {"driver": "secrets.example.com"}},
            {"name": "g"},
        ]
    },
}
"""What a cautious user may write, by name."""
