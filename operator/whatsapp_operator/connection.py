"""Find the API server: from the service account of the pod, or from a kubeconfig.

Only a kubeconfig needs the Kubernetes client's models and plug-ins. They are imported only then, because that takes
half a second of CPU.
"""

import os
import ssl
import time
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from whatsapp_operator.errors import UsageError

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
ACCOUNT_VARIABLE: Final = "WHATSAPP_SERVICE_ACCOUNT_DIR"
"""Variable of the environment that names another directory of the service account."""
TOKEN_SECONDS: Final = 60.0
"""Seconds after which the token is read again, because the kubelet renews it."""

Authorization = Callable[[], Awaitable[str | None]]
"""Returns the present value of the header Authorization, None if there is none."""


async def _nobody() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Connection:
    """Address of the API server, and how to speak with it."""

    server: str
    context: ssl.SSLContext = field(repr=False)
    ca_file: str | None = None
    authorization: Authorization = field(default=_nobody, repr=False)
    proxy: str | None = field(default=None, repr=False)
    certificate_file: str | None = None
    key_file: str | None = None
    insecure: bool = False
    server_name: str | None = None
    """The name in the server's certificate, None for that of the address."""

    async def token(self) -> str | None:
        """Return the present token, None if there is none."""
        bearer = await self.authorization()
        # The client writes the scheme differently: "Bearer " from a kubeconfig, "bearer " in a pod.
        return None if bearer is None else bearer.rpartition(" ")[2]


async def find(kubeconfig: str | None, context: str | None, environ: Mapping[str, str] = os.environ) -> Connection:
    """Return the connection of the pod, if there is one and no kubeconfig is given, else that of the kubeconfig.

    Raises UsageError if neither works.
    """
    account = Path(environ.get(ACCOUNT_VARIABLE, ACCOUNT))
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if kubeconfig is None and context is None and host and port and (account / "token").is_file():
        return _in_pod(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}", account)
    return await _of_kubeconfig(kubeconfig, context)


def _in_pod(server: str, account: Path) -> Connection:
    file, read = account / "token", [("", float("-inf"))]

    async def authorization() -> str | None:
        token, at = read[0]
        if time.monotonic() - at >= TOKEN_SECONDS:
            token = file.read_text().strip()
            read[0] = token, time.monotonic()
        return f"Bearer {token}"

    authority = str(account / "ca.crt")
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise UsageError(f"the operator cannot read the cluster's CA certificate {authority}: {error}") from error
    return Connection(server, context, authority, authorization, _proxy(server))


async def _of_kubeconfig(kubeconfig: str | None, context: str | None) -> Connection:
    import kubernetes.aio.client
    import kubernetes.aio.config

    # The package only has types for its models, which are not used here.
    client: Any = kubernetes.aio.client
    config: Any = kubernetes.aio.config
    loaded = client.Configuration()
    try:
        await config.load_kube_config(
            config_file=kubeconfig, context=context, client_configuration=loaded, persist_config=False
        )
        return _loaded(loaded)
    except (config.ConfigException, OSError) as error:
        raise UsageError(f"invalid kubeconfig: {error}; set --kubeconfig or KUBECONFIG") from error
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        # The client does not validate the file. Its messages can quote the file, which contains credentials.
        raise UsageError(
            "invalid kubeconfig: expected YAML with clusters, users and contexts; set --kubeconfig or KUBECONFIG"
        ) from error


def _loaded(loaded: Any) -> Connection:
    context = ssl.create_default_context(cafile=loaded.ssl_ca_cert, cadata=loaded.ca_cert_data)
    if loaded.cert_file:
        context.load_cert_chain(loaded.cert_file, keyfile=loaded.key_file)
    if not loaded.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

    async def authorization() -> str | None:
        # The client runs the user's plug-in or reads the token file again when the token expires.
        bearer = await loaded.get_api_key_with_prefix("BearerToken")
        return None if bearer is None else str(bearer)

    return Connection(
        loaded.host.rstrip("/"),
        context,
        loaded.ssl_ca_cert,
        authorization,
        loaded.proxy or _proxy(loaded.host),
        loaded.cert_file,
        loaded.key_file,
        not loaded.verify_ssl,
        loaded.tls_server_name or None,
    )


def _proxy(server: str) -> str | None:
    """Return the proxy to a server that the environment names (HTTPS_PROXY, NO_PROXY), None if there is none."""
    address = urlsplit(server)
    if urllib.request.proxy_bypass(address.hostname or ""):
        return None
    return urllib.request.getproxies().get(address.scheme)
