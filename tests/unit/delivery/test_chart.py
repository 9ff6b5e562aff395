"""The chart's files agree with the contract and keep the design's promises."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scenes.operator import samples
from whatsapp_operator.manifests import rbac
from whatsapp_session import names
from whatsapp_session.conditions import Phase, SessionState
from whatsapp_session.session_spec import Interop, LinkingMethod, OnDelete, OperatingMode, Strategy

ROOT = Path(__file__).parents[3]
Manifest = dict[str, Any]


@functools.cache
def manifests() -> list[Manifest]:
    """Return the committed rendering (a functional test compares it with the chart)."""
    return [item for item in yaml.safe_load_all((ROOT / "deploy" / "install.yaml").read_text()) if item]


def named(kind: str, name: str) -> Manifest:
    """Return one manifest."""
    return next(item for item in manifests() if item["kind"] == kind and item["metadata"]["name"] == name)


def schema(plural: str) -> Manifest:
    """Return a definition's schema."""
    definition = named("CustomResourceDefinition", f"{plural}.{names.GROUP}")
    (version,) = definition["spec"]["versions"]
    found: Manifest = version["schema"]["openAPIV3Schema"]
    return found


def fields(node: Manifest, path: str = "") -> Iterator[tuple[str, Manifest]]:
    """Yield each field of a schema with its path."""
    for name, child in (node.get("properties") or {}).items():
        yield f"{path}.{name}", child
        yield from fields(child, f"{path}.{name}")
    if "items" in node:
        yield from fields(node["items"], f"{path}[]")


PLURALS = (names.SESSION_PLURAL, names.STORE_PLURAL)


@pytest.mark.parametrize("plural", PLURALS)
def test_every_field_has_a_description(plural: str) -> None:
    plain = {".apiVersion", ".kind", ".metadata"}
    bare = [path for path, node in fields(schema(plural)) if path not in plain and not node.get("description")]
    assert bare == []


@pytest.mark.parametrize("plural", PLURALS)
def test_a_description_names_the_default(plural: str) -> None:
    leaves = [(path, node) for path, node in fields(schema(plural)) if node.get("default") not in (None, {})]
    silent = [
        path
        for path, node in leaves
        if not isinstance(node["default"], dict) and str(node["default"]).lower() not in node["description"].lower()
    ]
    assert (silent, len(leaves) > 2) == ([], True)


@pytest.mark.parametrize(("path", "known"), [(".status.phase", Phase), (".status.session.state", SessionState)])
def test_a_description_lists_all_values(path: str, known: type[Any]) -> None:
    text = dict(fields(schema(names.SESSION_PLURAL)))[path]["description"]
    assert {str(value) for value in known} - set(re.findall(r"\w+", text)) == set()


def test_every_secret_and_claim_that_a_spec_names_is_under_the_switch() -> None:
    """`podTemplate.restricted` asks for a label on each; what a custom store brings into its environment it refuses."""
    text = (ROOT / "charts/whatsapp-session-operator/templates/for-sessions-policy.yaml").read_text()
    named = {
        path.removeprefix(".")
        for plural in PLURALS
        for path, _ in fields(schema(plural))
        if path.lower().endswith(("secretref", "secretkeyref", ".claimname"))
        and not path.startswith(".spec.custom.envFrom")
    }
    assert {path for path in named if f'"{path}"' not in text} == set()
    assert len(named) == 10


@pytest.mark.parametrize("plural", PLURALS)
def test_every_rule_has_a_message(plural: str) -> None:
    for path, node in [("", schema(plural)), *fields(schema(plural))]:
        for rule in [
            *node.get("x-kubernetes-validations", ()),
            *node.get("items", {}).get("x-kubernetes-validations", ()),
        ]:
            assert len(rule["message"]) > 20, path


@pytest.mark.parametrize(
    ("path", "enum"),
    [
        (".spec.operatingMode", OperatingMode),
        (".spec.auth.strategy", Strategy),
        (".spec.auth.remoteAuth.interop", Interop),
        (".spec.auth.remoteAuth.onDelete", OnDelete),
        (".spec.auth.localAuth.onDelete", OnDelete),
        (".spec.linking.method", LinkingMethod),
    ],
)
def test_the_schema_and_the_contract_know_the_same_words(path: str, enum: type[Any]) -> None:
    found = dict(fields(schema(names.SESSION_PLURAL)))[path]["enum"]
    assert set(found) == {str(item) for item in enum}


def test_the_names_are_the_contracts() -> None:
    sessions = named("CustomResourceDefinition", f"{names.SESSION_PLURAL}.{names.GROUP}")["spec"]
    stores = named("CustomResourceDefinition", f"{names.STORE_PLURAL}.{names.GROUP}")["spec"]
    assert (sessions["names"]["kind"], sessions["names"]["shortNames"]) == (names.SESSION_KIND, ["was"])
    assert (stores["names"]["kind"], stores["names"]["shortNames"]) == (names.STORE_KIND, ["wastore"])
    assert {version["name"] for version in sessions["versions"]} == {names.VERSION}
    assert named("ValidatingAdmissionPolicy", names.POLICY_NAME)
    binding = named("ValidatingAdmissionPolicyBinding", names.POLICY_NAME)
    assert (binding["spec"]["policyName"], binding["spec"]["validationActions"]) == (names.POLICY_NAME, ["Deny"])


def test_the_policy_fails_closed_and_reads_the_contracts_annotation() -> None:
    policy = named("ValidatingAdmissionPolicy", names.POLICY_NAME)["spec"]
    assert policy["failurePolicy"] == "Fail"
    text = yaml.safe_dump(policy)
    assert names.ANNOTATION_WORKER_POD_UID in text
    (condition,) = policy["matchConditions"]
    pattern = condition["expression"].split("'")[1]
    accounts = [names.service_account(store) for store in (None, "default", "a-b-c")]
    for account in (*accounts, names.session_account("alice"), names.session_account("1-b")):
        assert re.match(pattern, f"system:serviceaccount:bots:{account}")
    for other in ("default", "wasession", "wa-workers", "my-wasession-alice"):
        assert not re.match(pattern, f"system:serviceaccount:bots:{other}")


def test_the_policy_leaves_out_the_namespaces_of_heartbeats_and_elections() -> None:
    constraints = named("ValidatingAdmissionPolicy", names.POLICY_NAME)["spec"]["matchConstraints"]
    (expression,) = constraints["namespaceSelector"]["matchExpressions"]
    assert (expression["key"], expression["operator"]) == ("kubernetes.io/metadata.name", "NotIn")
    assert tuple(expression["values"]) == names.UNCOVERED_NAMESPACES


def rules(role: str) -> set[tuple[str, str, str]]:
    """Return group, resource and verb of each right of a role of the chart."""
    return rights(named("ClusterRole", role))


def rights(role: Manifest) -> set[tuple[str, str, str]]:
    """Return group, resource and verb of each right of a role."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_a_worker_holds_these_rights_on_its_own_objects_and_no_more() -> None:
    made = rbac.role(samples.session())
    named_by = {
        (resource, verb): rule.get("resourceNames")
        for rule in made["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert named_by == {
        ("whatsappsessions/status", "patch"): ["support"],
        ("leases", "get"): ["wa-support"],
        ("leases", "update"): ["wa-support"],
        ("events", "create"): None,
        ("whatsappsessions/events", "create"): [samples.UID],
    }


def test_the_operator_holds_every_right_that_it_grants_and_may_not_escalate() -> None:
    held = [rule for rule in named("ClusterRole", "whatsapp-session-operator")["rules"] if "resourceNames" not in rule]
    assert rights(rbac.role(samples.session())) <= rights({"rules": held})
    # It empties the bindings of earlier versions, for which it must hold what they granted.
    assert rules(names.WORKER_CLUSTER_ROLE) <= rights({"rules": held})
    assert not {verb for _, _, verb in rules("whatsapp-session-operator")} & {"escalate", "bind", "impersonate"}


def test_the_role_of_earlier_versions_is_kept_for_the_workers_that_have_it() -> None:
    assert rules(names.WORKER_CLUSTER_ROLE) == {
        ("whatsapp-operator.dev", "whatsappsessions/status", "patch"),
        ("coordination.k8s.io", "leases", "get"),
        ("coordination.k8s.io", "leases", "update"),
        ("", "events", "create"),
    }


def test_the_operator_changes_these_things_and_no_others() -> None:
    reading = ("get", "list", "watch")
    changing = {(resource, verb) for _, resource, verb in rules("whatsapp-session-operator") if verb not in reading}
    assert changing == {
        ("whatsappsessions", "patch"),
        ("whatsappsessions/status", "patch"),
        ("whatsappsessions/finalizers", "update"),
        ("sessionstores", "patch"),
        ("sessionstores/status", "patch"),
        ("pods", "create"),
        ("pods", "delete"),
        ("leases", "create"),
        ("leases", "patch"),
        ("leases", "update"),
        ("serviceaccounts", "create"),
        ("serviceaccounts", "patch"),
        ("persistentvolumeclaims", "create"),
        ("roles", "create"),
        ("roles", "patch"),
        ("whatsappsessions/events", "create"),
        ("rolebindings", "create"),
        ("rolebindings", "patch"),
        ("events", "create"),
    }


def test_the_operator_reads_no_secrets_and_has_no_wildcard() -> None:
    found = rules("whatsapp-session-operator")
    assert not any("secrets" in resource or "*" in (group, resource, verb) for group, resource, verb in found)
    assert not any(resource in ("pods/exec", "pods/attach", "serviceaccounts/token") for _, resource, _ in found)


def test_no_role_is_aggregated_because_a_status_holds_a_code() -> None:
    for item in manifests():
        labels = item["metadata"].get("labels", {})
        assert not any(name.startswith("rbac.authorization.k8s.io/aggregate-to-") for name in labels)


def test_the_operators_pod_keeps_the_restricted_standard() -> None:
    pod = named("Deployment", "whatsapp-session-operator")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"livenessProbe", "readinessProbe", "startupProbe"} <= container.keys()


def test_the_quick_start_names_the_true_site_and_keeps_the_restricted_standard() -> None:
    sample = [item for item in yaml.safe_load_all((ROOT / "deploy/samples/quickstart.yaml").read_text()) if item]
    namespace, claim, store, session = sample
    assert [item["kind"] for item in sample] == [
        "Namespace",
        "PersistentVolumeClaim",
        "SessionStore",
        "WhatsAppSession",
    ]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert store["spec"]["filesystem"]["claimName"] == claim["metadata"]["name"]
    assert session["spec"]["browser"]["url"] == "https://web.whatsapp.com/"
