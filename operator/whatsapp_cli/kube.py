"""Access WhatsAppSessions; no other module of the command uses the Kubernetes client.

Sessions are plain dicts as the API server returns them. The client is only imported for the first request, because the
import takes most of a second, and ``--help`` should be fast.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from whatsapp_cli.errors import CliError, ClusterError, NotFoundError, SilentError, UsageError
from whatsapp_kube import requests
from whatsapp_kube.requests import Ref, Request
from whatsapp_session import names, timestamps

Resource = requests.Manifest
REQUEST_TIMEOUT_SECONDS = 10


class Sessions(Protocol):
    """Requests of the commands to a cluster."""

    @property
    def namespace(self) -> str:
        """Return the namespace of names without one."""

    def get(self, name: str) -> Resource:
        """Return one session; raises NotFoundError or ClusterError."""

    def list(self, namespace: str | None) -> list[Resource]:
        """Return the sessions of a namespace, or of all with None; raises NotFoundError or ClusterError."""

    def request(self, name: str, request: str, now: datetime) -> None:
        """Write a request (``relink``) with the time ``now`` to a session; raises NotFoundError or ClusterError."""


@dataclass(frozen=True, slots=True)
class Target:
    """Cluster and namespace; None selects the value of the kubeconfig."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None


class ClusterSessions:
    """Sessions of the cluster of a kubeconfig, or of the pod's service account."""

    def __init__(self, target: Target) -> None:
        import kubernetes
        import kubernetes.dynamic
        import yaml

        client: Any = kubernetes.client  # the package ships no type information
        config: Any = kubernetes.config
        dynamic: Any = kubernetes.dynamic
        self._exceptions = client.exceptions
        try:
            api_client = config.new_client_from_config(config_file=target.kubeconfig, context=target.context)
            self._namespace = target.namespace or _context_namespace(config, target)
        except (config.ConfigException, OSError) as error:
            raise UsageError(f"invalid kubeconfig: {error}; set --kubeconfig or KUBECONFIG") from error
        except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
            # The client does not validate the file. Its messages can quote the file, which contains credentials.
            raise UsageError(
                "invalid kubeconfig: expected YAML with clusters, users and contexts; set --kubeconfig or KUBECONFIG"
            ) from error
        # Without discovery: the paths are known, and discovery writes a cache file into a shared directory.
        self._client = dynamic.DynamicClient(api_client, discoverer=lambda *_: None)

    @property
    def namespace(self) -> str:
        """Return the namespace of the flag, else of the kubeconfig's context, else ``default``."""
        return self._namespace

    def get(self, name: str) -> Resource:
        """Return one session."""
        return self._send(requests.get(self._ref(name)), f"session {self._namespace}/{name}")

    def list(self, namespace: str | None) -> list[Resource]:
        """Return sessions by namespace and name."""
        found = self._send(requests.items(names.SESSION_KIND, namespace or ""), "sessions")
        items: list[Resource] = found["items"]
        return sorted(items, key=lambda item: (item["metadata"]["namespace"], item["metadata"]["name"]))

    def request(self, name: str, request: str, now: datetime) -> None:
        """Annotate the session; the operator confirms the time in ``status.handledRequests``."""
        annotations = {names.request_annotation(request): timestamps.rfc3339(now)}
        change = requests.merge(self._ref(name), {"metadata": {"annotations": annotations}})
        self._send(change, f"session {self._namespace}/{name}")

    def _ref(self, name: str) -> Ref:
        return Ref(names.SESSION_KIND, self._namespace, name)

    def _send(self, request: Request, what: str) -> Resource:
        # urllib3 raises errors of the transport, ApiException is an answer of the server.
        import urllib3

        try:
            answer: Resource = self._client.request(
                request.method.lower(),
                request.path,
                body=request.body,
                content_type=request.content_type,
                serializer=lambda _, data: data,
                _request_timeout=REQUEST_TIMEOUT_SECONDS,
            )
        except self._exceptions.ApiException as error:
            raise failure(what, error.status or 0, error.reason) from error
        except urllib3.exceptions.HTTPError as error:
            raise SilentError("the API server does not answer; check `kubectl cluster-info`") from error
        return answer


def failure(what: str, status: int, reason: str) -> CliError:
    """Return the error for an answer with this HTTP status to a request for ``what``."""
    if status == 404:
        return NotFoundError(
            f"{what} not found; `kubectl whatsapp list -A` lists all sessions"
            " (if that fails too, install the operator's CRDs)"
        )
    if status == 429 or status >= 500:
        return SilentError(f"the API server cannot answer now, try again later: {status} {reason}")
    return ClusterError(f"the API server refused access to {what}: {status} {reason}")


def _context_namespace(config: Any, target: Target) -> str:
    contexts, active = config.list_kube_config_contexts(config_file=target.kubeconfig)
    chosen = next((item for item in contexts if item["name"] == target.context), active)
    return str(chosen["context"].get("namespace", "default"))
