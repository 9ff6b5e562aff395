"""Whatever the API server refuses is a condition that names what was refused, why, and what the user can change."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from scenes.operator import samples
from scenes.operator.cluster import POD, SESSION, Cluster, connected, set_spec
from whatsapp_kube import answers
from whatsapp_kube.errors import Asked, Cause, Conflict, Refused, Unreachable
from whatsapp_kube.requests import Ref
from whatsapp_operator.session import refusals
from whatsapp_session import names

Manifest = dict[str, Any]
CLAIM = Asked("create", "PersistentVolumeClaim", "wa-a")
WORKER = Asked("create", "Pod", "wa-a")


def answer(status: int, message: str, asked: Asked, **details: Any) -> Refused:
    """Return the refusal that an answer of the API server is translated to."""
    made = answers.error(status, json.dumps({"kind": "Status", "message": message, "details": details}), asked)
    assert isinstance(made, Refused), made
    return made


def field(name: str) -> Manifest:
    """Return details with the cause that a field is not valid."""
    return {"causes": [{"reason": "FieldValueInvalid", "message": "Invalid value", "field": name}]}


TERMINATING = {"causes": [{"reason": "NamespaceTerminating", "message": "gone", "field": "metadata.namespace"}]}


@pytest.mark.parametrize(
    ("error", "reason", "says"),
    [
        (answer(403, "no", CLAIM, **TERMINATING), "Stopping", "the namespace is being deleted"),
        (answer(404, 'namespaces "a" not found', CLAIM, kind="namespaces"), "Stopping", "is being deleted"),
        (answer(403, "is forbidden: exceeded quota: small", WORKER), "QuotaExceeded", "raise the quota"),
        (answer(403, "is forbidden: exceeded quota: small", WORKER), "QuotaExceeded", "resources in spec.podTemplate"),
        *(
            (answer(403, "exceeded quota: small", Asked("create", "Pod", name)), "QuotaExceeded", "storePods.resources")
            for name in ("wastore-a", "wamove-a", "wapurge-a")
        ),
        *(
            (answer(403, "maximum memory is 256Mi", Asked("create", "Pod", name)), "InvalidPodTemplate", "storePods")
            for name in ("wastore-a", "wamove-a", "wapurge-a")
        ),
        *(
            (answer(403, f"is forbidden: {text}", Asked("create", "Pod", name)), "InvalidPodTemplate", says)
            for text in (
                "failed quota: tenant: must specify limits.cpu for: worker",
                "maximum memory usage per Container is 1Gi, but limit is 2Gi",
                "[minimum cpu usage per Container is 25m, but request is 10m, cpu max limit to request ratio per"
                " Container is 10, but provided ratio is 50.000000]",
            )
            for name, says in (
                ("wa-a", "change the resources in spec.podTemplate, or the chart's value worker.resources"),
                ("wastore-a", "change the chart's value storePods.resources"),
                ("wapurge-a", "change the chart's value storePods.resources"),
            )
        ),
        (
            answer(422, "no", Asked("create", "Pod", "wamove-a"), **field("spec.containers[1].resources.limits")),
            "InvalidPodTemplate",
            "change the chart's value storePods.resources",
        ),
        (answer(403, "runAsUser: Invalid value: 10001", WORKER), "InvalidPodTemplate", "podSecurityContext"),
        (
            answer(403, "runAsUser: Invalid value: 10001", Asked("create", "Pod", "wastore-a")),
            "InvalidPodTemplate",
            "podSecurityContext",
        ),
        (answer(422, "zero", CLAIM, **field("spec.resources[storage]")), "Refused", "spec.auth.localAuth.size"),
        (
            answer(422, "A B", CLAIM, **field("spec.storageClassName")),
            "Refused",
            "spec.auth.localAuth.storageClassName",
        ),
        (answer(400, "not understood", CLAIM), "Refused", "spec.auth.localAuth.claimName"),
        (
            answer(422, "no", WORKER, **field("spec.containers[0].image")),
            "InvalidPodTemplate",
            "change spec.podTemplate",
        ),
        (answer(422, "no", WORKER, **field("metadata.labels")), "InvalidPodTemplate", "podTemplate.metadata.labels"),
        (answer(403, "violates PodSecurity", WORKER), "InvalidPodTemplate", "change spec.podTemplate"),
        (
            answer(422, "too long", Asked("apply", "ServiceAccount", "wa-worker-a"), **field("metadata.annotations")),
            "Refused",
            "spec.serviceAccount.annotations of the SessionStore",
        ),
        (answer(403, "denied the request", Asked("create", "Pod", "wastore-a")), "InvalidPodTemplate", "SessionStore"),
        (
            answer(403, "denied the request", Asked("finalize", names.SESSION_KIND, "a")),
            "Refused",
            "spec.auth.remoteAuth.onDelete to Retain",
        ),
        (
            answer(403, 'User "o" cannot create resource "leases"', Asked("create", "Lease", "wa-a"), kind="leases"),
            "Refused",
            "upgrade the chart",
        ),
        (answer(403, 'User "o" cannot patch resource "roles"', Asked("apply", "Role", "a")), "Refused", "chart"),
        (answer(403, "permissions not currently held", Asked("apply", "Role", "a")), "Refused", "upgrade the chart"),
        (answer(403, "denied the request", Asked("apply", "Lease", "wa-a")), "Refused", "the cluster's administrator"),
        (answer(403, "denied the request", Asked("delete", "Pod", "wa-a")), "Refused", "to delete the pod wa-a"),
        (answer(500, "failed calling webhook", Asked("apply", "Role", "a")), "Refused", "to apply the Role a"),
        (answer(422, "no", Asked("apply status", names.SESSION_KIND, "a")), "Refused", "to write the status of"),
    ],
    ids=lambda value: value.asked.kind if isinstance(value, Refused) else "",
)
def test_a_refusal_names_what_was_refused_and_what_can_be_changed(error: Refused, reason: str, says: str) -> None:
    found = refusals.problem(error)
    assert found.reason == reason
    assert says in found.message
    if reason != "Stopping":
        assert error.message in found.message


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (409, {"message": "taken"}, Conflict),
        (404, {"message": "gone", "details": {"kind": "pods", "name": "a"}}, Conflict),
        (404, {"message": "the server could not find the requested resource"}, Refused),
        (500, {"message": "etcdserver: request timed out"}, Unreachable),
        (500, {"message": "failed to create typed patch object (/a): .status.x: field not declared"}, Refused),
        (429, {"message": "patience"}, Unreachable),
        (503, "<html>", Unreachable),
        (403, "[" * 5000, Refused),
        (422, {"message": 7, "details": {"causes": "many"}}, Refused),
        (422, {"details": {"causes": [None, {"field": 7}]}}, Refused),
        (403, None, Refused),
    ],
    ids=str,
)
def test_an_answer_of_any_shape_is_an_error_of_ours(status: int, body: Any, kind: type[Exception]) -> None:
    error = answers.error(status, body if isinstance(body, str) else json.dumps(body), CLAIM)
    assert type(error) is kind
    assert error.message


def denies(kind: str, verb: str) -> Callable[[Asked], Refused | None]:
    """Return a server that refuses one verb on one kind."""

    def deny(asked: Asked) -> Refused | None:
        return Refused(403, "denied the request", asked) if (asked.kind, asked.verb) == (kind, verb) else None

    return deny


def ready(cluster: Cluster) -> Manifest:
    """Return the session's Ready."""
    return next((item for item in cluster.status.get("conditions") or () if item["type"] == "Ready"), {})


def said_once(cluster: Cluster) -> str:
    """Let the operator look until it waits; returns what Ready says, after showing that it says so once only."""
    for _ in range(3):
        again = cluster.look()
    assert again == 60
    writes, events = cluster.kube.writes, cluster.kube.calls.count("create Event")
    assert cluster.look() == 60
    assert (cluster.kube.writes, cluster.kube.calls.count("create Event")) == (writes, events)
    assert ready(cluster)["status"] == "False"
    return str(ready(cluster)["message"])


DELETE = {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}}
LOCAL = {"auth": {"strategy": "LocalAuth", "localAuth": {}}}


@pytest.mark.parametrize(
    ("kind", "verb", "spec"),
    [
        ("ServiceAccount", "apply", {}),
        ("RoleBinding", "apply", {}),
        ("Lease", "apply", {}),
        ("PersistentVolumeClaim", "create", LOCAL),
        ("Pod", "create", {}),
        ("SessionStore", "finalize", DELETE),
        (names.SESSION_KIND, "finalize", DELETE),
        ("ValidatingAdmissionPolicy", "get", {}),
    ],
)
def test_a_session_says_what_is_refused_to_it_and_goes_on_later(kind: str, verb: str, spec: Manifest) -> None:
    cluster = Cluster()
    cluster.kube.deny = denies(kind, verb)
    cluster.make_session(spec)
    assert kind.lower() in said_once(cluster).lower()
    cluster.kube.deny = lambda asked: None
    cluster.settle()
    assert cluster.status["phase"] == "Starting"
    assert ready(cluster)["reason"] == "PodStarting"


def test_a_pod_that_may_not_be_deleted_is_said_once_and_its_session_lives() -> None:
    cluster = connected()
    cluster.kube.deny = denies("Pod", "delete")
    cluster.change(SESSION, set_spec(operatingMode="Suspended"))
    assert "to delete the pod wa-support" in said_once(cluster)
    assert POD in cluster.kube.objects
    cluster.kube.deny = lambda asked: None
    cluster.settle()
    cluster.pod_gone()
    cluster.settle()
    assert cluster.status["phase"] == "Suspended"
    assert ready(cluster)["status"] == "True"


def test_a_finalizer_that_may_not_be_removed_is_said_once() -> None:
    cluster = connected(DELETE)
    cluster.kube.deny = denies(names.SESSION_KIND, "finalize")
    cluster.change(SESSION, set_spec(auth={"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Retain"}}))
    assert "finalizers" in said_once(cluster)
    assert names.FINALIZER_PURGE in cluster.kube.objects[SESSION]["metadata"]["finalizers"]


def test_a_refused_value_of_a_status_costs_that_value_only() -> None:
    cluster = connected()
    too_long = Cause("FieldValueTooLong", "status.worker.last.store", "too long")
    before = cluster.status["worker"]["last"]
    assert before

    def deny(asked: Asked) -> Refused | None:
        written = asked == Asked("apply status", names.SESSION_KIND, samples.NAME)
        return Refused(422, "too long", asked, [too_long]) if written and next(times, False) else None

    times = iter([True])
    cluster.kube.deny = deny
    cluster.change(POD, lambda pod: pod["status"]["containerStatuses"][0].update(restartCount=7))
    cluster.look()
    assert cluster.status["worker"]["restarts"] == 7
    assert cluster.status["worker"]["last"] == before
    assert ready(cluster)["reason"] == "Refused"
    cluster.settle()
    assert ready(cluster)["status"] == "True"


def test_a_status_that_may_not_be_written_is_an_event_and_keeps_nobody_from_suspending() -> None:
    cluster = connected()
    cluster.kube.deny = denies(names.SESSION_KIND, "apply status")
    cluster.change(SESSION, set_spec(browser={"cdpPort": 9333}))
    assert cluster.look() == 60
    said = [item["message"] for ref, item in cluster.kube.objects.items() if ref.kind == "Event"]
    assert sum("to write the status of" in message for message in said) == 1
    assert "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"], "what it leaves could not be remembered"
    cluster.change(SESSION, set_spec(operatingMode="Suspended"))
    cluster.look()
    assert "deletionTimestamp" in cluster.kube.objects[POD]["metadata"]


def test_a_specification_that_is_not_understood_is_a_condition_and_costs_no_worker() -> None:
    cluster = connected()
    known = cluster.status["worker"]
    cluster.change(SESSION, set_spec(auth={"strategy": "Telepathy"}))
    cluster.settle()
    assert ready(cluster)["reason"] == "InvalidConfiguration"
    assert "spec.auth.strategy must be one of" in ready(cluster)["message"]
    assert cluster.status["worker"] == known
    assert Ref("Pod", samples.NAMESPACE, POD.name) in cluster.kube.objects
