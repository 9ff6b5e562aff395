"""Parse the spec of a session once into frozen values (that of a store: ``store_spec``).

The API server has already validated the spec against the schema and CEL rules of the CRD. Only defaults can be
missing, and a ``SpecError`` means that the CRD and this module disagree, or that the installed CRD is older.
Durations are whole seconds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

_DURATION = re.compile(r"(?P<amount>[0-9]+)(?P<unit>h|m|s)")
_SIZE = re.compile(r"(?P<amount>[1-9][0-9]{0,8})(?P<unit>Ki|Mi|Gi|Ti)")
_E = TypeVar("_E", bound=StrEnum)
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_BYTES = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}

DEFAULT_STORE = "default"
DEFAULT_URL = "https://web.whatsapp.com/"


class SpecError(ValueError):
    """A field has an invalid value; the message names the field and says how to fix it."""


class OperatingMode(StrEnum):
    """Whether the session should have a worker pod."""

    RUNNING = "Running"
    SUSPENDED = "Suspended"


class Strategy(StrEnum):
    """Authentication strategies of whatsapp-web.js."""

    NO_AUTH = "NoAuth"
    LOCAL_AUTH = "LocalAuth"
    REMOTE_AUTH = "RemoteAuth"


class Interop(StrEnum):
    """How often the worker refreshes the whatsapp-web.js-compatible copy."""

    EVERY_SAVE = "EverySave"
    HOURLY = "Hourly"
    SHUTDOWN = "Shutdown"
    NEVER = "Never"


class OnDelete(StrEnum):
    """What happens to the archives when the session is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class LinkingMethod(StrEnum):
    """How the user links a phone."""

    QR_CODE = "QRCode"
    PAIRING_CODE = "PairingCode"


@dataclass(frozen=True, slots=True)
class SecretKeyRef:
    """A key of a Secret in the session's namespace."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class RemoteAuth:
    """``spec.auth.remoteAuth`` with its defaults."""

    store: str = DEFAULT_STORE
    backup_sync_interval: int = 300
    generations: int = 3
    interop: Interop = Interop.EVERY_SAVE
    on_delete: OnDelete = OnDelete.RETAIN


@dataclass(frozen=True, slots=True)
class LocalAuth:
    """``spec.auth.localAuth`` with its defaults."""

    data_path: str = ".wwebjs_auth"
    claim_name: str | None = None
    size: str = "1Gi"
    storage_class_name: str | None = None
    on_delete: OnDelete = OnDelete.RETAIN


@dataclass(frozen=True, slots=True)
class Auth:
    """``spec.auth``; the settings of the chosen strategy are always set."""

    strategy: Strategy = Strategy.REMOTE_AUTH
    remote: RemoteAuth | None = field(default_factory=RemoteAuth)
    local: LocalAuth | None = None


@dataclass(frozen=True, slots=True)
class Linking:
    """``spec.linking``; ``timeout`` 0 means no limit."""

    method: LinkingMethod = LinkingMethod.QR_CODE
    phone_number: SecretKeyRef | None = None
    expected_account: str | None = None
    timeout: int = 1800


@dataclass(frozen=True, slots=True)
class Browser:
    """``spec.browser``."""

    url: str = DEFAULT_URL
    channel: str = "chromium"
    user_agent: str | None = None
    args: tuple[str, ...] = ()
    proxy: SecretKeyRef | None = None
    cdp_port: int | None = None
    separate_processes: bool = False
    page_owner: str = "Worker"


@dataclass(frozen=True, slots=True)
class Warnings:
    """``spec.warnings`` in bytes; 0 means no limit."""

    archive_size: int = 0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """``WhatsAppSession.spec``."""

    operating_mode: OperatingMode = OperatingMode.RUNNING
    client_id: str | None = None
    auth: Auth = field(default_factory=Auth)
    linking: Linking = field(default_factory=Linking)
    browser: Browser = field(default_factory=Browser)
    warnings: Warnings = field(default_factory=Warnings)
    lease_duration: int = 60
    pod_template: Mapping[str, Any] = field(default_factory=dict)


def duration(text: str) -> int:
    """Return the seconds of a duration such as ``5m`` or ``1h30m``.

    Raises SpecError on anything else.
    """
    position = total = 0
    while position < len(text):
        match = _DURATION.match(text, position)
        if match is None:
            break
        total += int(match["amount"]) * _SECONDS[match["unit"]]
        position = match.end()
    if not text or position != len(text):
        raise SpecError(f"{text!r} is not a duration; write whole hours, minutes and seconds such as 5m or 1h30m")
    return total


def size(text: str) -> int:
    """Return the bytes of a size such as ``500Mi``.

    Raises SpecError on anything else.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise SpecError(f"{text!r} is not a size; write a whole number and Ki, Mi, Gi or Ti such as 500Mi")
    return int(match["amount"]) * _BYTES[match["unit"]]


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SpecError(f"{where} must be an object")
    return value


def _enum(kind: type[_E], value: Any, where: str) -> _E:
    try:
        return kind(value)
    except ValueError:
        raise SpecError(f"{where} must be one of {', '.join(kind)}") from None


def _secret(value: Any, where: str) -> SecretKeyRef | None:
    if value is None:
        return None
    ref = _mapping(value, where)
    return SecretKeyRef(name=str(ref["name"]), key=str(ref["key"]))


def _limit(raw: Mapping[str, Any], name: str) -> int:
    text = _mapping(raw.get("warnings"), "spec.warnings").get(name)
    return 0 if text is None else size(str(text))


def _auth(raw: Mapping[str, Any]) -> Auth:
    strategy = _enum(Strategy, raw.get("strategy", Strategy.REMOTE_AUTH), "spec.auth.strategy")
    match strategy:
        case Strategy.NO_AUTH:
            return Auth(strategy, remote=None, local=None)
        case Strategy.LOCAL_AUTH:
            local = _mapping(raw.get("localAuth"), "spec.auth.localAuth")
            return Auth(
                strategy,
                remote=None,
                local=LocalAuth(
                    data_path=str(local.get("dataPath", ".wwebjs_auth")),
                    claim_name=local.get("claimName"),
                    size=str(local.get("size", "1Gi")),
                    storage_class_name=local.get("storageClassName"),
                    on_delete=_enum(OnDelete, local.get("onDelete", "Retain"), "spec.auth.localAuth.onDelete"),
                ),
            )
        case Strategy.REMOTE_AUTH:
            remote = _mapping(raw.get("remoteAuth"), "spec.auth.remoteAuth")
            store = _mapping(remote.get("storeRef"), "spec.auth.remoteAuth.storeRef")
            return Auth(
                strategy,
                remote=RemoteAuth(
                    store=str(store.get("name", DEFAULT_STORE)),
                    backup_sync_interval=duration(str(remote.get("backupSyncInterval", "5m"))),
                    generations=int(remote.get("generations", 3)),
                    interop=_enum(Interop, remote.get("interop", "EverySave"), "spec.auth.remoteAuth.interop"),
                    on_delete=_enum(OnDelete, remote.get("onDelete", "Retain"), "spec.auth.remoteAuth.onDelete"),
                ),
                local=None,
            )


def parse_session(spec: Mapping[str, Any] | None) -> SessionSpec:
    """Parse ``WhatsAppSession.spec`` (a plain dict, possibly empty).

    Raises SpecError with one sentence that names the field, and nothing else.
    """
    try:
        return _session(_mapping(spec, "spec"))
    except SpecError:
        raise
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise SpecError(f"a field has another type than in the CRD ({type(error).__name__})") from error


def _session(raw: Mapping[str, Any]) -> SessionSpec:
    linking = _mapping(raw.get("linking"), "spec.linking")
    browser = _mapping(raw.get("browser"), "spec.browser")
    return SessionSpec(
        operating_mode=_enum(OperatingMode, raw.get("operatingMode", "Running"), "spec.operatingMode"),
        client_id=raw.get("clientId"),
        auth=_auth(_mapping(raw.get("auth"), "spec.auth")),
        linking=Linking(
            method=_enum(LinkingMethod, linking.get("method", "QRCode"), "spec.linking.method"),
            phone_number=_secret(linking.get("phoneNumberSecretRef"), "spec.linking.phoneNumberSecretRef"),
            expected_account=linking.get("expectedAccount"),
            timeout=duration(str(linking.get("timeout", "30m"))),
        ),
        browser=Browser(
            url=str(browser.get("url", DEFAULT_URL)),
            channel=str(browser.get("channel", "chromium")),
            user_agent=browser.get("userAgent"),
            args=tuple(str(arg) for arg in browser.get("args") or ()),
            proxy=_secret(browser.get("proxySecretRef"), "spec.browser.proxySecretRef"),
            cdp_port=browser.get("cdpPort"),
            separate_processes=browser.get("separateProcesses") is True,
            page_owner=str(browser.get("pageOwner", "Worker")),
        ),
        warnings=Warnings(
            archive_size=_limit(raw, "archiveSize"),
            memory=_limit(raw, "memory"),
        ),
        lease_duration=duration(str(_mapping(raw.get("failover"), "spec.failover").get("leaseDuration", "60s"))),
        pod_template=_mapping(raw.get("podTemplate"), "spec.podTemplate"),
    )
