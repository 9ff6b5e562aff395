"""Access the API server with plain dicts; no other module of the operator sends requests, but for kopf's watches.

``Reader``, ``Kube`` and ``Listing`` are the interface. ``ClusterKube`` is the real client; the fake of the tests passes
the same contract tests. It sends requests by aiohttp itself: the Kubernetes client's serialization took a tenth of the
operator's CPU.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from whatsapp_kube import answers, requests
from whatsapp_kube.errors import KubeError, Unreachable
from whatsapp_kube.requests import Manifest, Ref, Request
from whatsapp_operator.connection import Connection
from whatsapp_session import names, server_clock

REQUEST_SECONDS = 15
CONNECTIONS = 32
"""Number of requests at a time."""
PAGE = 100
"""Number of objects per page of a list: a page is some MiB while it is read."""


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


async def cluster_id(kube: Reader) -> str:
    """Return what distinguishes the cluster from others: the UID of the namespace kube-system."""
    namespace = await kube.get(Ref("Namespace", "", "kube-system"))
    if namespace is None:
        raise Unreachable(
            404, "the namespace kube-system does not exist; check that the kubeconfig names a Kubernetes API server"
        )
    return str(namespace["metadata"]["uid"])


class ClusterKube:
    """Client of a real API server. Use it as an async context manager, in the event loop of the calls.

    ``hear`` gets the Date header of each answer: the API server's time.
    """

    def __init__(self, connection: Connection, hear: Callable[[str | None], None] = lambda date: None) -> None:
        self._connection = connection
        self._hear = hear
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "ClusterKube":
        connector = aiohttp.TCPConnector(ssl=self._connection.context, limit=CONNECTIONS)
        # No trust_env: aiohttp would read the environment and ~/.netrc in a thread for each request.
        self._http = aiohttp.ClientSession(connector=connector, headers={"Accept": "application/json"})
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

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
        if self._connection.proxy:
            return server_clock.UNKNOWN
        address, authority = urlsplit(self._connection.server), self._connection.ca_file
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
        async with self._asked(request) as answer:
            body = await answer.read()
            if answer.status >= 400:
                raise answers.error(answer.status, body, request.asked, answer.headers)
            parsed: Manifest = json.loads(body)
            return parsed

    @asynccontextmanager
    async def _asked(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request, and turn what fails meanwhile into Unreachable."""
        assert self._http is not None, "enter the context first"
        body, headers = None, {}
        if request.body is not None:
            body, headers["Content-Type"] = json.dumps(request.body).encode(), request.content_type
        try:
            bearer = await self._connection.authorization()
            if bearer is not None:
                headers["Authorization"] = bearer
            async with self._http.request(
                request.method,
                # Encoded already: aiohttp would encode it again, and decode it.
                URL(f"{self._connection.server}{request.target}", encoded=True),
                data=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
                proxy=self._connection.proxy,
                server_hostname=self._connection.server_name,
            ) as answer:
                self._hear(answers.date(answer.headers))
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            what = f"{request.verb} {request.path}: the API server does not answer"
            if server_clock.refuses(error):
                what = f"the operator does not accept the API server's certificate: {await self._dates()}"
            raise Unreachable(0, what, request.asked) from error
