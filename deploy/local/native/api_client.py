"""The few calls that a provider makes to the API server of its cluster: HTTPS with a client certificate."""

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.local.errors import LocalClusterError
from deploy.local.native import pki

Manifest = dict[str, Any]
RETRY_SECONDS, PAUSE = 60.0, 0.5
"""How long a request to a busy server is repeated, and the seconds between two attempts."""


@dataclass(frozen=True, slots=True)
class Api:
    """An API server, and the client certificate to call it with."""

    server: str
    authority: Path
    certificate: Path
    key: Path

    def request(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[int, bytes]:
        """Return status and body; status 0 when the server does not answer."""
        context = ssl.create_default_context(cafile=str(self.authority))
        context.load_cert_chain(self.certificate, self.key)
        address = urlsplit(self.server)
        # http.client uses no proxy, which could not reach this address anyway.
        connection = http.client.HTTPSConnection(address.hostname or "", address.port, timeout=10, context=context)
        try:
            connection.request(method, path, body, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def ready(self) -> bool:
        """Return whether the server reports that it is ready."""
        return self.request("GET", "/readyz")[0] == 200

    def get(self, path: str) -> Manifest | None:
        """Return an object; None when it does not exist or the server does not answer."""
        status, body = self.request("GET", path)
        return json.loads(body) if status == 200 else None

    def merge(self, path: str, change: Mapping[str, Any]) -> None:
        """Change some fields of an object (a JSON merge patch: null removes)."""
        status, body = self.request("PATCH", path, json.dumps(change).encode(), "application/merge-patch+json")
        if status != 200:
            raise LocalClusterError(f"The API server refused {path} with {status}: {_message(body)}")

    def apply(self, path: str, manifest: Mapping[str, Any]) -> None:
        """Apply the manifest on the server at the path of the object; repeat it while the server is busy."""
        query = "?fieldManager=local-cluster&force=true"
        content = json.dumps(manifest).encode()
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            status, body = self.request("PATCH", path + query, content, "application/apply-patch+yaml")
            busy = status in (0, 429) or status >= 500
            if not busy or time.monotonic() > deadline:
                break
            time.sleep(PAUSE)
        if status not in (200, 201):
            raise LocalClusterError(f"The API server refused {path} with {status}: {_message(body)}")


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body).get("message", ""))
    except ValueError:
        return body.decode(errors="replace")[:200]


def administrator(server: str, authority: pki.Authority) -> Api:
    """Return a client with the administrator's certificate."""
    return Api(server, authority.certificate, authority.certificate_of("admin"), authority.key_of("admin"))
