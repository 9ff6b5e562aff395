"""The default StorageClass and its volumes: directories that belong to the workers' user id."""

import os
import shutil
from pathlib import Path
from typing import Any

from deploy.local.native.api_client import Api

Manifest = dict[str, Any]

CLASS = "local"
WORKER_UID = 10001
CAPACITY = "10Gi"


def storage_class() -> Manifest:
    """Return the default class. Volumes are created in advance, so it has no provisioner."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Retain",
    }


def volume(name: str, path: Path, node: str) -> Manifest:
    """Return a `local` volume on a node: a hostPath volume would belong to root, and workers run as another user."""
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": CAPACITY},
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": CLASS,
            "local": {"path": str(path)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
        },
    }


def add(directory: Path, node: str, count: int, client: Api) -> None:
    """Create the volumes of a node below `directory`, and their class."""
    client.apply(f"/apis/storage.k8s.io/v1/storageclasses/{CLASS}", storage_class())
    for number in range(1, count + 1):
        path = directory / f"{number:02}"
        _make_empty(path)
        name = f"{node}-{number:02}"
        client.apply(f"/api/v1/persistentvolumes/{name}", volume(name, path, node))


def recycle(directory: Path, client: Api) -> int:
    """Empty the volumes below `directory` whose claims were deleted and make them available; return how many."""
    listed = client.get("/api/v1/persistentvolumes") or {"items": []}
    released = [one for one in listed["items"] if one["status"].get("phase") == "Released"]
    ours = [one for one in released if is_ours(one, directory)]
    for one in ours:
        _make_empty(Path(one["spec"]["local"]["path"]))
        client.merge(f"/api/v1/persistentvolumes/{one['metadata']['name']}", {"spec": {"claimRef": None}})
    return len(ours)


def is_ours(volume: Manifest, directory: Path) -> bool:
    """Return whether `add` created a volume: volumes that the user created are never emptied."""
    spec = volume["spec"]
    path = Path((spec.get("local") or {}).get("path") or "/").resolve()
    return spec.get("storageClassName") == CLASS and directory.resolve() in path.parents


def _make_empty(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    path.chmod(0o770)
    os.chown(path, WORKER_UID, WORKER_UID)
