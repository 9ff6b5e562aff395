"""Carry a session's settings from operator to worker as environment variables.

The worker may not read its own resource (least privilege), so everything it needs is in its pod's template, where the
template hash covers it. ``to_env`` and ``from_env`` are inverse to each other. Secrets never travel here: they are
mounted as files whose paths do.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from whatsapp_session.session_spec import DEFAULT_URL, Interop, LinkingMethod, SpecError, Strategy

PREFIX = "WHATSAPP_"

# Set by the downward API in the pod, hence never part of to_env().
POD_NAME = f"{PREFIX}POD_NAME"
POD_UID = f"{PREFIX}POD_UID"
POD_NAMESPACE = f"{PREFIX}POD_NAMESPACE"
NODE_NAME = f"{PREFIX}NODE_NAME"


@dataclass(frozen=True, slots=True)
class ResourceIdentity:
    """The resource that a worker serves and the pod that it is."""

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
    """Everything a worker is told; times are whole seconds, 0 for ``linking_timeout`` means no limit."""

    strategy: Strategy = Strategy.NO_AUTH
    client_id: str = ""
    data_path: str = "."
    """Directory that holds the profile's directory (RemoteAuth's and LocalAuth's ``dataPath``)."""
    store: str | None = None
    """Address of the store, such as ``file:DIRECTORY``; it never holds a credential."""
    store_secrets: str | None = None
    """Directory with one file for each of the store's credentials, read again at each use."""
    store_options: Mapping[str, str] = field(default_factory=dict)
    """Options of a store of somebody else's making."""
    allow_unfenced: bool = False
    """The user accepts a store that cannot create exclusively."""
    encryption_key_file: str | None = None
    """File with the key that archives are encrypted with; None stores them as they are."""
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
    archive_warning: int = 0
    """Bytes of an archive above which the user wants to be told, 0 = never; the same for ``memory_warning``."""
    memory_warning: int = 0
    lease_duration: int = 60
    health_port: int | None = None
    resource: ResourceIdentity | None = None
    """None when the worker runs without Kubernetes."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Variables of the prefix that this version does not know; carried so that a newer operator is no crash."""


_TEXT = {
    "STORE": "store",
    "STORE_SECRETS": "store_secrets",
    "ENCRYPTION_KEY_FILE": "encryption_key_file",
    "EXPECTED_ACCOUNT": "expected_account",
    "BROWSER_USER_AGENT": "browser_user_agent",
}
_PLAIN = {
    "CLIENT_ID": "client_id",
    "DATA_PATH": "data_path",
    "BROWSER_URL": "browser_url",
    "BROWSER_CHANNEL": "browser_channel",
}
_LIMITS = {"ARCHIVE_WARNING_BYTES": "archive_warning", "MEMORY_WARNING_BYTES": "memory_warning"}
"""Left out when they are 0, so that a template without them keeps its hash."""
_SECONDS = {
    "BACKUP_SYNC_INTERVAL_SECONDS": "backup_sync_interval",
    "LINKING_TIMEOUT_SECONDS": "linking_timeout",
    "LEASE_DURATION_SECONDS": "lease_duration",
    "GENERATIONS": "generations",
}
_RESOURCE = ("CLUSTER_UID", "SESSION_NAME", "SESSION_UID")
_DOWNWARD = (POD_NAME, POD_UID, POD_NAMESPACE, NODE_NAME)
_KNOWN = (
    {
        "AUTH_STRATEGY",
        "INTEROP",
        "LINKING_METHOD",
        "BROWSER_ARGS",
        "HEALTH_PORT",
        "STORE_OPTIONS",
        "STORE_ALLOW_UNFENCED",
    }
    | _TEXT.keys()
    | _PLAIN.keys()
    | _SECONDS.keys()
    | _LIMITS.keys()
    | set(_RESOURCE)
    | {name.removeprefix(PREFIX) for name in _DOWNWARD}
)


def to_env(config: WorkerConfig) -> dict[str, str]:
    """Return the variables of ``config`` without those of the downward API, sorted by name."""
    env = {
        "AUTH_STRATEGY": str(config.strategy),
        "INTEROP": str(config.interop),
        "LINKING_METHOD": str(config.linking_method),
    }
    env |= {name: str(getattr(config, attribute)) for name, attribute in {**_PLAIN, **_SECONDS}.items()}
    env |= {name: value for name, attribute in _TEXT.items() if (value := getattr(config, attribute)) is not None}
    env |= {name: str(value) for name, attribute in _LIMITS.items() if (value := getattr(config, attribute))}
    if config.browser_args:
        env["BROWSER_ARGS"] = json.dumps(list(config.browser_args))
    if config.store_options:
        env["STORE_OPTIONS"] = json.dumps(dict(config.store_options), sort_keys=True)
    if config.allow_unfenced:
        env["STORE_ALLOW_UNFENCED"] = "true"
    if config.health_port is not None:
        env["HEALTH_PORT"] = str(config.health_port)
    if config.resource is not None:
        env |= {
            "CLUSTER_UID": config.resource.cluster,
            "SESSION_NAME": config.resource.name,
            "SESSION_UID": config.resource.uid,
        }
    env |= config.extra
    return {f"{PREFIX}{name}": env[name] for name in sorted(env)}


def _whole(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise SpecError(f"{PREFIX}{name} must be a whole number, not {text!r}")
    return int(text)


def _args(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SpecError(f"{PREFIX}BROWSER_ARGS must be a JSON list of strings")
    return tuple(value)


def options(text: str, where: str = "the options of a store") -> dict[str, str]:
    """Parse the options of a store of somebody else's making; raises SpecError that names ``where`` they stand."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise SpecError(f"{where} must be a JSON object whose values are strings")
    return value


def _options(text: str | None) -> dict[str, str]:
    return {} if text is None else options(text, f"{PREFIX}STORE_OPTIONS")


def _truth(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name, "false")
    if text not in ("true", "false"):
        raise SpecError(f"{PREFIX}{name} must be true or false, not {text!r}")
    return text == "true"


def _resource(environ: Mapping[str, str], env: Mapping[str, str]) -> ResourceIdentity | None:
    if "SESSION_NAME" not in env:
        return None
    missing = [f"{PREFIX}{name}" for name in _RESOURCE if not env.get(name)]
    missing += [name for name in _DOWNWARD if not environ.get(name)]
    if missing:
        raise SpecError(f"{', '.join(missing)} must be set for a worker in Kubernetes; the operator's pod does so")
    return ResourceIdentity(
        cluster=env["CLUSTER_UID"],
        namespace=environ[POD_NAMESPACE],
        name=env["SESSION_NAME"],
        uid=env["SESSION_UID"],
        pod_name=environ[POD_NAME],
        pod_uid=environ[POD_UID],
        node_name=environ[NODE_NAME],
    )


def from_env(environ: Mapping[str, str]) -> WorkerConfig:
    """Parse the worker's environment.

    Raises SpecError with one sentence that names the variable and says what it must be.
    """
    env = {name.removeprefix(PREFIX): value for name, value in environ.items() if name.startswith(PREFIX)}
    default = WorkerConfig()
    try:
        strategy = Strategy(env.get("AUTH_STRATEGY", default.strategy))
        interop = Interop(env.get("INTEROP", default.interop))
        method = LinkingMethod(env.get("LINKING_METHOD", default.linking_method))
    except ValueError as error:
        raise SpecError(f"the worker's environment is not understood: {error}") from None
    seconds = {
        attribute: _whole(env, name, getattr(default, attribute)) for name, attribute in (_SECONDS | _LIMITS).items()
    }
    return WorkerConfig(
        strategy=strategy,
        interop=interop,
        linking_method=method,
        client_id=env.get("CLIENT_ID", default.client_id),
        data_path=env.get("DATA_PATH", default.data_path),
        browser_url=env.get("BROWSER_URL", default.browser_url),
        browser_channel=env.get("BROWSER_CHANNEL", default.browser_channel),
        store=env.get("STORE"),
        store_secrets=env.get("STORE_SECRETS"),
        store_options=_options(env.get("STORE_OPTIONS")),
        allow_unfenced=_truth(env, "STORE_ALLOW_UNFENCED"),
        encryption_key_file=env.get("ENCRYPTION_KEY_FILE"),
        expected_account=env.get("EXPECTED_ACCOUNT"),
        browser_user_agent=env.get("BROWSER_USER_AGENT"),
        browser_args=_args(env.get("BROWSER_ARGS")),
        health_port=_whole(env, "HEALTH_PORT", 0) or None,
        resource=_resource(environ, env),
        extra={name: value for name, value in env.items() if name not in _KNOWN},
        backup_sync_interval=seconds["backup_sync_interval"],
        linking_timeout=seconds["linking_timeout"],
        lease_duration=seconds["lease_duration"],
        archive_warning=seconds["archive_warning"],
        memory_warning=seconds["memory_warning"],
        generations=seconds["generations"],
    )
