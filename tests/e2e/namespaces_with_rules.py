"""Namespaces with rules on a cluster, and the wait until the rules are in force."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from deploy.demo.console import DemoError, wait_for
from deploy.demo.kubectl import Kubectl
from e2e.cluster_rules import POLICIES, tenant
from e2e.injector import FIRST_UID, MESH, PLATFORM, SIDECAR

Manifest = dict[str, Any]
OF_POLICIES: Final = {(label, "enforced"): f"wso-{label}" for label in POLICIES}
"""What a refusal by a policy names, by label and value."""
OF_WEBHOOKS: Final = {
    (MESH, "ordinary"): SIDECAR,
    (MESH, "native"): SIDECAR,
    (PLATFORM, "openshift"): str(FIRST_UID),
}
"""What a pod has that a webhook changed."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a namespace demands: its labels choose policies and webhooks, ``bounded`` adds quota and LimitRange."""

    name: str
    labels: Mapping[str, str]
    bounded: bool = False


def items(manifests: Sequence[Manifest]) -> str:
    """Return manifests as one text for kubectl."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})


def make_namespace(kubectl: Kubectl, rules: Rules) -> None:
    """Make a namespace with its rules; the quick start, applied later, leaves them."""
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": rules.name, "labels": dict(rules.labels)},
    }
    kubectl.run("create", "-f", "-", stdin=json.dumps(namespace))
    if rules.bounded:
        bound(kubectl, rules.name)


def bound(kubectl: Kubectl, namespace: str) -> None:
    """Set quota and LimitRange, and wait until what is used has been counted."""
    kubectl.apply(items(tenant(namespace)))
    path = ("get", "resourcequota", "tenant", "-n", namespace, "-o", "jsonpath={.status.used}")
    wait_for("the quota to be counted", lambda: kubectl.run(*path) or None, timeout=60)


def is_in_force(kubectl: Kubectl, namespace: str, sign: str) -> bool | None:
    """Return whether a plain pod, as it would be stored or is refused, bears a sign of the rule."""
    metadata = {"name": "trial", "namespace": namespace}
    spec = {"securityContext": {"fsGroup": 1}, "containers": [{"name": "a", "image": "a:latest"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    try:
        said = kubectl.run("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(pod))
    except DemoError as error:
        said = str(error)
    return sign in said or None


def wait_in_force(kubectl: Kubectl, signs: Mapping[tuple[str, str], str]) -> None:
    """Wait until what each label chooses shows by its sign, in a namespace of its own."""
    for (label, value), sign in signs.items():
        name = f"trial-{secrets.token_hex(4)}"
        make_namespace(kubectl, Rules(name, {label: value}))
        try:
            wait_for(f"{label} to be in force", partial(is_in_force, kubectl, name, sign), timeout=60)
        finally:
            kubectl.run("delete", "namespace", name, "--wait=false")
