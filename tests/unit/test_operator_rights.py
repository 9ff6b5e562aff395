"""Workers have rights only while a policy that denies narrows them."""

from collections.abc import Callable
from typing import Any

import pytest

from kube_fake import FakeKube
from unit import operator_samples as samples
from unit.operator_cluster import KEY, POD, SESSION, Cluster, connected, set_spec
from whatsapp_operator.kube import Ref
from whatsapp_operator.reconcile import Key
from whatsapp_session import names


@pytest.mark.parametrize(
    "weaken",
    [
        lambda kube: kube.objects.pop(Ref("ValidatingAdmissionPolicy", "", names.POLICY_NAME)),
        lambda kube: kube.objects.pop(Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME)),
        lambda kube: kube.objects[Ref("ValidatingAdmissionPolicy", "", names.POLICY_NAME)]["spec"].update(
            failurePolicy="Ignore"
        ),
        lambda kube: kube.objects[Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME)]["spec"].update(
            validationActions=["Audit"]
        ),
    ],
    ids=["no policy", "no binding", "fails open", "audits only"],
)
def test_no_rights_are_granted_without_a_policy_that_denies(weaken: Callable[[FakeKube], Any]) -> None:
    cluster = Cluster()
    weaken(cluster.kube)
    cluster.make_session()
    cluster.settle()
    assert not {"RoleBinding", "ServiceAccount", "Pod"} & {ref.kind for ref in cluster.kube.objects}
    assert "PolicyMissing" in {item["reason"] for item in cluster.status["conditions"]}


def test_rights_go_with_the_policy_and_come_back_with_it() -> None:
    cluster = connected()
    binding = Ref("RoleBinding", samples.NAMESPACE, "wa-worker-default")
    assert [subject["name"] for subject in cluster.kube.objects[binding]["subjects"]] == ["wa-worker-default"]
    taken = cluster.kube.objects.pop(Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME))
    assert run_keys(cluster) == [KEY]
    cluster.settle()
    assert cluster.kube.objects[binding]["subjects"] == []
    assert "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"], "the worker runs on"
    found = {item["type"]: (item["status"], item["reason"]) for item in cluster.status["conditions"]}
    assert found["Ready"] == ("False", "PolicyMissing")
    assert found["Stalled"] == ("True", "PolicyMissing")
    assert run_keys(cluster) == []
    cluster.kube.objects[Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME)] = taken
    assert run_keys(cluster) == [KEY]
    cluster.settle()
    assert [subject["name"] for subject in cluster.kube.objects[binding]["subjects"]] == ["wa-worker-default"]
    assert cluster.status["conditions"][0]["status"] == "True"


def test_a_change_of_the_template_grants_no_rights_while_the_policy_is_missing() -> None:
    cluster = connected()
    del cluster.kube.objects[Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME)]
    run_keys(cluster)
    cluster.settle()
    cluster.change(SESSION, set_spec(podTemplate={"spec": {"priority": 1}}))
    cluster.settle()
    binding = Ref("RoleBinding", samples.NAMESPACE, "wa-worker-default")
    assert cluster.kube.objects[binding]["subjects"] == []
    assert "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"], "the next one would get no rights"


def _move(cluster: Cluster) -> None:
    cluster.move_to("archive")


def _lose_the_store(cluster: Cluster) -> None:
    del cluster.kube.objects[Ref(names.STORE_KIND, samples.NAMESPACE, "default")]


@pytest.mark.parametrize(
    "change", [Cluster.delete_session, _move, _lose_the_store], ids=["is deleted", "names another store", "lost it"]
)
def test_the_rights_of_the_worker_that_runs_go_whatever_becomes_of_its_session(
    change: Callable[[Cluster], None],
) -> None:
    cluster = connected({"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}})
    del cluster.kube.objects[Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME)]
    change(cluster)
    run_keys(cluster)
    cluster.settle()
    assert cluster.kube.objects[Ref("RoleBinding", samples.NAMESPACE, "wa-worker-default")]["subjects"] == []
    granted = [item for ref, item in cluster.kube.objects.items() if ref.kind == "RoleBinding" and item["subjects"]]
    assert granted == []


def run_keys(cluster: Cluster) -> list[Key]:
    """Look at the policy; returns the sessions to look at because it changed."""
    work = cluster.operator.look_at_policy()
    with pytest.raises(StopIteration) as end:
        work.send(None)
    found: list[Key] = end.value.value
    return found
