"""Call the API server as an administrator or with a token, over plain HTTPS; wait for what it comes to say."""

import contextlib
import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from whatsapp_kube import requests
from whatsapp_kube.requests import Ref, Request

Manifest = dict[str, Any]


class ApiError(Exception):
    """The API server said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Caller:
    """Somebody who calls the API server: the administrator, or the bearer of a token."""

    def __init__(self, server: str, context: ssl.SSLContext, token: str | None = None) -> None:
        self.server = server
        self.context = context
        self._address = urlsplit(server)
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def send(
        self, method: str, target: str, body: Mapping[str, Any] | None = None, kind: str = "application/json"
    ) -> Manifest:
        """Return the answer; raises ApiError unless it is 2xx."""
        connection = http.client.HTTPSConnection(
            self._address.hostname or "", self._address.port, timeout=20, context=self.context
        )
        with contextlib.closing(connection):
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, target, content, {**self.headers, "Content-Type": kind})
            answer = connection.getresponse()
            text = answer.read()
        found: Manifest = json.loads(text) if text.startswith(b"{") else {}
        if answer.status >= 300:
            raise ApiError(answer.status, str(found.get("message", text.decode(errors="replace"))))
        return found

    def ask(self, request: Request) -> Manifest:
        """Send a request that was built."""
        return self.send(request.method, request.target, request.body, request.content_type)

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object."""
        return self.ask(requests.create(manifest))

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """Return an object, None if it does not exist."""
        try:
            return self.ask(requests.get(Ref(kind, namespace, name)))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def items(self, kind: str, namespace: str) -> list[Manifest]:
        """Return the objects of a kind in a namespace."""
        found: list[Manifest] = self.ask(requests.items(kind, namespace))["items"]
        return found

    def merge(self, kind: str, namespace: str, name: str, patch: Manifest, subresource: str = "") -> Manifest:
        """Merge-patch an object."""
        return self.ask(requests.merge(Ref(kind, namespace, name), patch, subresource=subresource))

    def apply(self, manifest: Manifest, *, manager: str, subresource: str = "", **query: str) -> Manifest:
        """Apply on the server's side."""
        return self.ask(requests.apply(manifest, manager=manager, subresource=subresource, **query))

    def delete(self, kind: str, namespace: str, name: str, *, grace: int | None = None) -> None:
        """Delete an object; gone already is success."""
        with contextlib.suppress(ApiError):
            self.ask(requests.delete(Ref(kind, namespace, name), grace=grace))


class Line:
    """One connection on which a caller sends many requests, and hears every answer as it is."""

    def __init__(self, caller: Caller) -> None:
        self._headers = caller.headers
        address = urlsplit(caller.server)
        self._connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=60, context=caller.context
        )

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, method: str, target: str, body: object, kind: str) -> tuple[int, str]:
        """Return status and body of the answer."""
        content = json.dumps(body).encode()
        self._connection.request(method, target, content, {**self._headers, "Content-Type": kind})
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")


def wait(predicate: Callable[[], Any], what: Callable[[], str] | str, seconds: float = 45.0) -> Any:
    """Poll until the predicate's result is true and return it; on time-out say what was waited for.

    A server that is too busy to answer is asked again; its last error is raised on time-out.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            found = predicate()
        except (OSError, http.client.HTTPException, ApiError) as error:
            if not _transient(error) or time.monotonic() > end:
                raise
        else:
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds:.0f} s for {what if isinstance(what, str) else what()}")
        time.sleep(0.03)


def _transient(error: Exception) -> bool:
    return not isinstance(error, ApiError) or error.status == 429 or error.status >= 500
