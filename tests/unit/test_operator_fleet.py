"""Several sessions at once: how many start, how an upgrade replaces them, and what reaches one that waits."""

import dataclasses
from dataclasses import dataclass, field

from unit import operator_samples as samples
from unit.operator_cluster import Cluster, Manifest, run
from whatsapp_operator.kube import Ref
from whatsapp_operator.reconcile import Key
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


def test_only_so_many_pods_start_at_once_and_the_rest_follow() -> None:
    fleet = Fleet()
    keys = fleet.make(15)
    fleet.look(keys)
    assert len(fleet.pods()) == 10
    fleet.connect(keys)
    fleet.look(keys)
    fleet.look(keys)
    assert len(fleet.pods()) == 15


def test_an_upgrade_replaces_a_tenth_at_a_time_and_halts_when_they_do_not_come_back() -> None:
    fleet = Fleet()
    keys = fleet.make(20)
    for _ in range(4):
        fleet.look(keys)
        fleet.connect(keys)
    fleet.look(keys)
    fleet.cluster.defaults = dataclasses.replace(samples.DEFAULTS, image="worker:2")
    fleet.cluster.restarted()
    fleet.look(keys)
    assert len(fleet.pods()) == 18
    for _ in range(3):
        fleet.look(keys)
    assert len(fleet.pods()) == 18
    fleet.cluster.kube.objects = {
        ref: item for ref, item in fleet.cluster.kube.objects.items() if "deletionTimestamp" not in item["metadata"]
    }
    fleet.look(keys)
    fleet.connect(keys)
    fleet.look(keys)
    fleet.look(keys)
    images = [pod["spec"]["containers"][0]["image"] for pod in fleet.pods()]
    assert (images.count("worker:1"), images.count("worker:2")) == (16, 2)


def pair_to_upgrade() -> tuple[Fleet, Key, Key]:
    """Return two connected sessions whose next operator brings another image."""
    fleet = Fleet()
    first, second = fleet.make(2)
    for _ in range(3):
        fleet.look([first, second])
        fleet.connect([first, second])
    fleet.cluster.defaults = dataclasses.replace(samples.DEFAULTS, image="worker:2")
    return fleet, first, second


def test_two_sessions_that_ask_the_server_at_the_same_time_do_not_both_take_the_last_place() -> None:
    fleet, first, second = pair_to_upgrade()
    operator, kube = fleet.cluster.restarted(), fleet.cluster.kube
    interrupted: list[int] = []

    def meanwhile(number: int) -> None:
        # The dry run has no name of its own yet.
        if kube.calls[number] == "create Pod/" and not interrupted:
            interrupted.append(number)
            run(operator.reconcile(second))

    kube.before_call = meanwhile
    run(operator.reconcile(first))
    assert interrupted
    assert len(fleet.pods()) == 1


def test_a_wish_reaches_a_worker_that_waits_for_its_turn_to_be_replaced() -> None:
    fleet, first, second = pair_to_upgrade()
    fleet.cluster.restarted()
    wish, time = names.wish_annotation("save"), "2026-01-01T12:30:00Z"
    session = Ref(names.SESSION_KIND, second.namespace, second.name)
    fleet.cluster.change(session, lambda item: item["metadata"].update(annotations={wish: time}))
    fleet.look([first, second])
    assert len(fleet.pods()) == 1, "one at a time"
    lease = fleet.cluster.kube.objects[Ref("Lease", second.namespace, names.lease(second.name))]
    assert lease["metadata"]["annotations"][wish] == time
