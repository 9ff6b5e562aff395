"""Pass the settings of a session from operator to worker as environment variables.

The worker has no right to read its own resource (least privilege), so the template of its pod contains all settings,
and the template hash covers them. The table ``SETTINGS`` maps attributes to variables; ``to_env`` and ``from_env`` use
it and are inverse to each other. Variables never contain secrets, only paths of files into which Secrets are mounted.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from whatsapp_session.session_spec import DEFAULT_URL, Interop, LinkingMethod, SpecError, Strategy

PREFIX = "WHATSAPP_"

POD_NAME = f"{PREFIX}POD_NAME"
POD_UID = f"{PREFIX}POD_UID"
POD_NAMESPACE = f"{PREFIX}POD_NAMESPACE"
NODE_NAME = f"{PREFIX}NODE_NAME"
DOWNWARD = {
    NODE_NAME: "spec.nodeName",
    POD_NAME: "metadata.name",
    POD_NAMESPACE: "metadata.namespace",
    POD_UID: "metadata.uid",
}
"""Variables that the downward API sets in the pod, with their fields; to_env() omits them."""


@dataclass(frozen=True, slots=True)
class ResourceIdentity:
    """The session of a worker and its pod."""

    cluster: str
    """UID of the cluster's kube-system namespace."""
    namespace: str
    name: str
    uid: str
    pod_name: str
    pod_uid: str
    node_name: str


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """All settings of a worker; times are whole seconds, 0 for ``linking_timeout`` means no limit."""

    strategy: Strategy = Strategy.NO_AUTH
    client_id: str = ""
    data_path: str = "."
    """Parent directory of the profile (``dataPath`` of RemoteAuth and LocalAuth)."""
    store: str | None = None
    """Address of the store, such as ``file:DIRECTORY``; it never contains a credential."""
    store_secrets: str | None = None
    """Directory with one file per credential of the store; the files are read again at each use."""
    store_network: str | None = None
    """Directory with ``ca.crt`` (PEM certificates that sign the server's) and ``proxy`` (an address), or either."""
    store_options: Mapping[str, str] = field(default_factory=dict)
    """Options of a custom store."""
    allow_unfenced: bool = False
    """Whether the user accepts a store without atomic creates."""
    encryption_key_file: str | None = None
    """File with the encryption key; None means no encryption."""
    backup_sync_interval: int = 300
    generations: int = 3
    interop: Interop = Interop.EVERY_SAVE
    linking_method: LinkingMethod = LinkingMethod.QR_CODE
    linking_timeout: int = 1800
    expected_account: str | None = None
    browser_url: str = DEFAULT_URL
    browser_channel: str = "chromium"
    browser_user_agent: str | None = None
    browser_args: tuple[str, ...] = ()
    separate_processes: bool = False
    """Whether the browser runs in as many processes as it does by itself."""
    page_owner: str = "Worker"
    cdp_port: int = 0
    proxy_file: str | None = None
    phone_number_file: str | None = None
    archive_warning: int = 0
    """Size of an archive in bytes above which the worker warns, 0 means never; the same for ``memory_warning``."""
    memory_warning: int = 0
    lease_duration: int = 60
    health_port: int | None = None
    resource: ResourceIdentity | None = None
    """None if the worker runs without Kubernetes."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The variable of an attribute, with its conversions."""

    attribute: str
    variable: str
    parse: Callable[[str], Any] = str
    """Raises ValueError with the allowed values."""
    render: Callable[[Any], str] = str
    always: bool = False
    """Whether to_env() also writes the default; other settings are omitted, so that the template keeps its hash."""


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"must be a whole number, not {text!r}")
    return int(text)


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"must be true or false, not {text!r}")
    return text == "true"


def _one_of(kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    def parse(text: str) -> StrEnum:
        if text not in list(kind):
            raise ValueError(f"must be one of {', '.join(kind)}, not {text!r}")
        return kind(text)

    return parse


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _strings(text: str) -> tuple[str, ...]:
    value = _json(text)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a JSON list of strings")
    return tuple(value)


def _object(text: str) -> dict[str, str]:
    value = _json(text)
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("must be a JSON object whose values are strings")
    return value


SETTINGS = (
    Setting("strategy", "AUTH_STRATEGY", _one_of(Strategy), always=True),
    Setting("client_id", "CLIENT_ID", always=True),
    Setting("data_path", "DATA_PATH", always=True),
    Setting("store", "STORE"),
    Setting("store_secrets", "STORE_SECRETS"),
    Setting("store_network", "STORE_NETWORK"),
    Setting("store_options", "STORE_OPTIONS", _object, lambda value: json.dumps(dict(value), sort_keys=True)),
    Setting("allow_unfenced", "STORE_ALLOW_UNFENCED", _truth, lambda value: str(value).lower()),
    Setting("encryption_key_file", "ENCRYPTION_KEY_FILE"),
    Setting("backup_sync_interval", "BACKUP_SYNC_INTERVAL_SECONDS", _whole, always=True),
    Setting("generations", "GENERATIONS", _whole, always=True),
    Setting("interop", "INTEROP", _one_of(Interop), always=True),
    Setting("linking_method", "LINKING_METHOD", _one_of(LinkingMethod), always=True),
    Setting("linking_timeout", "LINKING_TIMEOUT_SECONDS", _whole, always=True),
    Setting("phone_number_file", "PHONE_NUMBER_FILE"),
    Setting("expected_account", "EXPECTED_ACCOUNT"),
    Setting("browser_url", "BROWSER_URL", always=True),
    Setting("browser_channel", "BROWSER_CHANNEL", always=True),
    Setting("browser_user_agent", "BROWSER_USER_AGENT"),
    Setting("browser_args", "BROWSER_ARGS", _strings, json.dumps),
    Setting("separate_processes", "BROWSER_SEPARATE_PROCESSES", _truth, lambda value: str(value).lower()),
    Setting("page_owner", "PAGE_OWNER"),
    Setting("cdp_port", "CDP_PORT", _whole),
    Setting("proxy_file", "PROXY_FILE"),
    Setting("archive_warning", "ARCHIVE_WARNING_BYTES", _whole),
    Setting("memory_warning", "MEMORY_WARNING_BYTES", _whole),
    Setting("lease_duration", "LEASE_DURATION_SECONDS", _whole, always=True),
    Setting("health_port", "HEALTH_PORT", lambda text: _whole(text) or None),
)
_IDENTITY = {
    "cluster": f"{PREFIX}CLUSTER_UID",
    "namespace": POD_NAMESPACE,
    "name": f"{PREFIX}SESSION_NAME",
    "uid": f"{PREFIX}SESSION_UID",
    "pod_name": POD_NAME,
    "pod_uid": POD_UID,
    "node_name": NODE_NAME,
}
"""Variables of a ``ResourceIdentity``."""
_DEFAULT = WorkerConfig()


def to_env(config: WorkerConfig) -> dict[str, str]:
    """Return the variables of ``config``, sorted by name, without those of the downward API."""
    env = {
        f"{PREFIX}{setting.variable}": setting.render(value)
        for setting in SETTINGS
        if (value := getattr(config, setting.attribute)) != getattr(_DEFAULT, setting.attribute) or setting.always
    }
    if config.resource is not None:
        told = {variable: getattr(config.resource, attribute) for attribute, variable in _IDENTITY.items()}
        env |= {variable: value for variable, value in told.items() if variable not in DOWNWARD}
    return dict(sorted(env.items()))


def from_env(environ: Mapping[str, str]) -> WorkerConfig:
    """Parse the worker's environment.

    Raises SpecError with one sentence that names the variable and its allowed values. Unknown variables are ignored, so
    that workers of a newer operator do not crash.
    """
    told = {
        setting.attribute: _parsed(setting.parse, environ[variable], variable)
        for setting in SETTINGS
        if (variable := f"{PREFIX}{setting.variable}") in environ
    }
    return WorkerConfig(**told, resource=_resource(environ))


def options(text: str) -> dict[str, str]:
    """Parse the options of a custom store; raises SpecError."""
    told: dict[str, str] = _parsed(_object, text, "the options of a store")
    return told


def _parsed(parse: Callable[[str], Any], text: str, where: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise SpecError(f"{where} {error}") from None


def _resource(environ: Mapping[str, str]) -> ResourceIdentity | None:
    if _IDENTITY["name"] not in environ:
        return None
    missing = [variable for variable in _IDENTITY.values() if not environ.get(variable)]
    if missing:
        raise SpecError(f"{', '.join(missing)} must be set for a worker in Kubernetes; the operator's pod does so")
    return ResourceIdentity(**{attribute: environ[variable] for attribute, variable in _IDENTITY.items()})
