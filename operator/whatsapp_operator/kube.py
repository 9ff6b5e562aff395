"""Access the API server with plain dicts; no other module of the operator uses the Kubernetes client.

``Reader`` and ``Kube`` are the interface, with five verbs on objects. ``ClusterKube`` is the real client; the fake of
the tests passes the same contract tests.
"""

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import kubernetes.aio.client
import kubernetes.aio.config
import kubernetes.aio.dynamic
import yaml

from whatsapp_kube import answers, requests
from whatsapp_kube.errors import KubeError, Unreachable
from whatsapp_kube.requests import Manifest, Ref, Request
from whatsapp_operator.errors import UsageError
from whatsapp_session import names, server_clock

# The package only has types for its models, which are not used here.
kubernetes_client: Any = kubernetes.aio.client
kubernetes_config: Any = kubernetes.aio.config
dynamic: Any = kubernetes.aio.dynamic

REQUEST_TIMEOUT_SECONDS = 15
CONNECTIONS = 32
PAGE = 500
"""Number of objects per page of a list."""


class Reader(Protocol):
    """Reads single objects."""

    async def get(self, ref: Ref) -> Manifest | None:
        """Return the object, None if it does not exist."""


class Kube(Reader, Protocol):
    """Requests of the operator about single objects."""

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create the object; raises Conflict if its name is taken."""

    async def apply(self, manifest: Manifest, *, manager: str, subresource: str = "") -> Manifest:
        """Apply the object on the server side and take over fields of other managers."""

    async def delete(self, ref: Ref, *, uid: str, grace: int | None = None) -> None:
        """Delete the object with this UID, if it exists. ``grace`` is in seconds, None means that of the object."""

    async def finalize(self, ref: Ref, *, version: str, finalizers: Sequence[str]) -> Manifest | None:
        """Set the finalizers of the object at this resource version; None if it does not exist any more.

        Raises Conflict if it has changed since. Server-side apply is not suitable: it keeps finalizers that another
        manager owns too, such as a tool that restored a backup, and the object could never be deleted.
        """


class Listing(Kube, Protocol):
    """Requests about many objects at once."""

    def pages(
        self, kind: str, namespace: str, labels: Mapping[str, str | None] | None = None
    ) -> AsyncIterator[list[Manifest]]:
        """Yield the objects of a kind in a namespace, "" for all namespaces, by pages.

        ``labels`` selects by label; None as its value means any value.
        """


async def items(
    kube: Listing, kind: str, namespace: str, labels: Mapping[str, str | None] | None = None
) -> list[Manifest]:
    """Return what ``pages`` yields as one list."""
    return [item async for page in kube.pages(kind, namespace, labels) for item in page]


@dataclass(frozen=True, slots=True)
class Connection:
    """Address and credentials of the API server, for clients other than ``ClusterKube``."""

    server: str
    ca_path: str | None
    certificate_path: str | None
    key_path: str | None
    token: str | None
    insecure: bool


async def configuration(kubeconfig: str | None, context: str | None) -> Any:
    """Load the service account of the pod, if there is one and no kubeconfig is given, else the kubeconfig.

    Returns the configuration object of the client. Raises UsageError if neither works.
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
        # The client does not validate the file. Its messages can quote the file, which contains credentials.
        raise UsageError(
            "invalid kubeconfig: expected YAML with clusters, users and contexts; set --kubeconfig or KUBECONFIG"
        ) from error
    return loaded


async def connection(loaded: Any) -> Connection:
    """Return the current credentials of a configuration; a token file is read again."""
    bearer = await loaded.get_api_key_with_prefix("BearerToken")
    return Connection(
        server=loaded.host,
        ca_path=loaded.ssl_ca_cert,
        certificate_path=loaded.cert_file,
        key_path=loaded.key_file,
        # The client writes the scheme differently: "Bearer " from a kubeconfig, "bearer " in a pod.
        token=None if bearer is None else str(bearer).rpartition(" ")[2],
        insecure=not loaded.verify_ssl,
    )


def _listening(hear: Callable[[str | None], None]) -> aiohttp.TraceConfig:
    """Return what lets the client tell ``hear`` the date of each answer; the client returns no headers itself."""

    async def answered(_: Any, __: Any, found: aiohttp.TraceRequestEndParams) -> None:
        hear(answers.date(found.response.headers))

    config = aiohttp.TraceConfig()
    config.on_request_end.append(answered)
    return config


def _proxy(server: str) -> str | None:
    """Return the proxy to a server that the environment names (HTTPS_PROXY, NO_PROXY), None if there is none."""
    address = urlsplit(server)
    if urllib.request.proxy_bypass(address.hostname or ""):
        return None
    return urllib.request.getproxies().get(address.scheme)


class ClusterKube:
    """Client of a real API server. Use it as an async context manager, in the event loop of the calls.

    ``hear`` gets the Date header of each answer: the API server's time.
    """

    def __init__(self, loaded: Any, hear: Callable[[str | None], None] = lambda date: None) -> None:
        loaded.connection_pool_maxsize = CONNECTIONS
        # Otherwise aiohttp reads the environment and ~/.netrc in a thread for each request, a tenth of its cost.
        loaded.client_session_kwargs = {"trust_env": False}
        loaded.proxy = loaded.proxy or _proxy(loaded.host)
        loaded.trace_configs = [_listening(hear)]
        self._loaded = loaded
        self._client = kubernetes_client.ApiClient(configuration=loaded)
        # Without discovery: the paths are known, and discovery writes a cache file into a shared directory.
        self._dynamic = dynamic.DynamicClient(self._client)

    async def __aenter__(self) -> "ClusterKube":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def get(self, ref: Ref) -> Manifest | None:
        """Return the object, None if it does not exist."""
        return await self._found(requests.get(ref))

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create the object; raises Conflict if its name is taken."""
        trial = {"dryRun": "All"} if dry_run else {}
        asked = requests.create(manifest, fieldValidation="Strict", fieldManager=names.OPERATOR_MANAGER, **trial)
        return await self._send(asked)

    async def apply(self, manifest: Manifest, *, manager: str, subresource: str = "") -> Manifest:
        """Apply the object on the server side and take over fields of other managers."""
        asked = requests.apply(manifest, manager=manager, subresource=subresource, fieldValidation="Strict")
        return await self._send(asked)

    async def delete(self, ref: Ref, *, uid: str, grace: int | None = None) -> None:
        """Delete the object with this UID, if it exists."""
        await self._found(requests.delete(ref, uid=uid, grace=grace))

    async def finalize(self, ref: Ref, *, version: str, finalizers: Sequence[str]) -> Manifest | None:
        """Set the finalizers of the object at this resource version; None if it does not exist any more."""
        change = {"metadata": {"resourceVersion": version, "finalizers": list(finalizers)}}
        asked = requests.merge(ref, change, verb="finalize", fieldManager=names.OPERATOR_MANAGER)
        return await self._found(asked)

    async def pages(
        self, kind: str, namespace: str, labels: Mapping[str, str | None] | None = None
    ) -> AsyncIterator[list[Manifest]]:
        """Yield the objects of a kind in a namespace, "" for all namespaces, by pages."""
        head = {"apiVersion": requests.KINDS[kind].api_version, "kind": kind}  # items of a list have neither
        more = ""
        while True:
            answer = await self._send(requests.items(kind, namespace, labels, PAGE, more))
            yield [head | item for item in answer["items"]]
            more = answer["metadata"].get("continue", "")
            if not more:
                return

    async def _dates(self) -> str:
        """Return why the API server's certificate is not valid at this machine's time."""
        if self._loaded.proxy:
            return server_clock.UNKNOWN
        address, authority = urlsplit(self._loaded.host), self._loaded.ssl_ca_cert
        asked = server_clock.Server(address.hostname or "", address.port or 443, "the API server's", authority)
        return await asyncio.to_thread(server_clock.explanation, asked)

    async def _found(self, request: Request) -> Manifest | None:
        try:
            return await self._send(request)
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    async def _send(self, request: Request) -> Manifest:
        try:
            answer: Manifest = await self._dynamic.request(
                request.method.lower(),
                request.path,
                body=request.body,
                query_params=list(request.query.items()),
                content_type=request.content_type,
                serializer=lambda _, data: data,
                _request_timeout=REQUEST_TIMEOUT_SECONDS,
            )
        except kubernetes_client.ApiException as error:
            raise answers.error(error.status or 0, error.body, request.asked, error.headers) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            what = f"{request.verb} {request.path}: the API server does not answer"
            if server_clock.refuses(error):
                what = f"the operator does not accept the API server's certificate: {await self._dates()}"
            raise Unreachable(0, what, request.asked) from error
        return answer
