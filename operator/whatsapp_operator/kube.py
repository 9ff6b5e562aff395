"""Talk to the API server with plain dicts: the operator's only user of the Kubernetes client.

``Kube`` is the seam: five verbs on objects. ``ClusterKube`` is the real one; the tests' fake passes the same tests.
"""

import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import kubernetes.aio.client
import kubernetes.aio.config
import kubernetes.aio.dynamic
import yaml

from whatsapp_operator import answers
from whatsapp_operator.errors import Asked, Unreachable, UsageError
from whatsapp_session import names

# The package ships types for its models only: what is used here is untyped.
kubernetes_client: Any = kubernetes.aio.client
kubernetes_config: Any = kubernetes.aio.config
dynamic: Any = kubernetes.aio.dynamic

Manifest = dict[str, Any]
REQUEST_TIMEOUT_SECONDS = 15
CONNECTIONS = 16
PAGE = 500
"""Objects of one answer to a list."""
STATUS = "apply status"
"""The verb of a request that writes a status."""
METHODS = {
    "get": "get",
    "list": "get",
    "create": "post",
    "apply": "patch",
    "finalize": "patch",
    "delete": "delete",
}
"""HTTP methods of the verbs."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind is addressed."""

    api_version: str
    plural: str
    namespaced: bool = True


KINDS: Mapping[str, Kind] = {
    names.SESSION_KIND: Kind(names.API_VERSION, names.SESSION_PLURAL),
    names.STORE_KIND: Kind(names.API_VERSION, names.STORE_PLURAL),
    "Pod": Kind("v1", "pods"),
    "CustomResourceDefinition": Kind("apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False),
    "Event": Kind("v1", "events"),
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
    """Name one object; ``namespace`` is empty for cluster-wide kinds."""

    kind: str
    namespace: str
    name: str


class Kube(Protocol):
    """What the operator asks of a cluster."""

    async def get(self, ref: Ref) -> Manifest | None:
        """Return the object as it is now, None when it does not exist."""

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create the object; raises Conflict when its name is taken."""

    async def apply(self, manifest: Manifest, *, manager: str, subresource: str = "") -> Manifest:
        """Apply on the server's side, taking over fields of other managers."""

    async def delete(self, ref: Ref, *, uid: str, grace: int | None = None) -> None:
        """Delete exactly the object with this UID; gone already is success. ``grace`` in seconds, None = its own."""

    async def finalize(self, ref: Ref, *, version: str, finalizers: Sequence[str]) -> Manifest | None:
        """Set the finalizers of the object as it was at this resource version; None when it is gone.

        Raises Conflict when it has changed since. Server-side apply would not do: it leaves what another manager wrote
        too, such as a tool that restored a backup, and the object would never go.
        """


class Listing(Kube, Protocol):
    """What somebody asks who looks after many objects at once."""

    async def items(self, kind: str, namespace: str, labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """Return the objects of a kind in a namespace, "" for all namespaces; only those with these labels."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the API server is and who we are to it; for clients other than ``ClusterKube``."""

    server: str
    ca_path: str | None
    certificate_path: str | None
    key_path: str | None
    token: str | None
    insecure: bool


async def configuration(kubeconfig: str | None, context: str | None) -> Any:
    """Load the pod's own account if there is one and no kubeconfig is named, else the kubeconfig.

    Returns the client's configuration object. Raises UsageError when neither works.
    """
    loaded = kubernetes_client.Configuration()
    try:
        if kubeconfig is None and context is None:
            try:
                kubernetes_config.load_incluster_config(client_configuration=loaded)
                return loaded
            except kubernetes_config.ConfigException:
                pass
        await kubernetes_config.load_kube_config(
            config_file=kubeconfig, context=context, client_configuration=loaded, persist_config=False
        )
    except (kubernetes_config.ConfigException, OSError) as error:
        raise UsageError(f"invalid kubeconfig: {error}; set --kubeconfig or KUBECONFIG") from error
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        # The client trusts the file's shape. Its own words may quote the file, which holds credentials.
        raise UsageError(
            "invalid kubeconfig: expected YAML with clusters, users and contexts; set --kubeconfig or KUBECONFIG"
        ) from error
    return loaded


async def connection(loaded: Any) -> Connection:
    """Return the present credentials of a loaded configuration (a token file is read again)."""
    bearer = await loaded.get_api_key_with_prefix("BearerToken")
    return Connection(
        server=loaded.host,
        ca_path=loaded.ssl_ca_cert,
        certificate_path=loaded.cert_file,
        key_path=loaded.key_file,
        # The client's loaders write the scheme as they like: "Bearer " from a kubeconfig, "bearer " in a pod.
        token=None if bearer is None else str(bearer).rpartition(" ")[2],
        insecure=not loaded.verify_ssl,
    )


def path(ref: Ref, subresource: str = "") -> str:
    """Return the path of an object, or of its collection when the name is empty."""
    kind = KINDS[ref.kind]
    prefix = "/api" if "/" not in kind.api_version else "/apis"
    parts = [prefix, kind.api_version]
    if kind.namespaced and ref.namespace:
        parts += ["namespaces", ref.namespace]
    # A name comes from a specification: it must stay one part of the path.
    return "/".join([*parts, kind.plural, *filter(None, [urllib.parse.quote(ref.name, safe=""), subresource])])


def ref_of(manifest: Mapping[str, Any]) -> Ref:
    """Return the name of a manifest."""
    metadata = manifest["metadata"]
    return Ref(manifest["kind"], metadata.get("namespace", ""), metadata["name"])


class ClusterKube:
    """The real API server. Use as an async context manager, in the loop that makes the calls."""

    def __init__(self, loaded: Any) -> None:
        loaded.connection_pool_maxsize = CONNECTIONS
        self._client = kubernetes_client.ApiClient(configuration=loaded)
        # Without discovery: the few paths are known, and discovery writes a cache file into a shared directory.
        self._dynamic = dynamic.DynamicClient(self._client)

    async def __aenter__(self) -> "ClusterKube":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def get(self, ref: Ref) -> Manifest | None:
        """Return the object as it is now, None when it does not exist."""
        return await self._send("get", ref, path(ref), missing_is_none=True)

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create the object; raises Conflict when its name is taken."""
        ref = ref_of(manifest)
        query = [("fieldValidation", "Strict"), ("fieldManager", names.OPERATOR_MANAGER)]
        if dry_run:
            query.append(("dryRun", "All"))
        collection = path(Ref(ref.kind, ref.namespace, ""))
        return await self._send("create", ref, collection, body=manifest, query=query) or {}

    async def apply(self, manifest: Manifest, *, manager: str, subresource: str = "") -> Manifest:
        """Apply on the server's side, taking over fields of other managers."""
        ref, kind = ref_of(manifest), "application/apply-patch+yaml"
        query = [("fieldManager", manager), ("force", "true"), ("fieldValidation", "Strict")]
        target, verb = path(ref, subresource), " ".join(filter(None, ("apply", subresource)))
        return await self._send(verb, ref, target, body=manifest, query=query, content_type=kind) or {}

    async def delete(self, ref: Ref, *, uid: str, grace: int | None = None) -> None:
        """Delete exactly the object with this UID; gone already is success."""
        body: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        await self._send("delete", ref, path(ref), body=body, missing_is_none=True)

    async def finalize(self, ref: Ref, *, version: str, finalizers: Sequence[str]) -> Manifest | None:
        """Set the finalizers of the object as it was at this resource version; None when it is gone."""
        body: Manifest = {"metadata": {"resourceVersion": version, "finalizers": list(finalizers)}}
        more = {"query": [("fieldManager", names.OPERATOR_MANAGER)], "content_type": "application/merge-patch+json"}
        return await self._send("finalize", ref, path(ref), body=body, missing_is_none=True, **more)

    async def items(self, kind: str, namespace: str, labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """Return the objects of a kind in a namespace, "" for all namespaces; only those with these labels."""
        found: list[Manifest] = []
        more, ref = "", Ref(kind, namespace, "")
        chosen = [("labelSelector", ",".join(f"{name}={value}" for name, value in labels.items()))] if labels else []
        while True:
            query = [("limit", str(PAGE)), *chosen, *([("continue", more)] if more else [])]
            answer = await self._send("list", ref, path(ref), query=query) or {}
            found += answer["items"]
            more = answer["metadata"].get("continue", "")
            if not more:
                return found

    async def _send(
        self, verb: str, ref: Ref, target: str, *, missing_is_none: bool = False, **arguments: Any
    ) -> Manifest | None:
        asked = Asked(verb, ref.kind, ref.name)
        try:
            answer: Manifest = await self._dynamic.request(
                METHODS[verb.partition(" ")[0]],
                target,
                body=arguments.get("body"),
                query_params=arguments.get("query", []),
                content_type=arguments.get("content_type"),
                serializer=lambda _, data: data,
                _request_timeout=REQUEST_TIMEOUT_SECONDS,
            )
        except kubernetes_client.ApiException as error:
            if error.status == 404 and missing_is_none:
                return None
            raise answers.error(error.status or 0, error.body, asked) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(0, f"{verb} {target}: the API server does not answer", asked) from error
        return answer
