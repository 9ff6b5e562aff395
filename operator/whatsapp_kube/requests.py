"""Build requests to a Kubernetes API server from plain dicts; each program has its own sender."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from whatsapp_kube.errors import Asked
from whatsapp_session import names

Manifest = dict[str, Any]
STATUS = "apply status"
"""The verb of a request that writes a status."""


@dataclass(frozen=True, slots=True)
class Kind:
    """API group, version and plural of a kind."""

    api_version: str
    plural: str
    namespaced: bool = True


KINDS: Mapping[str, Kind] = {
    names.SESSION_KIND: Kind(names.API_VERSION, names.SESSION_PLURAL),
    names.STORE_KIND: Kind(names.API_VERSION, names.STORE_PLURAL),
    "Pod": Kind("v1", "pods"),
    "CustomResourceDefinition": Kind("apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False),
    "Event": Kind("v1", "events"),
    "Node": Kind("v1", "nodes", namespaced=False),
    "Namespace": Kind("v1", "namespaces", namespaced=False),
    "ServiceAccount": Kind("v1", "serviceaccounts"),
    "PersistentVolumeClaim": Kind("v1", "persistentvolumeclaims"),
    "Lease": Kind("coordination.k8s.io/v1", "leases"),
    "Role": Kind("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": Kind("rbac.authorization.k8s.io/v1", "rolebindings"),
    "ValidatingAdmissionPolicy": Kind(
        "admissionregistration.k8s.io/v1", "validatingadmissionpolicies", namespaced=False
    ),
    "ValidatingAdmissionPolicyBinding": Kind(
        "admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings", namespaced=False
    ),
}


@dataclass(frozen=True, slots=True)
class Ref:
    """Reference to one object; ``namespace`` is "" for cluster-scoped kinds."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request; ``body`` is an object to be sent as JSON."""

    verb: str
    ref: Ref
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    content_type: str = "application/json"

    @property
    def asked(self) -> Asked:
        """Its description in an error."""
        return Asked(self.verb, self.ref.kind, self.ref.name)

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


def path(ref: Ref, subresource: str = "") -> str:
    """Return the path of an object, or of its collection when the name is empty."""
    kind = KINDS[ref.kind]
    prefix = "/api" if "/" not in kind.api_version else "/apis"
    parts = [prefix, kind.api_version]
    if kind.namespaced and ref.namespace:
        parts += ["namespaces", ref.namespace]
    # A name can come from a spec: it must not add parts to the path.
    return "/".join([*parts, kind.plural, *filter(None, [quote(ref.name, safe=""), subresource])])


def ref_of(manifest: Mapping[str, Any]) -> Ref:
    """Return the name of a manifest."""
    metadata = manifest["metadata"]
    return Ref(manifest["kind"], metadata.get("namespace", ""), metadata["name"])


def get(ref: Ref) -> Request:
    """Read one object."""
    return Request("get", ref, "GET", path(ref))


def items(
    kind: str, namespace: str, labels: Mapping[str, str | None] | None = None, page: int = 0, more: str = ""
) -> Request:
    """List the objects of a kind in a namespace ("" for all), ``page`` at a time (0: all), from the token ``more``.

    ``labels`` selects by label; None as its value means any value.
    """
    query = {"limit": str(page)} if page else {}
    query |= _selector(labels or {})
    if more:
        query["continue"] = more
    ref = Ref(kind, namespace, "")
    return Request("list", ref, "GET", path(ref), query)


def _selector(labels: Mapping[str, str | None]) -> dict[str, str]:
    terms = [name if value is None else f"{name}={value}" for name, value in labels.items()]
    return {"labelSelector": ",".join(terms)} if terms else {}


def create(manifest: Mapping[str, Any], **query: str) -> Request:
    """Create an object."""
    ref = ref_of(manifest)
    return Request("create", ref, "POST", path(Ref(ref.kind, ref.namespace, "")), query, manifest)


def replace(manifest: Mapping[str, Any]) -> Request:
    """Replace an object; if the manifest has a resource version, only at that version."""
    ref = ref_of(manifest)
    return Request("replace", ref, "PUT", path(ref), {}, manifest)


def apply(manifest: Mapping[str, Any], *, manager: str, subresource: str = "", **query: str) -> Request:
    """Apply an object on the server side and take over fields of other managers."""
    ref, verb = ref_of(manifest), " ".join(filter(None, ("apply", subresource)))
    query = {"fieldManager": manager, "force": "true", **query}
    kind = "application/apply-patch+yaml"
    return Request(verb, ref, "PATCH", path(ref, subresource), query, manifest, kind)


def merge(ref: Ref, change: Mapping[str, Any], *, verb: str = "merge", subresource: str = "", **query: str) -> Request:
    """Change fields of an object with a JSON merge patch; null removes a field."""
    kind = "application/merge-patch+json"
    return Request(verb, ref, "PATCH", path(ref, subresource), query, change, kind)


def delete(ref: Ref, *, uid: str | None = None, grace: int | None = None) -> Request:
    """Delete an object, with ``uid`` only this one. ``grace`` is in seconds, None means that of the object."""
    body: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if uid is not None:
        body["preconditions"] = {"uid": uid}
    if grace is not None:
        body["gracePeriodSeconds"] = grace
    return Request("delete", ref, "DELETE", path(ref), {}, body)
