"""Several sessions of one fake cluster, and the kubelet and workers that tests play."""

from dataclasses import dataclass, field

from scenes.operator import samples
from scenes.operator.cluster import Cluster, Manifest, run
from whatsapp_kube.requests import Ref
from whatsapp_operator.observed.state import Key
from whatsapp_session import names


@dataclass
class Fleet:
    """Several sessions of one fake cluster."""

    cluster: Cluster = field(default_factory=Cluster)

    def make(self, count: int) -> list[Key]:
        """Make sessions."""
        keys = [Key(samples.NAMESPACE, f"s{number}") for number in range(count)]
        for key in keys:
            manifest = samples.session_resource()
            del manifest["status"]
            manifest["metadata"]["name"] = key.name
            self.cluster.kube.put(manifest)
        return keys

    def look(self, keys: list[Key]) -> None:
        """Reconcile each once."""
        for key in keys:
            run(self.cluster.operator.reconcile(key))

    def pods(self) -> list[Manifest]:
        """Return the pods that are not going."""
        found = [item for ref, item in self.cluster.kube.objects.items() if ref.kind == "Pod"]
        return [item for item in found if "deletionTimestamp" not in item["metadata"]]

    def connect(self, keys: list[Key]) -> None:
        """Play kubelet and worker until each of these sessions that has a pod is connected."""
        for key in keys:
            ref = Ref("Pod", key.namespace, names.pod(key.name))
            if ref not in self.cluster.kube.objects:
                continue
            pod = self.cluster.kube.objects[ref]
            pod["spec"]["nodeName"] = "node-1"
            pod["status"] = samples.running()
            said = {"podUID": pod["metadata"]["uid"], "state": "Connected", "stateSince": "2026-01-01T12:00:05Z"}
            session = self.cluster.kube.objects[Ref(names.SESSION_KIND, key.namespace, key.name)]
            session.setdefault("status", {})["session"] = said
