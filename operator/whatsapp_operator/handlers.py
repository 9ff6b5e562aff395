"""Turn the events of kopf into keys of the queue, without any decisions."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import kopf

from whatsapp_kube import answers
from whatsapp_kube.errors import Asked, KubeError
from whatsapp_kube.requests import ref_of
from whatsapp_operator.connection import Connection
from whatsapp_operator.kube import PAGE
from whatsapp_operator.object_cache import ObjectCache
from whatsapp_operator.observed.state import Key
from whatsapp_operator.queue_schedule import USER
from whatsapp_session import names
from whatsapp_session.conditions import ConditionType
from whatsapp_session.session_spec import DEFAULT_STORE
from whatsapp_session.untrusted import mapping, mappings, text


class Add(Protocol):
    """Adds a key to a queue, with a digest of the input of its user or of another source that may have changed."""

    async def __call__(self, key: Key, asked: int | None = None, source: str = USER, /) -> None: ...


Announce = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Gets an object that was added, changed or deleted."""

IDENTITY: Any = "whatsapp-operator"
"""Name of this process for kopf, which asks for the user's otherwise; a user that the cluster assigns has none."""
WATCH_SECONDS = 600
"""Seconds after which a watch is reopened at its resource version; it only lists again if that has expired.

``resync`` finds changes that a watch missed, and changes of objects that are not watched.
"""


def settings() -> kopf.OperatorSettings:
    """Return the settings of kopf, which only watches: it neither patches resources nor posts Events."""
    made = kopf.OperatorSettings()
    made.posting.enabled = False
    made.scanning.disabled = True
    made.watching.server_timeout = WATCH_SECONDS
    made.watching.client_timeout = WATCH_SECONDS + 60
    made.watching.connect_timeout = 10
    made.watching.chunk_size = PAGE
    # kopf has a task for each object with events; more than these wait, and an idle one ends at once. Not 0: in Python
    # 3.11 a wait of 0 seconds takes nothing from a queue.
    made.queueing.worker_limit = 64
    made.queueing.idle_timeout = 0.05
    made.watching.label_selectors["pods"] = names.LABEL_SESSION
    made.persistence.finalizer = f"{names.GROUP}/unused"
    made.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"{names.GROUP}")
    made.persistence.diffbase_storage = _NoDiffBase(prefix=f"{names.GROUP}")
    return made


class _NoDiffBase(kopf.AnnotationsDiffBaseStorage):
    """Skip the copy of each object that kopf makes for handlers of changes, of which there are none."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})


def announcing(add: Add, add_store: Add, cache: ObjectCache) -> Announce:
    """Return what adds the keys for which an object matters, to the queues of sessions and stores."""

    async def announce(found: Mapping[str, Any]) -> None:
        metadata = found["metadata"]
        key = Key(metadata["namespace"], metadata["name"])
        match found["kind"]:
            case names.SESSION_KIND:
                await add(key, asked(metadata))
            case "Pod" if names.LABEL_SESSION in mapping(metadata.get("labels")):
                await add(Key(key.namespace, metadata["labels"][names.LABEL_SESSION]), None)
            case names.STORE_KIND:
                await add_store(key, asked(metadata))
                for user in cache.objects(names.SESSION_KIND, key.namespace):
                    if key.name in stores_of(mapping(user.get("spec")), mapping(user.get("status"))):
                        name = user["metadata"]["name"]
                        seen = verdict(metadata, mapping(found.get("status")))
                        await add(Key(key.namespace, name), seen, f"store {key.name}")

    return announce


def registry(
    announce: Announce, connection: Connection, cache: ObjectCache, heard: Callable[[str], None]
) -> kopf.OperatorRegistry:
    """Return the registry of handlers, bound to queues, credentials, the cache and a metric.

    There are handlers of events only. Index functions would let kopf hold every object of the first lists until all are
    complete; handlers of changes would let it copy each object. Synchronous functions would run in threads.
    The cache is complete before kopf starts, so that what kopf lists then announces only what has changed since.
    """
    made = kopf.OperatorRegistry()

    @kopf.on.login(id="login", registry=made)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(
            server=connection.server,
            ca_path=connection.ca_file,
            certificate_path=connection.certificate_file,
            private_key_path=connection.key_file,
            token=await connection.token(),
            insecure=connection.insecure,
        )

    @kopf.on.event(names.GROUP, names.VERSION, names.SESSION_PLURAL, id="session", registry=made)
    @kopf.on.event(names.GROUP, names.VERSION, names.STORE_PLURAL, id="store", registry=made)
    @kopf.on.event("v1", "pods", id="pod", registry=made)
    async def delivered(*, event: Mapping[str, Any], **_: Any) -> None:
        found = event["object"]
        heard(found["kind"])
        if event["type"] == "DELETED":
            # A pod that lost its label is gone for the watch, and its last version has no label.
            known = cache.get(ref_of(found)) or found
            cache.remove(ref_of(found), found["metadata"]["uid"])
            await announce(known)
        elif cache.put(found) or event["type"] is not None:
            await announce(found)

    return made


def asked(meta: Mapping[str, Any]) -> int:
    """Return a digest of a user's input: spec, deletion and requests, without labels and status."""
    annotations = meta.get("annotations") or {}
    requests = frozenset(item for item in annotations.items() if item[0].startswith(f"{names.GROUP}/"))
    return hash((meta.get("uid"), meta.get("generation"), meta.get("deletionTimestamp"), requests))


def verdict(meta: Mapping[str, Any], status: Mapping[str, Any]) -> int:
    """Return a digest of a store as its sessions see it: identity, spec and availability."""
    ready = [item for item in mappings(status.get("conditions")) if item.get("type") == ConditionType.READY]
    return hash((asked(meta), *(text(item.get(field)) for item in ready for field in ("status", "reason"))))


def stores_of(spec: Mapping[str, Any], status: Mapping[str, Any]) -> set[str]:
    """Return the stores of a session: the one in its spec, and the one that holds its archives."""
    remote = mapping(mapping(spec.get("auth")).get("remoteAuth"))
    named = text(mapping(remote.get("storeRef")).get("name")) or DEFAULT_STORE
    last = text(mapping(mapping(status.get("worker")).get("last")).get("store"))
    return {named, last} if last else {named}


def unwatched(namespaces: int) -> list[str]:
    """Return the kinds that are not watched in all of this number of namespaces.

    A watch with an unexpected error ends for good, and kopf continues without it.
    """
    running = [task.get_name() for task in asyncio.all_tasks()]
    kinds = (names.SESSION_PLURAL, names.STORE_PLURAL, "pods")
    return [kind for kind in kinds if sum(name.startswith(f"watcher for {kind}.") for name in running) < namespaces]


def refused(error: Exception) -> KubeError | None:
    """Return the answer of the API server to a watch of kopf, None for any other error."""
    status = getattr(error, "status", None)
    if not type(error).__module__.startswith("kopf.") or not isinstance(status, int):
        return None
    return answers.error(status, json.dumps({"message": str(error.args[0] if error.args else "")}), Asked("watch"))


def quiet() -> None:
    """Log only warnings and errors of kopf, and no traceback for answers of the API server."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_without_traceback)
        handler.addFilter(_not_of_a_closed_watch)


def _not_of_a_closed_watch(record: logging.LogRecord) -> bool:
    """Leave out what asyncio logs at the end about watches that kopf did not close, after a lost leadership."""
    return not (record.name == "asyncio" and "closing of asynchronous generator" in record.getMessage())


def _without_traceback(record: logging.LogRecord) -> bool:
    error = None if record.exc_info is None else record.exc_info[1]
    if record.name.startswith("kopf.") and isinstance(error, Exception) and refused(error) is not None:
        record.exc_info = None
    return True
