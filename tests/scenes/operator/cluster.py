"""A fake cluster with one session, the operator that serves it, and the kubelet and worker that tests play."""

import copy
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from fakes.kube import FakeKube
from scenes.operator import samples
from whatsapp_kube.requests import Ref
from whatsapp_operator import metrics
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_operator.object_cache import WATCHED, ObjectCache, RememberingKube, Watched
from whatsapp_operator.observed.state import Key
from whatsapp_operator.queue_schedule import Rest
from whatsapp_operator.session.progress import PROGRESS_SECONDS
from whatsapp_operator.session.reconciler import Reconciler
from whatsapp_session import names
from whatsapp_session.conditions import Reason

Manifest = dict[str, Any]
KEY = Key(samples.NAMESPACE, samples.NAME)
SESSION = Ref(names.SESSION_KIND, samples.NAMESPACE, samples.NAME)
POD = Ref("Pod", samples.NAMESPACE, names.pod(samples.NAME))
PURGE_POD = Ref("Pod", samples.NAMESPACE, names.purge_pod(samples.NAME))
MOVE_POD = Ref("Pod", samples.NAMESPACE, names.move_pod(samples.NAME))
LEASE = Ref("Lease", samples.NAMESPACE, names.lease(samples.NAME))


@dataclass
class FakeClock:
    """Time that moves when a test says so."""

    time: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)
    ahead: timedelta = timedelta()
    """How far the operator's wall clock is ahead of the cluster's."""

    def now(self) -> datetime:
        """Return the present time as the operator's machine has it."""
        return self.time + self.ahead

    def monotonic(self) -> float:
        """Return seconds."""
        return self.time.timestamp()


def policy() -> list[Manifest]:
    """Return the admission policy and its binding."""
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": names.POLICY_NAME}}
    binding = {"policyName": names.POLICY_NAME, "validationActions": ["Deny"]}
    return [
        {**copy.deepcopy(head), "kind": "ValidatingAdmissionPolicy", "spec": {"failurePolicy": "Fail"}},
        {**copy.deepcopy(head), "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    ]


def run(work: Coroutine[Any, Any, float | Rest | None]) -> float | None:
    """Run to the end; returns after how many seconds it is to run again, whether it rests until then or not."""
    try:
        work.send(None)
    except StopIteration as end:
        again: float | Rest | None = end.value
        return again.seconds if isinstance(again, Rest) else again
    finally:
        work.close()
    raise AssertionError("the fake waited")


@dataclass
class Cluster:
    """A fake cluster with one session, and the operator that serves it."""

    kube: FakeKube = field(default_factory=FakeKube)
    clock: FakeClock = field(default_factory=FakeClock)
    defaults: WorkerDefaults = samples.DEFAULTS
    numbers: metrics.Metrics = field(default_factory=metrics.Metrics)
    cache: ObjectCache = field(default_factory=ObjectCache)
    """What the watches have delivered: everything, at each reconciliation."""
    faults_expected: ClassVar[bool] = False
    """Whether a test breaks the operator on purpose: elsewhere its fallback must not hide a fault."""

    def __post_init__(self) -> None:
        for manifest in policy():
            self.kube.put(manifest)
        self.kube.put(samples.store_resource())
        self.operator = self.restarted()

    def restarted(self) -> Reconciler:
        """Return an operator that remembers nothing, as it is after its start."""
        self.cache = ObjectCache()
        remembering = RememberingKube(self.kube, self.cache)
        watched = Watched(remembering, self.cache)
        self.operator = Reconciler(remembering, self.defaults, self.clock, numbers=self.numbers, watched=watched)
        run(self.operator.list_access(()))
        return self.operator

    def deliver(self) -> None:
        """Play the watches: the cache holds what the API server has."""
        now = {ref: item for ref, item in self.kube.objects.items() if ref.kind in WATCHED}
        for kind in WATCHED:
            for ref, (uid, _) in self.cache.versions(kind, "").items():
                if ref not in now or now[ref]["metadata"]["uid"] != uid:
                    self.cache.remove(ref, uid)
        for item in now.values():
            self.cache.put(item)
        self.cache.complete = True

    def twin(self) -> "Cluster":
        """Return a copy that goes its own way, with what its operator remembers; the metrics stay shared."""
        return copy.deepcopy(self, {id(self.numbers): self.numbers})

    def make_session(self, spec: Manifest | None = None) -> None:
        """Make the session."""
        manifest = samples.session_resource(spec)
        del manifest["status"]
        self.kube.put(manifest)

    def look(self) -> float | None:
        """Reconcile once. The fake never waits, so that no event loop is needed."""
        self.deliver()
        again = run(self.operator.reconcile(KEY))
        found = self.kube.objects.get(SESSION, {}).get("status") or {}
        told = [item["message"] for item in found.get("conditions") or () if item["reason"] == Reason.OPERATOR_FAULT]
        assert self.faults_expected or not told, told
        return again

    def settle(self) -> None:
        """Reconcile until nothing is written any more, nor is to be written in a moment."""
        for _ in range(10):
            before = self.kube.writes
            again = self.look()
            if self.kube.writes != before:
                continue
            if again is None or again > PROGRESS_SECONDS or POD not in self.kube.objects:
                return
            self.clock.time += timedelta(seconds=again)
            before = self.kube.writes
            self.look()
            if self.kube.writes == before:
                return
        raise AssertionError(f"the operator writes on and on: {self.kube.calls[-20:]}")

    @property
    def status(self) -> Manifest:
        """Return the session's status."""
        return dict(self.kube.objects[SESSION].get("status") or {})

    def change(self, ref: Ref, change: Callable[[Manifest], None]) -> None:
        """Change an object as somebody else."""
        self.kube.touch(ref, change)

    def pod_runs(self) -> None:
        """Play the kubelet: the pod is scheduled and runs."""

        def start(pod: Manifest) -> None:
            pod["spec"]["nodeName"] = "node-1"
            pod["status"] = samples.running()

        self.change(POD, start)

    def worker_says(self, state: str, **more: Any) -> None:
        """Play the worker, as its field manager."""
        uid = self.kube.objects[POD]["metadata"]["uid"]
        said = {"podUID": uid, "state": state, "stateSince": "2026-01-01T12:00:05Z", **more}
        head = {"apiVersion": names.API_VERSION, "kind": names.SESSION_KIND}
        place = {"name": samples.NAME, "namespace": samples.NAMESPACE}
        body = {**head, "metadata": place, "status": {"session": said}}
        self.kube._apply(body, names.WORKER_MANAGER, "status")

    def pod_gone(self) -> None:
        """Play the kubelet: the pod that was stopping is gone."""
        if "deletionTimestamp" in self.kube.objects[POD]["metadata"]:
            del self.kube.objects[POD]

    def move_to(self, store: str) -> None:
        """Make another store, in a bucket, and let the session name it."""
        manifest = samples.store_resource(s3={"bucket": store, "credentialsSecretRef": {"name": "login"}})
        manifest["metadata"] |= {"name": store, "uid": f"{store}-uid"}
        self.kube.put(manifest)
        self.change(SESSION, set_spec(**on_store(store)))

    def collect_garbage(self) -> None:
        """Play the garbage collector: what belongs to a session that is no more goes, if it is on no node."""
        uid = self.kube.objects.get(SESSION, {"metadata": {"uid": None}})["metadata"]["uid"]
        for ref, item in list(self.kube.objects.items()):
            owners = item["metadata"].get("ownerReferences") or ()
            if owners and not [owner for owner in owners if owner["kind"] != names.SESSION_KIND or owner["uid"] == uid]:
                self.kube._delete(ref, item["metadata"]["uid"], None)

    def delete_session(self) -> None:
        """Delete the session as a user does."""
        self.kube._delete(SESSION, self.kube.objects[SESSION]["metadata"]["uid"], None)

    def ends(self, ref: Ref, status: Manifest | None = None) -> None:
        """Play the kubelet: a pod that does one thing has run, by default well."""

        def end(pod: Manifest) -> None:
            pod["spec"]["nodeName"] = "node-1"
            pod["status"] = status or samples.terminated(0)

        self.change(ref, end)

    def gone(self, ref: Ref) -> None:
        """Play the kubelet: such a pod is gone, if it is being deleted."""
        if "deletionTimestamp" in self.kube.objects.get(ref, {"metadata": {}})["metadata"]:
            del self.kube.objects[ref]

    def purge_ends(self, status: Manifest | None = None) -> None:
        """Play the kubelet: the pod that purges has run, by default well."""
        self.ends(PURGE_POD, status)

    def purge_pod_gone(self) -> None:
        """Play the kubelet: the pod that purged is gone, if it is being deleted."""
        self.gone(PURGE_POD)


def on_store(store: str) -> Manifest:
    """Return the part of a session's spec that names its store."""
    return {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"storeRef": {"name": store}}}}


SEEN: dict[str, Any] = {"account": {"hash": "aa"}, "saved": {"generation": 1}}


def set_spec(**spec: Any) -> Callable[[Manifest], None]:
    """Return a change of a session's spec."""

    def change(session: Manifest) -> None:
        session["spec"] |= spec
        session["metadata"]["generation"] += 1

    return change


def connected(spec: Manifest | None = None) -> Cluster:
    """Return a cluster whose session is connected and saved."""
    cluster = Cluster()
    cluster.make_session(spec)
    cluster.settle()
    cluster.pod_runs()
    cluster.worker_says("Connected", **SEEN)
    cluster.settle()
    return cluster
