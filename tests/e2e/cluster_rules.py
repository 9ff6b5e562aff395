"""The rules of strict clusters: what OpenShift refuses, what tenants are bounded to, what policies commonly demand."""

from typing import Any, Final

from e2e.injector import FIRST_UID

Manifest = dict[str, Any]
OPENSHIFT, COMPANY, CLOSED = "tests.scc", "tests.policies", "tests.closed"
"""Labels of namespaces; their value is ``enforced``."""
TEAM = "example.com/team"
_CONTAINERS: Final = "object.spec.containers + object.spec.?initContainers.orValue([])"
_LAST_UID: Final = FIRST_UID + 9999
_SCC: Final = "unable to validate against any security context constraint: provider restricted-v2: "


def _in_range(path: str) -> str:
    return f"!has({path}) || ({path} >= {FIRST_UID} && {path} <= {_LAST_UID})"


def _each(rule: str) -> str:
    return f"variables.containers.all(c, {rule})"


_SCC_RULES: Final = {
    # What names no user gets one before this is asked.
    "runAsUser is not of the namespace's range": _in_range("variables.context.runAsUser")
    + " && "
    + _each(f"({_in_range('c.securityContext.runAsUser')})"),
    "fsGroup is not an allowed group": _in_range("variables.context.fsGroup"),
}
_RULES: Final = {
    "CPU and memory requests and memory limits are required": _each(
        "has(c.resources.requests) && 'cpu' in c.resources.requests && 'memory' in c.resources.requests"
        " && has(c.resources.limits) && 'memory' in c.resources.limits"
    ),
    "an image needs a tag, and not latest": _each("c.image.matches('[:@][^/]+$') && !c.image.endsWith(':latest')"),
    "images come from the company's registry": _each("c.image.startsWith('docker.io/library/')"),
    "the root file system must be read-only": _each("c.?securityContext.?readOnlyRootFilesystem.orValue(false)"),
    "containers must not run as root": "variables.context.?runAsNonRoot.orValue(false)"
    " || " + _each("c.?securityContext.?runAsNonRoot.orValue(false)"),
    "all capabilities must be dropped": _each("'ALL' in c.?securityContext.?capabilities.?drop.orValue([])"),
    "no more privileges": _each("!c.?securityContext.?allowPrivilegeEscalation.orValue(true)"),
    "the runtime's seccomp profile is required": "variables.context.?seccompProfile.?type.orValue('')"
    " == 'RuntimeDefault'",
    f"the label {TEAM} is required": f"'{TEAM}' in object.metadata.?labels.orValue({{}})",
    "a token must not be mounted by default": "!object.spec.?automountServiceAccountToken.orValue(true)",
    "the default account must not be used": "object.spec.?serviceAccountName.orValue('default') != 'default'",
    "volumes in memory or on the node need a limit": "object.spec.?volumes.orValue([]).all(v,"
    " !has(v.emptyDir) || has(v.emptyDir.sizeLimit))",
    "no path of the node": "object.spec.?volumes.orValue([]).all(v, !has(v.hostPath))",
}
POLICIES: Final = {
    OPENSHIFT: {f"{_SCC}{text}": rule for text, rule in _SCC_RULES.items()},
    COMPANY: _RULES,
    CLOSED: {"nobody may create pods here": "false"},
}


def policies() -> list[Manifest]:
    """Return the policies, each for the namespaces with its label."""
    return [item for label in POLICIES for item in (_policy(label), _binding(label))]


def _head(kind: str, label: str) -> Manifest:
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": f"wso-{label}"}}


def _policy(label: str) -> Manifest:
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {label: "enforced"}},
            "resourceRules": rules,
        },
        "variables": [
            {"name": "containers", "expression": _CONTAINERS},
            {"name": "context", "expression": "object.spec.?securityContext.orValue(dyn({}))"},
        ],
        "validations": [{"expression": rule, "message": text} for text, rule in POLICIES[label].items()],
    }
    return _head("ValidatingAdmissionPolicy", label) | {"spec": spec}


def _binding(label: str) -> Manifest:
    spec = {"policyName": f"wso-{label}", "validationActions": ["Deny"]}
    return _head("ValidatingAdmissionPolicyBinding", label) | {"spec": spec}


def tenant(namespace: str) -> list[Manifest]:
    """Return quota and LimitRange: each container names what is counted, none is large."""
    counted = {
        "requests.cpu": "2", "requests.memory": "4Gi", "limits.cpu": "4", "limits.memory": "8Gi",
        "requests.ephemeral-storage": "8Gi", "limits.ephemeral-storage": "16Gi",
    }  # fmt: skip
    bounds = {
        "type": "Container",
        "max": {"memory": "1Gi", "cpu": "1"},
        "min": {"cpu": "25m", "memory": "64Mi"},
        "maxLimitRequestRatio": {"cpu": "10"},
    }
    metadata = {"name": "tenant", "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": counted}},
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": [bounds]}},
    ]


FITTING: Final[Manifest] = {
    "commonLabels": {TEAM: "bots"},
    "podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None},
    "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}},
    "worker": {
        "resources": {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    },
}
"""Values of the chart with which all its pods keep all these rules; the other resources fit as they are."""
