"""Keep what the watches delivered of sessions, stores and session pods, so that a reconciliation reads nothing again.

* The cache holds the newest version of each object that it was given, by the watches and by the answers to the
  operator's own writes. It can be some milliseconds behind the API server.
* It answers only when all first lists are complete (``complete``). Before that, absence would mean nothing.
* A pod without the session's label is not watched, so it is unknown here. To create a pod of the same name fails, and
  the operator then reads it from the API server.
* After an interrupted watch kopf does not report what was deleted meanwhile; ``refresh`` does so with a new list.
* Each object is trimmed to what the operator reads, because there can be 10,000 of each kind, and held as bytes: the
  same as dicts takes five times the memory, and each collection of garbage would walk through it.
"""

import marshal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from whatsapp_kube.requests import Manifest, Ref, ref_of
from whatsapp_operator.kube import Listing, Reader
from whatsapp_session import names
from whatsapp_session.untrusted import mapping, mappings

WATCHED: Final = {names.SESSION_KIND: None, names.STORE_KIND: None, "Pod": names.LABEL_SESSION}
"""The kinds that are watched, each with the label that selects its objects."""
_METADATA: Final = frozenset(
    {
        "annotations", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers",
        "generation", "labels", "name", "namespace", "ownerReferences", "resourceVersion", "uid",
    }
)  # fmt: skip
_POD_SPEC: Final = frozenset({"nodeName", "serviceAccountName", "volumes"})
_POD_STATUS: Final = frozenset({"conditions", "message", "phase", "reason"})
REMEMBERED: Final = 4096
"""Number of deleted objects that are remembered, more than can be deleted while a request waits for its answer."""
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class _Entry:
    """An object as bytes; ``marshal`` is the fastest of the standard library, and nobody else writes them."""

    uid: str
    version: int
    data: bytes

    def object(self) -> Manifest:
        found: Manifest = marshal.loads(self.data)  # noqa: S302  written by this process
        return found


class ObjectCache:
    """The newest known version of each watched object."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], dict[str, _Entry]] = {}
        """By kind and namespace, then by name."""
        self._gone: dict[str, None] = {}
        """UIDs of the objects that were deleted last, oldest first: an answer can arrive after the deletion."""
        self.complete = False
        """Whether the first list of each kind has been delivered."""

    def put(self, found: Mapping[str, Any]) -> bool:
        """Add an object of a watched kind, unless its label is missing or a newer version of it is known.

        Returns whether this version was not known.
        """
        label = WATCHED[found["kind"]]
        if label is not None and label not in mapping(found["metadata"].get("labels")):
            return False
        ref, uid, version = ref_of(found), found["metadata"]["uid"], version_of(found)
        known = self._entry(ref)
        if uid not in self._gone and (known is None or known.version <= version):
            entries = self._entries.setdefault((ref.kind, ref.namespace), {})
            entries[ref.name] = _Entry(uid, version, marshal.dumps(trimmed(found)))
            return known is None or (known.uid, known.version) != (uid, version)
        return False

    def remove(self, ref: Ref, uid: str) -> None:
        """Remove a deleted object; another object with its name stays."""
        self._gone[uid] = None
        if len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]
        known = self._entry(ref)
        if known is not None and known.uid == uid:
            entries = self._entries[ref.kind, ref.namespace]
            del entries[ref.name]
            if not entries:
                del self._entries[ref.kind, ref.namespace]

    def get(self, ref: Ref) -> Manifest | None:
        """Return a copy of the object, None if it does not exist as far as is known."""
        known = self._entry(ref)
        return None if known is None else known.object()

    def objects(self, kind: str, namespace: str) -> Iterator[Manifest]:
        """Yield copies of the known objects of a kind in a namespace, "" for all namespaces."""
        for _, entry in self._of(kind, namespace):
            yield entry.object()

    def versions(self, kind: str, namespace: str) -> dict[Ref, tuple[str, int]]:
        """Return UID and version of the known objects of a kind in a namespace, "" for all namespaces."""
        return {ref: (entry.uid, entry.version) for ref, entry in self._of(kind, namespace)}

    def _entry(self, ref: Ref) -> _Entry | None:
        return self._entries.get((ref.kind, ref.namespace), {}).get(ref.name)

    def _of(self, kind: str, namespace: str) -> list[tuple[Ref, _Entry]]:
        places = [place for place in self._entries if place[0] == kind and namespace in ("", place[1])]
        return [(Ref(*place, name), entry) for place in places for name, entry in self._entries[place].items()]


class Watched:
    """Read watched objects from the cache, all others from the API server."""

    def __init__(self, kube: Reader, cache: ObjectCache) -> None:
        self._kube = kube
        self._cache = cache

    async def get(self, ref: Ref) -> Manifest | None:
        """Return a copy of the object, None if it does not exist as far as is known."""
        if self._cache.complete and ref.kind in WATCHED:
            return self._cache.get(ref)
        return await self._kube.get(ref)


class RememberingKube:
    """Pass requests to another client, and put the objects in its answers into the cache."""

    def __init__(self, inner: Listing, cache: ObjectCache) -> None:
        self._inner = inner
        self._cache = cache

    async def get(self, ref: Ref) -> Manifest | None:
        """Return the object, None if it does not exist."""
        found = await self._inner.get(ref)
        return None if found is None else self._put(found)

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create the object; raises Conflict if its name is taken."""
        made = await self._inner.create(manifest, dry_run=dry_run)
        return made if dry_run else self._put(made)

    async def apply(self, manifest: Manifest, *, manager: str, subresource: str = "") -> Manifest:
        """Apply the object on the server side and take over fields of other managers."""
        return self._put(await self._inner.apply(manifest, manager=manager, subresource=subresource))

    async def delete(self, ref: Ref, *, uid: str, grace: int | None = None) -> None:
        """Delete the object with this UID, if it exists."""
        await self._inner.delete(ref, uid=uid, grace=grace)

    async def finalize(self, ref: Ref, *, version: str, finalizers: Sequence[str]) -> Manifest | None:
        """Set the finalizers of the object at this resource version; None if it does not exist any more."""
        found = await self._inner.finalize(ref, version=version, finalizers=finalizers)
        return None if found is None else self._put(found)

    def pages(
        self, kind: str, namespace: str, labels: Mapping[str, str | None] | None = None
    ) -> AsyncIterator[list[Manifest]]:
        """Yield the objects of a kind in a namespace, "" for all namespaces; only those with these labels."""
        return self._inner.pages(kind, namespace, labels)

    def _put(self, found: Manifest) -> Manifest:
        if found["kind"] in WATCHED:
            self._cache.put(found)
        return found


async def refresh(kube: Listing, cache: ObjectCache, namespaces: Sequence[str]) -> set[Ref]:
    """List all watched objects in these namespaces (none: all), because a watch can miss changes.

    Returns the sessions and stores that differ, or whose pods do. Raises KubeError if a list fails; what was listed
    before it is in the cache.
    """
    missed: set[Ref] = set()
    for kind, label in WATCHED.items():
        for namespace in namespaces or ("",):
            missed |= await _refresh(kube, cache, kind, namespace, {} if label is None else {label: None})
    return missed


async def _refresh(
    kube: Listing, cache: ObjectCache, kind: str, namespace: str, labels: Mapping[str, str | None]
) -> set[Ref]:
    before = cache.versions(kind, namespace)
    listed: set[str] = set()
    missed: set[Ref] = set()
    async for page in kube.pages(kind, namespace, labels):
        for item in page:
            uid = item["metadata"]["uid"]
            listed.add(uid)
            if before.get(ref_of(item)) != (uid, version_of(item)):
                missed.add(_subject(item))
                cache.put(item)
    for ref, (uid, _) in before.items():
        gone = cache.get(ref)
        if uid not in listed and gone is not None:
            missed.add(_subject(gone))
            cache.remove(ref, uid)
    return missed


def _subject(item: Mapping[str, Any]) -> Ref:
    """Return the session or store itself, or the session of a pod."""
    ref = ref_of(item)
    if ref.kind != "Pod":
        return ref
    return Ref(names.SESSION_KIND, ref.namespace, item["metadata"]["labels"][names.LABEL_SESSION])


def trimmed(found: Mapping[str, Any]) -> Manifest:
    """Return the parts of a watched object that the operator reads."""
    metadata = {name: value for name, value in found["metadata"].items() if name in _METADATA}
    if _LAST_APPLIED in mapping(metadata.get("annotations")):
        metadata["annotations"] = {
            name: value for name, value in metadata["annotations"].items() if name != _LAST_APPLIED
        }
    kept = {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": metadata}
    spec, status = found.get("spec"), found.get("status")
    if found["kind"] == "Pod":
        spec, status = _pod_spec(mapping(spec)), _pod_status(mapping(status))
    return kept | {name: value for name, value in (("spec", spec), ("status", status)) if value is not None}


def _pod_spec(spec: Mapping[str, Any]) -> Manifest:
    workers = [
        {name: item[name] for name in ("name", "image", "env") if name in item}
        for item in mappings(spec.get("containers"))
        if item.get("name") == names.WORKER_CONTAINER
    ]
    return {name: value for name, value in spec.items() if name in _POD_SPEC} | {"containers": workers}


def _pod_status(status: Mapping[str, Any]) -> Manifest:
    workers = [item for item in mappings(status.get("containerStatuses")) if item.get("name") == names.WORKER_CONTAINER]
    return {name: value for name, value in status.items() if name in _POD_STATUS} | {"containerStatuses": workers}


def version_of(found: Mapping[str, Any]) -> int:
    """Return the resource version as a number; the versions of one kind can be compared."""
    version = found["metadata"]["resourceVersion"]
    return int(version) if version.isdecimal() else 0
