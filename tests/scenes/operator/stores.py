"""A fake cluster with one store, and the operator that looks after it."""

from datetime import UTC, datetime

from fakes.kube import FakeKube
from scenes.operator import samples
from scenes.operator.cluster import FakeClock, run
from whatsapp_kube.requests import Ref
from whatsapp_operator.observed.state import Key
from whatsapp_operator.store.reconciler import StoreReconciler
from whatsapp_session import names

KEY = Key(samples.NAMESPACE, "default")


STORE = Ref(names.STORE_KIND, samples.NAMESPACE, "default")


CHECK_POD = Ref("Pod", samples.NAMESPACE, "wastore-default")


class Stores:
    """A fake cluster with one store, and the operator that looks after it."""

    def __init__(self) -> None:
        # The fake makes everything at midnight.
        self.kube, self.clock = FakeKube(), FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
        made = samples.store_resource()
        del made["status"]
        self.kube.put(made)
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "archives", "namespace": samples.NAMESPACE},
            "spec": {"accessModes": ["ReadWriteOnce"]},
        }
        self.kube.put(claim)
        self.restart()

    def restart(self) -> None:
        """Start an operator that remembers nothing."""
        self.operator = StoreReconciler(self.kube, samples.DEFAULTS, self.clock)

    def look(self) -> float | None:
        """Reconcile once."""
        return run(self.operator.reconcile(KEY))

    def settle(self) -> None:
        """Reconcile until nothing is written any more, playing a kubelet whose checks pass."""
        for _ in range(10):
            before = self.kube.writes
            self.look()
            if CHECK_POD in self.kube.objects and "status" not in self.kube.objects[CHECK_POD]:
                self.kube.touch(CHECK_POD, lambda pod: pod.update(status=samples.terminated(0)))
            elif self.kube.writes == before:
                return
        raise AssertionError(f"the operator writes on and on: {self.kube.calls[-20:]}")

    @property
    def available(self) -> tuple[str, str]:
        """Return the condition's status and reason."""
        found = {item["type"]: item for item in self.kube.objects[STORE]["status"]["conditions"]}["StoreAvailable"]
        return found["status"], found["reason"]
