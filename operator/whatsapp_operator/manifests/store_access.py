"""Build a pod's access to a store: volumes, mounts and environment, the same for workers, checks and purges."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, assert_never
from urllib.parse import urlencode

from whatsapp_operator.observed.state import Store
from whatsapp_session import names, worker_config
from whatsapp_session.session_spec import SecretKeyRef
from whatsapp_session.store_spec import (
    Backend,
    CaKind,
    CustomBackend,
    FilesystemBackend,
    MongoBackend,
    S3Backend,
    StoreSpec,
)

Manifest = dict[str, Any]
SECRETS_DIR = "/var/run/secrets/whatsapp"
SECRET_MODE = 0o440
"""Mode of the files in the operator's volumes: the pod's fsGroup reads them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Location of a store in a pod: names of volumes, and directories."""

    prefix: str
    store: str
    credentials: str
    encryption: str
    network: str


OWN = Place("", names.STORE_DIR, f"{SECRETS_DIR}/store", f"{SECRETS_DIR}/encryption", f"{SECRETS_DIR}/network")
"""The only store of a pod, or the target store of a move."""
SOURCE = Place(
    "source-",
    names.SOURCE_DIR,
    f"{SECRETS_DIR}/source-store",
    f"{SECRETS_DIR}/source-encryption",
    f"{SECRETS_DIR}/source-network",
)
"""The source store of a move."""
FILES = frozenset(
    place.prefix + name for place in (OWN, SOURCE) for name in ("store-credentials", "encryption", "store-network")
)
"""Names of the volumes with Secrets and certificates."""
_S3_KEYS = ("accessKeyId", "secretAccessKey")


def told(config: worker_config.WorkerConfig, store: Store, place: Place = OWN) -> worker_config.WorkerConfig:
    """Return the settings with those of the store added."""
    spec = store.spec
    return dataclasses.replace(
        config,
        store=address(spec.backend, place),
        store_secrets=place.credentials if _has_credentials(spec.backend) else None,
        store_network=place.network if spec.ca_bundle is not None or spec.proxy is not None else None,
        store_options=spec.backend.options if isinstance(spec.backend, CustomBackend) else {},
        allow_unfenced=spec.allow_unfenced,
        encryption_key_file=None if spec.encryption_key is None else f"{place.encryption}/value",
    )


def volumes(store: Store, place: Place = OWN, *, optional: bool = False) -> list[Manifest]:
    """Return the volumes for the store and its Secrets.

    With ``optional`` the pod starts without its Secrets too, so that its process can report which are missing.
    """
    return [{"name": place.prefix + name, **source} for name, source in _sources(store.spec, optional=optional)]


def mounts(store: Store, place: Place = OWN) -> list[Manifest]:
    """Return the mounts of these volumes."""
    # No subPath for Secrets: such a mount is not updated when the Secret changes.
    paths = {
        "store": place.store,
        "store-credentials": place.credentials,
        "encryption": place.encryption,
        "store-network": place.network,
    }
    found: list[Manifest] = []
    for name, _ in _sources(store.spec, optional=False):
        mount: Manifest = {"name": place.prefix + name, "mountPath": paths[name]}
        match store.spec.backend:
            case FilesystemBackend(path=path) if name == "store":
                found.append(mount | ({"subPath": path} if path else {}))
            case CustomBackend() if name == "store":
                found.append(mount | {"mountPath": names.custom_dir(store.name)})
            case _:
                found.append(mount | {"readOnly": True})
    return found


def env_from(store: Store) -> list[Manifest]:
    """Return the ``envFrom`` entries of a custom store."""
    backend = store.spec.backend
    return [
        {**({"prefix": source.prefix} if source.prefix else {}), str(source.kind): {"name": source.name}}
        for source in (backend.env_from if isinstance(backend, CustomBackend) else ())
    ]


def image(store: Store, default: str) -> str:
    """Return the image for the pods of this store."""
    backend = store.spec.backend
    return (backend.image if isinstance(backend, CustomBackend) else None) or default


def address(backend: Backend, place: Place = OWN) -> str:
    """Return the address of the store for the worker; it never contains a credential."""
    match backend:
        case FilesystemBackend():
            return f"file:{place.store}"
        case S3Backend():
            settings = {
                "region": backend.region,
                "endpoint": backend.endpoint,
                "forcePathStyle": "true" if backend.force_path_style else None,
                "sse": backend.sse,
                "kmsKeyId": backend.kms_key_id,
            }
            query = urlencode({name: value for name, value in settings.items() if value is not None}, safe=":/")
            where = "/".join(filter(None, (backend.bucket, backend.remote_data_path)))
            return f"s3:{where}" + (f"?{query}" if query else "")
        case MongoBackend():
            return f"mongodb:{backend.database}"
        case CustomBackend():
            return f"{backend.name}:"
        case _:
            assert_never(backend)


def kind(backend: Backend) -> str:
    """Return the display name of the backend."""
    match backend:
        case FilesystemBackend():
            return "Filesystem"
        case S3Backend():
            return "S3"
        case MongoBackend():
            return "MongoDB"
        case CustomBackend():
            return backend.name
        case _:
            assert_never(backend)


def location(backend: Backend) -> str:
    """Return the display name of the archives' location in the backend; "" if only the backend knows it."""
    match backend:
        case FilesystemBackend():
            return "/".join(filter(None, (backend.claim_name, backend.path)))
        case S3Backend():
            return "/".join(filter(None, (backend.bucket, backend.remote_data_path)))
        case MongoBackend():
            return backend.database
        case CustomBackend():
            return backend.claim_name or ""
        case _:
            assert_never(backend)


def _sources(spec: StoreSpec, *, optional: bool) -> Iterator[tuple[str, Manifest]]:
    match spec.backend:
        case FilesystemBackend(claim_name=str(claim)) | CustomBackend(claim_name=str(claim)):
            yield "store", {"persistentVolumeClaim": {"claimName": claim}}
        case S3Backend(credentials=str(secret)):
            needed: Manifest = {"name": secret, "items": [{"key": key, "path": key} for key in _S3_KEYS]}
            token = {"name": secret, "items": [{"key": "sessionToken", "path": "sessionToken"}], "optional": True}
            sources = [{"secret": needed | ({"optional": True} if optional else {})}, {"secret": token}]
            yield "store-credentials", {"projected": {"defaultMode": SECRET_MODE, "sources": sources}}
        case MongoBackend(uri=ref):
            yield "store-credentials", {"secret": _secret(ref, "uri", optional=optional)}
        case _:
            pass
    if spec.encryption_key is not None:
        yield "encryption", {"secret": _secret(spec.encryption_key, "value", optional=optional)}
    network = list(_network(spec, optional=optional))
    if network:
        yield "store-network", {"projected": {"defaultMode": SECRET_MODE, "sources": network}}


def _network(spec: StoreSpec, *, optional: bool) -> Iterator[Manifest]:
    """Yield the sources of the directory that tells the way to the server."""
    missing = {"optional": True} if optional else {}
    if spec.ca_bundle is not None:
        kind, ref = spec.ca_bundle.kind, spec.ca_bundle.ref
        source = "secret" if kind is CaKind.SECRET else "configMap"
        yield {source: {"name": ref.name, "items": [{"key": ref.key, "path": "ca.crt"}], **missing}}
    if spec.proxy is not None:
        yield {"secret": {"name": spec.proxy.name, "items": [{"key": spec.proxy.key, "path": "proxy"}], **missing}}


def _secret(ref: SecretKeyRef, file: str, *, optional: bool) -> Manifest:
    items = [{"key": ref.key, "path": file}]
    source: Manifest = {"secretName": ref.name, "items": items, "defaultMode": SECRET_MODE}
    return source | ({"optional": True} if optional else {})


def _has_credentials(backend: Backend) -> bool:
    match backend:
        case MongoBackend() | S3Backend(credentials=str()):
            return True
        case _:
            return False


def secrets(spec: StoreSpec) -> list[str]:
    """Return for people which Secrets and ConfigMaps a pod of this store needs."""
    found = []
    match spec.backend:
        case S3Backend(credentials=str(name)):
            found.append(f"the Secret {name!r} with the keys {' and '.join(_S3_KEYS)}")
        case MongoBackend(uri=ref):
            found.append(f"the Secret {ref.name!r} with the key {ref.key!r}")
        case _:
            pass
    if spec.encryption_key is not None:
        found.append(f"the Secret {spec.encryption_key.name!r} with the key {spec.encryption_key.key!r}")
    if spec.ca_bundle is not None:
        kind = "Secret" if spec.ca_bundle.kind is CaKind.SECRET else "ConfigMap"
        found.append(f"the {kind} {spec.ca_bundle.ref.name!r} with the key {spec.ca_bundle.ref.key!r}")
    if spec.proxy is not None:
        found.append(f"the Secret {spec.proxy.name!r} with the key {spec.proxy.key!r}")
    return found
