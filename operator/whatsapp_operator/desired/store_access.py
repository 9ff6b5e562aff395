"""How a pod reaches a store: volumes, mounts and what its process is told; the same for workers, checks and purges."""

import dataclasses
from typing import Any

from whatsapp_operator.observed import Store
from whatsapp_session import names, worker_env

Manifest = dict[str, Any]


def told(config: worker_env.WorkerConfig, store: Store) -> worker_env.WorkerConfig:
    """Return the settings with the store's part in them."""
    return dataclasses.replace(config, store=f"file:{names.STORE_DIR}")


def volumes(store: Store) -> list[Manifest]:
    """Return the volumes that hold the store or its secrets."""
    return [{"name": "store", "persistentVolumeClaim": {"claimName": store.spec.filesystem.claim_name}}]


def mounts(store: Store) -> list[Manifest]:
    """Return where a container mounts them."""
    backend = store.spec.filesystem
    mount: Manifest = {"name": "store", "mountPath": names.STORE_DIR}
    return [mount | ({"subPath": backend.path} if backend.path else {})]
