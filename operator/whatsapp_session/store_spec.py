"""Parse ``SessionStore.spec`` once into frozen values; a store has exactly one backend.

As in ``session_spec``, a ``SpecError`` means that the CRD and this module disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from whatsapp_session.session_spec import SecretKeyRef, SpecError


class Sse(StrEnum):
    """Server-side encryption of S3."""

    AES256 = "AES256"
    KMS = "aws:kms"


class SourceKind(StrEnum):
    """Kind of object that an entry of ``envFrom`` names."""

    SECRET = "secretRef"  # noqa: S105  a field's name, no password
    CONFIG_MAP = "configMapRef"


@dataclass(frozen=True, slots=True)
class FilesystemBackend:
    """``SessionStore.spec.filesystem``; ``path`` is relative to the root of the volume."""

    claim_name: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class S3Backend:
    """``SessionStore.spec.s3``; ``credentials`` is the name of a Secret, None means cloud identity."""

    bucket: str
    remote_data_path: str = ""
    region: str | None = None
    endpoint: str | None = None
    force_path_style: bool = False
    credentials: str | None = None
    sse: Sse | None = None
    kms_key_id: str | None = None


@dataclass(frozen=True, slots=True)
class MongoBackend:
    """``SessionStore.spec.mongodb``."""

    uri: SecretKeyRef
    database: str


@dataclass(frozen=True, slots=True)
class EnvSource:
    """One entry of ``spec.custom.envFrom``."""

    kind: SourceKind
    name: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class CustomBackend:
    """``SessionStore.spec.custom``: an entry point of the group ``whatsapp_worker.stores``.

    ``claim_name`` is a PVC for the store's files, mounted at ``names.custom_dir``.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    env_from: tuple[EnvSource, ...] = ()
    claim_name: str | None = None


class CaKind(StrEnum):
    """What ``spec.caBundle`` may name."""

    SECRET = "secretKeyRef"  # noqa: S105  a field's name, no password
    CONFIG_MAP = "configMapKeyRef"


@dataclass(frozen=True, slots=True)
class CaBundle:
    """``SessionStore.spec.caBundle``: where PEM certificates are that sign the server's."""

    kind: CaKind
    ref: SecretKeyRef


Backend: TypeAlias = FilesystemBackend | S3Backend | MongoBackend | CustomBackend


@dataclass(frozen=True, slots=True)
class StoreSpec:
    """``SessionStore.spec``."""

    backend: Backend
    encryption_key: SecretKeyRef | None = None
    allow_unfenced: bool = False
    ca_bundle: CaBundle | None = None
    proxy: SecretKeyRef | None = None
    """Address of an HTTP proxy on the way to the store."""


def pvc_name(backend: Backend) -> str | None:
    """Return the name of the PVC that the pods of a store mount, None for a store without one."""
    match backend:
        case FilesystemBackend(claim_name=name) | CustomBackend(claim_name=name):
            return name
        case _:
            return None


_MEMBERS = ("filesystem", "s3", "mongodb", "custom")


def parse_store(spec: Mapping[str, Any] | None) -> StoreSpec:
    """Parse ``SessionStore.spec``; raises only SpecError, unless exactly one known backend is set and complete."""
    try:
        return _store(spec or {})
    except SpecError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SpecError(f"a field has another type than in the CRD ({type(error).__name__})") from error


def _store(raw: Mapping[str, Any]) -> StoreSpec:
    given = [member for member in _MEMBERS if raw.get(member) is not None]
    if len(given) != 1:
        raise SpecError(
            f"spec must contain exactly one backend of {', '.join(f'spec.{member}' for member in _MEMBERS)}"
        )
    encryption = raw.get("encryption") or {}
    return StoreSpec(
        backend=_backend(given[0], raw[given[0]]),
        encryption_key=_key(encryption, "keySecretRef", "spec.encryption") if encryption else None,
        allow_unfenced=bool(raw.get("allowUnfenced", False)),
        ca_bundle=_ca_bundle(raw["caBundle"]) if raw.get("caBundle") else None,
        proxy=_key(raw, "proxySecretRef", "spec") if raw.get("proxySecretRef") else None,
    )


def _backend(member: str, raw: Mapping[str, Any]) -> Backend:
    where = f"spec.{member}"
    match member:
        case "filesystem":
            return FilesystemBackend(_text(raw, "claimName", where), str(raw.get("path", "")))
        case "s3":
            return _s3(raw, where)
        case "mongodb":
            return MongoBackend(_key(raw, "uriSecretRef", where), _text(raw, "database", where))
        case _:
            return CustomBackend(
                name=_text(raw, "name", where),
                options={str(name): str(value) for name, value in (raw.get("options") or {}).items()},
                image=raw.get("image"),
                env_from=tuple(_source(item) for item in raw.get("envFrom") or ()),
                claim_name=raw.get("claimName"),
            )


def _s3(raw: Mapping[str, Any], where: str) -> S3Backend:
    encryption = raw.get("serverSideEncryption") or {}
    return S3Backend(
        bucket=_text(raw, "bucket", where),
        remote_data_path=str(raw.get("remoteDataPath", "")),
        region=raw.get("region"),
        endpoint=raw.get("endpoint"),
        force_path_style=bool(raw.get("forcePathStyle", False)),
        credentials=(raw.get("credentialsSecretRef") or {}).get("name"),
        sse=_sse(encryption["type"]) if encryption else None,
        kms_key_id=encryption.get("kmsKeyId"),
    )


def _sse(word: Any) -> Sse:
    try:
        return Sse(word)
    except ValueError:
        raise SpecError(f"spec.s3.serverSideEncryption.type must be one of {', '.join(Sse)}") from None


def _source(raw: Mapping[str, Any]) -> EnvSource:
    for kind in SourceKind:
        if raw.get(kind) is not None:
            return EnvSource(kind, _text(raw[kind], "name", f"spec.custom.envFrom.{kind}"), str(raw.get("prefix", "")))
    raise SpecError("each entry of spec.custom.envFrom must set secretRef or configMapRef")


def _ca_bundle(raw: Mapping[str, Any]) -> CaBundle:
    for kind in CaKind:
        if raw.get(kind) is not None:
            return CaBundle(kind, _key(raw, kind, "spec.caBundle"))
    raise SpecError("spec.caBundle must name a configMapKeyRef or a secretKeyRef")


def _text(raw: Mapping[str, Any], name: str, where: str) -> str:
    if not raw.get(name):
        raise SpecError(f"{where}.{name} must be set")
    return str(raw[name])


def _key(raw: Mapping[str, Any], name: str, where: str) -> SecretKeyRef:
    ref = raw.get(name) or {}
    return SecretKeyRef(_text(ref, "name", f"{where}.{name}"), _text(ref, "key", f"{where}.{name}"))
