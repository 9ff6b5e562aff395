"""Each worker has rights on its own session only, and a missing policy takes none of them away."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from fakes.kube import FakeKube
from scenes.operator import samples
from scenes.operator.cluster import KEY, POD, SESSION, Cluster, connected, run, set_spec
from whatsapp_kube.requests import Ref
from whatsapp_operator.observed.state import Key
from whatsapp_operator.session import applier, rights
from whatsapp_operator.session.reconciler import Reconciler
from whatsapp_session import names

Manifest = dict[str, Any]
POLICY, BINDING = (
    Ref(f"ValidatingAdmissionPolicy{kind}", "", names.POLICY_NAME) for kind in ("", "Binding")
)  # fmt: skip
OWN = {kind: Ref(kind, samples.NAMESPACE, "wasession-support") for kind in ("ServiceAccount", "Role", "RoleBinding")}
OLD = Ref("RoleBinding", samples.NAMESPACE, "wa-worker-default")
OF_EARLIER_VERSIONS = [{"name": "from-a-worker", "expression": "username.matches(':wa-worker(-[-a-z0-9]+)?$')"}]

weakened = pytest.mark.parametrize(
    "weaken",
    [
        lambda kube: kube.objects.pop(POLICY),
        lambda kube: kube.objects.pop(BINDING),
        lambda kube: kube.objects[POLICY]["spec"].update(failurePolicy="Ignore"),
        lambda kube: kube.objects[POLICY]["spec"].update(matchConditions=OF_EARLIER_VERSIONS),
        lambda kube: kube.objects[BINDING]["spec"].update(validationActions=["Audit"]),
    ],
    ids=["no policy", "no binding", "fails open", "of an earlier version", "audits only"],
)


def subjects(cluster: Cluster, ref: Ref = OWN["RoleBinding"]) -> list[str]:
    """Return to whom a binding grants."""
    return [subject["name"] for subject in cluster.kube.objects[ref]["subjects"]]


def found(cluster: Cluster) -> dict[str, tuple[str, str]]:
    """Return status and reason of each condition."""
    return {item["type"]: (item["status"], item["reason"]) for item in cluster.status["conditions"]}


@weakened
def test_no_worker_starts_without_a_policy_that_denies(weaken: Callable[[FakeKube], Any]) -> None:
    cluster = Cluster()
    weaken(cluster.kube)
    cluster.make_session()
    cluster.settle()
    assert not {"RoleBinding", "Role", "ServiceAccount", "Pod"} & {ref.kind for ref in cluster.kube.objects}
    assert found(cluster)["Stalled"] == ("True", "PolicyMissing")
    assert found(cluster)["PolicyMissing"] == ("True", "PolicyMissing")


@weakened
def test_where_the_policy_is_unchecked_workers_start_and_the_condition_says_so(
    weaken: Callable[[FakeKube], Any],
) -> None:
    cluster = Cluster()
    weaken(cluster.kube)
    cluster.operator = Reconciler(
        cluster.kube, cluster.defaults, cluster.clock, numbers=cluster.numbers, policy_required=False
    )
    cluster.make_session()
    cluster.settle()
    assert POD in cluster.kube.objects
    assert subjects(cluster) == ["wasession-support"]
    assert found(cluster)["PolicyMissing"] == ("True", "PolicyMissing")
    assert b"whatsapp_operator_admission_policy_missing 1.0" in cluster.numbers.text()


def test_a_policy_that_goes_takes_no_rights_and_a_condition_says_so() -> None:
    cluster = connected()
    assert b"whatsapp_operator_admission_policy_missing 0.0" in cluster.numbers.text()
    taken = cluster.kube.objects.pop(BINDING)
    assert run_keys(cluster) == [KEY]
    cluster.settle()
    assert subjects(cluster) == ["wasession-support"]
    assert "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"], "the running worker is not affected"
    assert found(cluster)["Ready"][0] == "True"
    assert found(cluster)["PolicyMissing"] == ("True", "PolicyMissing")
    assert b"whatsapp_operator_admission_policy_missing 1.0" in cluster.numbers.text()
    assert run_keys(cluster) == []
    cluster.kube.objects[BINDING] = taken
    assert run_keys(cluster) == [KEY]
    cluster.settle()
    assert "PolicyMissing" not in found(cluster)


def test_no_worker_is_replaced_while_the_policy_is_missing() -> None:
    cluster = connected()
    del cluster.kube.objects[BINDING]
    run_keys(cluster)
    cluster.change(SESSION, set_spec(podTemplate={"spec": {"priority": 1}}))
    cluster.settle()
    assert "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"], "the next one would not be started"


@pytest.mark.parametrize("namespace", names.UNCOVERED_NAMESPACES)
def test_no_worker_starts_where_the_policy_does_not_apply(namespace: str) -> None:
    cluster = Cluster()
    resource, store = samples.session_resource(), samples.store_resource()
    resource["metadata"]["namespace"] = store["metadata"]["namespace"] = namespace
    cluster.kube.put(store)
    cluster.kube.put(resource)
    run(cluster.operator.reconcile(Key(namespace, samples.NAME)))
    assert not [ref for ref in cluster.kube.objects if ref.kind == "Pod"]


PREDECESSOR = {"apiVersion": names.API_VERSION, "kind": names.SESSION_KIND, "name": samples.NAME, "uid": "predecessor"}


def leave(cluster: Cluster, kind: str, **metadata: Any) -> None:
    """Leave an object of a deleted session, as an operator finds it at its start."""
    head = {"name": OWN[kind].name, "namespace": samples.NAMESPACE, "labels": applier.LABELS}
    cluster.kube.put({"apiVersion": "v1", "kind": kind, "metadata": head | metadata})
    cluster.restarted()


@pytest.mark.parametrize("kind", OWN)
def test_what_a_predecessor_has_left_is_not_taken_over_while_it_goes(kind: str) -> None:
    cluster, owner = Cluster(), PREDECESSOR
    leave(cluster, kind, ownerReferences=[owner])
    cluster.make_session()
    assert cluster.look() == 1
    assert POD not in cluster.kube.objects
    assert cluster.kube.objects[OWN[kind]]["metadata"]["ownerReferences"] == [owner]
    assert (cluster.status["phase"], found(cluster)["Reconciling"]) == ("Pending", ("True", "Replacing"))
    cluster.collect_garbage()
    assert OWN[kind] not in cluster.kube.objects
    cluster.settle()
    assert POD in cluster.kube.objects


def test_what_nobody_removes_becomes_the_sessions_own_before_its_worker_starts() -> None:
    cluster = Cluster()
    leave(cluster, "ServiceAccount", ownerReferences=[PREDECESSOR])
    cluster.make_session()
    cluster.look()
    assert POD not in cluster.kube.objects
    cluster.clock.time += timedelta(seconds=rights.ADOPT_SECONDS)
    cluster.settle()
    (owner,) = cluster.kube.objects[OWN["ServiceAccount"]]["metadata"]["ownerReferences"]
    assert owner["uid"] == cluster.kube.objects[SESSION]["metadata"]["uid"]
    assert POD in cluster.kube.objects


def test_what_goes_already_is_waited_for_as_long_as_it_takes() -> None:
    cluster = Cluster()
    leave(cluster, "ServiceAccount", deletionTimestamp=samples.NOON)
    cluster.make_session()
    cluster.look()
    cluster.clock.time += timedelta(hours=1)
    cluster.settle()
    assert POD not in cluster.kube.objects


def test_a_session_that_is_made_again_at_once_waits_for_what_the_first_has_left() -> None:
    cluster = connected()
    for ref in (SESSION, POD):
        del cluster.kube.objects[ref]
    cluster.settle()
    cluster.make_session()
    assert cluster.look() == 1
    assert POD not in cluster.kube.objects
    cluster.collect_garbage()
    cluster.settle()
    assert POD in cluster.kube.objects
    (owner,) = cluster.kube.objects[OWN["Role"]]["metadata"]["ownerReferences"]
    assert owner["uid"] == cluster.kube.objects[SESSION]["metadata"]["uid"]


@pytest.mark.parametrize("kind", OWN)
def test_what_belongs_to_nobody_is_the_sessions(kind: str) -> None:
    cluster = Cluster()
    leave(cluster, kind)
    cluster.make_session()
    cluster.settle()
    (owner,) = cluster.kube.objects[OWN[kind]]["metadata"]["ownerReferences"]
    assert owner["uid"] == cluster.kube.objects[SESSION]["metadata"]["uid"]


def of_an_earlier_version(cluster: Cluster, *, pod: bool = True) -> None:
    """Make what an operator of an earlier version leaves: the binding of a store's workers, and one of them."""
    cluster.kube.put(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": OLD.name, "namespace": samples.NAMESPACE},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": names.WORKER_CLUSTER_ROLE,
            },
            "subjects": [{"kind": "ServiceAccount", "name": "wa-worker-default", "namespace": samples.NAMESPACE}],
        }
    )
    if pod:
        cluster.change(POD, lambda pod: pod["spec"].update(serviceAccountName="wa-worker-default"))


def test_a_worker_of_an_earlier_version_keeps_its_own_rights_and_loses_its_reach() -> None:
    cluster = connected()
    of_an_earlier_version(cluster)
    cluster.restarted()
    cluster.settle()
    assert subjects(cluster) == ["wa-worker-default", "wasession-support"]
    assert subjects(cluster, OLD) == []


def test_a_binding_of_an_earlier_version_stays_while_a_worker_has_no_rights_but_its_own() -> None:
    cluster = connected()
    of_an_earlier_version(cluster)
    another = dict(cluster.kube.objects[POD])
    another["metadata"] = {**another["metadata"], "name": "wa-another"}
    uid = cluster.kube.put(another)["metadata"]["uid"]
    cluster.restarted()
    cluster.settle()
    assert subjects(cluster, OLD) == ["wa-worker-default"]
    del cluster.kube.objects[Ref("Pod", samples.NAMESPACE, "wa-another")]
    cluster.clock.time = cluster.clock.time.replace(hour=13)
    cluster.settle()
    assert uid
    assert subjects(cluster, OLD) == []


def test_a_binding_of_an_earlier_version_is_emptied_when_its_last_session_goes() -> None:
    cluster = connected()
    cluster.settle()
    of_an_earlier_version(cluster, pod=False)
    cluster.restarted()
    del cluster.kube.objects[POD]
    cluster.settle()
    assert subjects(cluster, OLD) == []


def test_the_account_of_cloud_identity_gets_its_pod_as_an_owner() -> None:
    cluster = Cluster()
    chosen = {"annotations": {"iam.gke.io/gcp-service-account": "archives@example"}, "shared": False}
    store = Ref(names.STORE_KIND, samples.NAMESPACE, "default")
    cluster.change(store, lambda store: store["spec"].update(serviceAccount=chosen))
    cluster.make_session()
    cluster.settle()
    account = cluster.kube.objects[OWN["ServiceAccount"]]["metadata"]
    assert [owner["kind"] for owner in account["ownerReferences"]] == [names.SESSION_KIND, "Pod"]
    assert account["annotations"] == chosen["annotations"]


def run_keys(cluster: Cluster) -> list[Key]:
    """Look at the policy; returns the sessions to look at because it changed."""
    work = cluster.operator.look_at_policy()
    with pytest.raises(StopIteration) as end:
        work.send(None)
    found: list[Key] = end.value.value
    return found
