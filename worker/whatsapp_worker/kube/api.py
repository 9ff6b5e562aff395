"""Speak with the Kubernetes API: four requests of one worker. The only user of aiohttp's client.

The token is read at each use, because the kubelet renews it.
"""

import asyncio
import pathlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp

from whatsapp_kube import answers, requests
from whatsapp_kube.errors import Unreachable
from whatsapp_kube.requests import Manifest, Ref, Request
from whatsapp_session import names, server_clock
from whatsapp_worker import errors
from whatsapp_worker.system import steady_clock

ACCOUNT_DIR = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
ACCOUNT_DIR_VARIABLE = "WHATSAPP_SERVICE_ACCOUNT_DIR"
_TIMEOUT = aiohttp.ClientTimeout(total=10)


class Kube(Protocol):
    """What one worker asks of the API, all about its own session; each raises KubeError."""

    async def get_lease(self) -> Manifest:
        """Return the session's Lease."""

    async def put_lease(self, lease: Mapping[str, Any]) -> Manifest:
        """Replace the Lease if its resourceVersion is still the newest; returns what is stored."""

    async def apply_session(self, session: Mapping[str, Any]) -> None:
        """Apply ``status.session`` as its field manager."""

    async def create_event(self, event: Mapping[str, Any]) -> None:
        """Create an Event."""


@dataclass(frozen=True, slots=True)
class Names:
    """Which objects are this worker's."""

    namespace: str
    session: str


class ApiServer:
    """The Kubernetes API behind HTTPS, whose time ``clock`` hears; use as an asynchronous context manager."""

    def __init__(self, address: str, account: pathlib.Path, own: Names, clock: steady_clock.SteadyClock) -> None:
        self._address = address.rstrip("/")
        self._account = account
        self._own = own
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "ApiServer":
        authority = self._account / "ca.crt"
        try:
            context = await asyncio.to_thread(ssl.create_default_context, cafile=str(authority))
        except OSError as error:
            raise errors.ConfigurationError(
                f"the worker cannot read the cluster's CA certificate {authority}: {error}"
            ) from error
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), timeout=_TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    async def get_lease(self) -> Manifest:
        """GET."""
        return await self.send(requests.get(Ref("Lease", self._own.namespace, names.lease(self._own.session))))

    async def put_lease(self, lease: Mapping[str, Any]) -> Manifest:
        """PUT."""
        return await self.send(requests.replace(lease))

    async def apply_session(self, session: Mapping[str, Any]) -> None:
        """PATCH by server-side apply."""
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.SESSION_KIND,
            "metadata": {"name": self._own.session, "namespace": self._own.namespace},
            "status": {"session": session},
        }
        await self.send(requests.apply(body, manager=names.WORKER_MANAGER, subresource="status"))

    async def create_event(self, event: Mapping[str, Any]) -> None:
        """POST."""
        await self.send(requests.create(event))

    async def send(self, request: Request) -> Manifest:
        """Return the answer; raises KubeError."""
        assert self._http is not None, "enter the context first"
        try:
            token = await asyncio.to_thread((self._account / "token").read_text)
            headers = {"Authorization": f"Bearer {token.strip()}", "Content-Type": request.content_type}
            address = self._address + request.target
            async with self._http.request(request.method, address, json=request.body, headers=headers) as answer:
                self._clock.hear(answers.date(answer.headers))
                document: Any = await answer.json(content_type=None)
                if answer.status >= 400:
                    raise answers.error(answer.status, document, request.asked)
                return dict(document)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            why = await self._dates() if server_clock.refuses(error) else type(error).__name__
            raise Unreachable(0, f"the API did not answer: {why}", request.asked) from error

    async def _dates(self) -> str:
        """Return why the API server's certificate is not valid at this machine's time."""
        address, authority = urlsplit(self._address), str(self._account / "ca.crt")
        asked = server_clock.Server(address.hostname or "", address.port or 443, "the API server's", authority)
        return await asyncio.to_thread(server_clock.explanation, asked)


def in_cluster(environ: Mapping[str, str], own: Names, clock: steady_clock.SteadyClock) -> ApiServer:
    """Return the API of the cluster that this pod runs in; raises ConfigurationError outside of one."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise errors.ConfigurationError("KUBERNETES_SERVICE_HOST is not set; run this command in a pod")
    host = f"[{host}]" if ":" in host else host
    account = pathlib.Path(environ.get(ACCOUNT_DIR_VARIABLE, ACCOUNT_DIR))
    return ApiServer(f"https://{host}:{port}", account, own, clock)
