"""List the objects of each watched kind, then watch them for ever, and put all of it into the cache.

* A watch that ends is opened again at the last version that it delivered. If the API server does not have that version
  any more, the objects are listed again and compared with the cache, so that nothing is missed, deletions included.
* Lists follow each other, a page at a time, because a page takes some MiB of memory.
* An outage is waited for, with growing pauses. A refusal ends ``run``: the rights or the CRDs are missing.

Three tasks for each namespace do this, and none for each object or event.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from whatsapp_kube import answers
from whatsapp_kube.errors import Asked, KubeError, Refused
from whatsapp_kube.requests import KINDS, Manifest, ref_of
from whatsapp_operator.kube import Change, Source
from whatsapp_operator.object_cache import WATCHED, ObjectCache, version_of
from whatsapp_session.backoff import Backoff

log = logging.getLogger(__name__)

WATCH_SECONDS: Final = 600
"""Seconds after which a watch is opened again."""
PAUSES: Final = Backoff(0.5, 30.0)
EXPIRED: Final = 410
"""Status of an answer: the server does not have the version any more."""

Announce = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Gets an object that was added, changed or deleted."""


@dataclass(frozen=True, slots=True)
class Place:
    """A kind in a namespace, "" for all namespaces."""

    kind: str
    namespace: str

    @property
    def plural(self) -> str:
        """The kind as people name it."""
        return KINDS[self.kind].plural


class Watches:
    """The watches of one operator."""

    def __init__(
        self,
        source: Source,
        cache: ObjectCache,
        announce: Announce,
        namespaces: Sequence[str],
        *,
        heard: Callable[[str], None] = lambda kind: None,
        complete: Callable[[], None] = lambda: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._cache = cache
        self._announce = announce
        self._heard = heard
        self._told_complete = complete
        self._sleep = sleep
        self._places = [Place(kind, namespace) for kind in WATCHED for namespace in namespaces or ("",)]
        self._unlisted = set(self._places)
        self._lists = asyncio.Lock()
        self._tasks: dict[Place, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Watch for ever; raises Refused."""
        try:
            async with asyncio.TaskGroup() as group:
                for place in self._places:
                    name = f"watch of {place.plural} in {place.namespace or 'all namespaces'}"
                    self._tasks[place] = group.create_task(self._keep(place), name=name)
        except BaseExceptionGroup as found:
            raise found.exceptions[0] from None

    def ended(self) -> list[str]:
        """Return the plurals of the kinds that are not watched any more, which cannot happen without a bug."""
        return sorted({place.plural for place, task in self._tasks.items() if task.done()})

    async def _keep(self, place: Place) -> None:
        since, failures = "", 0
        while True:
            try:
                since = since or await self._list(place)
                before = since
                async with aclosing(
                    self._source.watch(place.kind, place.namespace, _labels(place), since, WATCH_SECONDS)
                ) as stream:
                    async for change in stream:
                        since = await self._take(place, change)
                        failures = 0
                failures = failures + 1 if since == before else 0
            except Refused:
                raise
            except KubeError as error:
                failures += 1
                if error.status == EXPIRED:
                    since = ""
                else:
                    log.warning("the watch of %s was interrupted; it is opened again: %s", place.plural, error)
            if failures:
                await self._sleep(PAUSES.after(failures))

    async def _list(self, place: Place) -> str:
        """Put all objects into the cache, remove those that are gone; returns the version of the list."""
        async with self._lists:
            before = self._cache.versions(place.kind, place.namespace)
            version, listed = "", set[str]()
            async for page in self._source.sheets(place.kind, place.namespace, _labels(place)):
                version = page.version
                for item in page.items:
                    uid = item["metadata"]["uid"]
                    listed.add(uid)
                    if before.get(ref_of(item)) != (uid, version_of(item)):
                        self._cache.put(item)
                        await self._tell(item)
            for ref, (uid, _) in before.items():
                gone = self._cache.get(ref)
                if uid not in listed and gone is not None:
                    self._cache.remove(ref, uid)
                    await self._tell(gone)
        await self._listed(place)
        return version

    async def _listed(self, place: Place) -> None:
        self._heard(place.kind)
        self._unlisted.discard(place)
        if self._unlisted or self._cache.complete:
            return
        self._cache.complete = True
        for kind in WATCHED:
            for found in self._cache.objects(kind, ""):
                await self._announce(found)
        self._told_complete()

    async def _take(self, place: Place, change: Change) -> str:
        """Take over what a watch delivers; returns its version."""
        found: Manifest = change.object
        if change.type == "ERROR":
            raise answers.error(int(found.get("code") or 0), found, Asked("watch", place.kind))
        if change.type != "BOOKMARK":
            self._heard(place.kind)
            if change.type == "DELETED":
                # A pod that lost its label is gone for the watch, and its last version has no label.
                known = self._cache.get(ref_of(found)) or found
                self._cache.remove(ref_of(found), found["metadata"]["uid"])
                await self._tell(known)
            else:
                self._cache.put(found)
                await self._tell(found)
        return str(found["metadata"]["resourceVersion"])

    async def _tell(self, found: Mapping[str, Any]) -> None:
        if self._cache.complete:
            await self._announce(found)


def _labels(place: Place) -> dict[str, str | None]:
    label = WATCHED[place.kind]
    return {} if label is None else {label: None}
