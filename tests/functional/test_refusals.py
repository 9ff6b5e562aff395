"""Whatever the cluster refuses to the operator is a condition of the session or store, until it is allowed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from functional.callers import ApiError, wait
from functional.worker import stamp
from functional.world import Place
from whatsapp_session import names

Manifest = dict[str, Any]
pytestmark = pytest.mark.usefixtures("operator")
SAID = "the tests refuse this"
CORE, OURS = "", names.GROUP
DELETE: Manifest = {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}}
LOCAL: Manifest = {"auth": {"strategy": "LocalAuth", "localAuth": {}}}
FINALIZERS = "object.metadata.?finalizers.orValue([]) == oldObject.metadata.?finalizers.orValue([])"


@contextmanager
def refusing(place: Place, group: str, resource: str, operation: str, passes: str = "false") -> Iterator[None]:
    """Let a policy refuse an operation in the namespace, unless the CEL expression is true; returns when it does."""
    rules = [
        {"apiGroups": [group], "apiVersions": ["*"], "operations": [operation], "resources": [resource]},
        # Shows that the policy is in force.
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]},
    ]
    selector = {"matchLabels": {"kubernetes.io/metadata.name": place.name}}
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": f"refusing-{place.name}"}}
    expression = f"request.resource.resource != 'configmaps' && ({passes})"
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"namespaceSelector": selector, "resourceRules": rules},
        "validations": [{"expression": expression, "message": SAID}],
    }
    binding = {"policyName": f"refusing-{place.name}", "validationActions": ["Deny"]}
    made = [
        ("validatingadmissionpolicies", {**head, "kind": "ValidatingAdmissionPolicy", "spec": policy}),
        ("validatingadmissionpolicybindings", {**head, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding}),
    ]
    base = "/apis/admissionregistration.k8s.io/v1"
    for plural, manifest in made:
        place.admin.send("POST", f"{base}/{plural}", manifest)
    try:
        wait(lambda: probe(place), "the policy to be in force")
        yield
    finally:
        for plural, _ in made:
            place.admin.send("DELETE", f"{base}/{plural}/refusing-{place.name}")
    wait(lambda: not probe(place), "the policy to be gone")
    for session in place.admin.items(names.SESSION_KIND, place.name):
        touch(place, session["metadata"]["name"])


def probe(place: Place) -> bool:
    """Return whether the policy is in force."""
    probed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"}}
    try:
        place.admin.send("POST", f"/api/v1/namespaces/{place.name}/configmaps?dryRun=All", probed)
    except ApiError as error:
        return SAID in error.message
    return False


def touch(place: Place, name: str) -> Manifest:
    """Let the operator look again soon, as a person does who has mended something: by a request."""
    patch = {"metadata": {"annotations": {names.request_annotation("save"): stamp()}}}
    return place.admin.merge(names.SESSION_KIND, place.name, name, patch)


@pytest.mark.parametrize(
    ("group", "resource", "operation", "spec", "names_it"),
    [
        (CORE, "serviceaccounts", "CREATE", {}, "ServiceAccount"),
        ("rbac.authorization.k8s.io", "roles", "CREATE", {}, "the Role wasession-support"),
        ("rbac.authorization.k8s.io", "rolebindings", "CREATE", {}, "the RoleBinding wasession-support"),
        ("coordination.k8s.io", "leases", "CREATE", {}, "Lease wa-support"),
        (CORE, "persistentvolumeclaims", "CREATE", LOCAL, "spec.auth.localAuth.claimName"),
        (CORE, "pods", "CREATE", {}, "change spec.podTemplate"),
        (OURS, "whatsappsessions", "UPDATE", DELETE, "spec.auth.remoteAuth.onDelete to Retain"),
        (OURS, "sessionstores", "UPDATE", DELETE, "the SessionStore default"),
    ],
    ids=["account", "role", "binding", "lease", "claim", "pod", "session's finalizer", "store's finalizer"],
)
def test_what_is_refused_before_a_session_starts_is_its_condition(
    place: Place, group: str, resource: str, operation: str, spec: Manifest, names_it: str
) -> None:
    with refusing(place, group, resource, operation, FINALIZERS if operation == "UPDATE" else "false"):
        place.store()
        place.session("support", **spec)
        place.wait_phase("support", "Failed", "InvalidPodTemplate" if resource == "pods" else "Refused")
        message = place.condition("support", "Stalled")["message"]
        assert SAID in message
        assert names_it in message
        assert place.pod("support") is None
    wait(lambda: place.pod("support"), "the session to start once it is allowed")


def test_a_pod_that_may_not_be_deleted_is_said_and_goes_later(place: Place) -> None:
    place.store()
    place.session("support")
    place.wait_worker("support")
    with refusing(place, CORE, "pods", "DELETE"):
        place.update("support", operatingMode="Suspended")
        wait(lambda: "to delete the pod" in place.condition("support", "Stalled").get("message", ""), "the condition")
        touched = touch(place, "support")
        assert place.condition("support", "Stalled")["reason"] == "Refused"
        # Another session is served meanwhile, so that the operator had every occasion to write.
        place.session("other")
        place.wait_worker("other")
        assert place.get("support")["metadata"]["resourceVersion"] == touched["metadata"]["resourceVersion"]
    wait(lambda: place.pod("support") is None, "the pod to go once it is allowed")
    place.wait_phase("support", "Suspended")


def test_a_status_that_may_not_be_written_is_an_event(place: Place) -> None:
    with refusing(place, OURS, "whatsappsessions/status", "UPDATE"):
        place.store()
        place.session("support")
        wait(lambda: [event for event in place.events("support") if event["reason"] == "Refused"], "an Event")
        assert place.status("support") == {}
    wait(lambda: place.status("support"), "the status once it is allowed")
    place.wait_worker("support")


def test_a_purge_that_is_refused_is_said_and_can_be_skipped(place: Place) -> None:
    place.store()
    place.session("support", **DELETE)
    place.wait_worker("support")
    with refusing(place, CORE, "pods", "CREATE"):
        place.admin.delete(names.SESSION_KIND, place.name, "support")
        wait(lambda: place.condition("support", "Stalled").get("reason") == "InvalidPodTemplate", "the condition")
        message = place.condition("support", "Stalled")["message"]
        assert SAID in message
        assert "skip-purge" in message
    wait(lambda: place.admin.get("Pod", place.name, names.purge_pod("support")), "a purge")


@pytest.mark.parametrize(
    ("group", "resource", "operation", "names_it"),
    [
        (CORE, "serviceaccounts", "CREATE", "the ServiceAccount wa-worker-default"),
        (CORE, "pods", "CREATE", "the pod wastore-default"),
    ],
    ids=["account", "pod"],
)
def test_what_is_refused_to_a_stores_check_is_the_stores_condition(
    place: Place, group: str, resource: str, operation: str, names_it: str
) -> None:
    with refusing(place, group, resource, operation):
        place.store(s3={"bucket": "archives"})

        def message() -> str:
            store = place.admin.get(names.STORE_KIND, place.name, "default") or {}
            found = (store.get("status") or {}).get("conditions") or []
            return next((str(item["message"]) for item in found if item["type"] == "Stalled"), "")

        wait(message, "the store to be stalled")
        assert SAID in message()
        assert names_it in message()


def test_rights_that_the_operator_lacks_are_a_condition(place: Place) -> None:
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/whatsapp-session-operator"
    whole = place.admin.send("GET", role)
    lesser = [rule for rule in whole["rules"] if "leases" not in rule["resources"]]
    assert len(lesser) < len(whole["rules"]), "the operator has a rule for Leases"
    place.admin.send("PATCH", role, {"rules": lesser}, "application/merge-patch+json")
    try:
        place.store()
        place.session("support")
        place.wait_phase("support", "Failed", "Refused")
        message = place.condition("support", "Stalled")["message"]
        assert "the operator may not" in message
        assert "upgrade the chart" in message
    finally:
        place.admin.send("PATCH", role, {"rules": whole["rules"]}, "application/merge-patch+json")
    # Nobody tells when the server knows of the right again: as long as it does not, the session is looked at again.
    wait(lambda: touch(place, "support") and place.lease("support"), "the Lease")
