"""Turn what kopf sees into keys of the queue: a few lines a handler, no decision in any of them."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import kopf

from whatsapp_kube import answers
from whatsapp_kube.errors import Asked, KubeError
from whatsapp_operator.kube import Connection
from whatsapp_operator.observed.state import Key
from whatsapp_operator.queue_schedule import USER
from whatsapp_session import names
from whatsapp_session.conditions import ConditionType
from whatsapp_session.session_spec import DEFAULT_STORE
from whatsapp_session.untrusted import mapping, mappings, text


class Add(Protocol):
    """Takes a key, and a digest of what its user asks for, or another source says, if the event may be news."""

    async def __call__(self, key: Key, asked: int | None = None, source: str = USER, /) -> None: ...


Connect = Callable[[], Awaitable[Connection]]

WATCH_SECONDS = 600
"""A watch is opened anew after this long, where it had been: it lists again only if the server has forgotten the place.

What was missed, or is not watched, is found by ``resync``.
"""


def settings() -> kopf.OperatorSettings:
    """Return kopf's settings: it watches and nothing else; it patches no resource and posts no Event."""
    made = kopf.OperatorSettings()
    made.posting.enabled = False
    made.scanning.disabled = True
    made.watching.server_timeout = WATCH_SECONDS
    made.watching.client_timeout = WATCH_SECONDS + 60
    made.watching.connect_timeout = 10
    made.watching.chunk_size = 500
    made.watching.label_selectors["pods"] = names.LABEL_SESSION
    made.persistence.finalizer = f"{names.GROUP}/unused"
    made.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"{names.GROUP}")
    made.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=f"{names.GROUP}")
    return made


def registry(add: Add, add_store: Add, connect: Connect) -> kopf.OperatorRegistry:
    """Return the handlers, bound to the queues of sessions and stores, and to credentials."""
    made = kopf.OperatorRegistry()

    @kopf.on.login(id="login", registry=made)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        now = await connect()
        return kopf.ConnectionInfo(
            server=now.server,
            ca_path=now.ca_path,
            certificate_path=now.certificate_path,
            private_key_path=now.key_path,
            token=now.token,
            insecure=now.insecure,
        )

    @kopf.index(names.GROUP, names.VERSION, names.SESSION_PLURAL, id="sessions_by_store", registry=made)
    def sessions_by_store(
        *, namespace: str | None, name: str, spec: Mapping[str, Any], status: Mapping[str, Any], **_: Any
    ) -> dict[Any, str]:
        return {(namespace, store): name for store in stores_of(spec, status)}

    @kopf.on.event(names.GROUP, names.VERSION, names.SESSION_PLURAL, id="session", registry=made)
    async def session(*, namespace: str | None, name: str, meta: Mapping[str, Any], **_: Any) -> None:
        await add(Key(str(namespace), name), asked(meta))

    @kopf.on.event("v1", "pods", labels={names.LABEL_SESSION: kopf.PRESENT}, id="pod", registry=made)
    async def pod(*, namespace: str | None, labels: Mapping[str, str], **_: Any) -> None:
        await add(Key(str(namespace), labels[names.LABEL_SESSION]), None)

    @kopf.on.event(names.GROUP, names.VERSION, names.STORE_PLURAL, id="store", registry=made)
    async def store(
        *, namespace: str | None, name: str, meta: Mapping[str, Any], status: Mapping[str, Any], **more: Any
    ) -> None:
        await add_store(Key(str(namespace), name), asked(meta))
        users: kopf.Index[Any, str] = more["sessions_by_store"]
        for user in users.get((namespace, name), ()):
            await add(Key(str(namespace), user), verdict(meta, status), f"store {name}")

    return made


def asked(meta: Mapping[str, Any]) -> int:
    """Digest what a user asks for with an object: its spec, its deletion, its requests; not labels, not a status."""
    annotations = meta.get("annotations") or {}
    requests = frozenset(item for item in annotations.items() if item[0].startswith(f"{names.GROUP}/"))
    return hash((meta.get("uid"), meta.get("generation"), meta.get("deletionTimestamp"), requests))


def verdict(meta: Mapping[str, Any], status: Mapping[str, Any]) -> int:
    """Digest what a store means to its sessions: which store it is, what it asks for, and whether it can be used."""
    ready = [item for item in mappings(status.get("conditions")) if item.get("type") == ConditionType.READY]
    return hash((asked(meta), *(text(item.get(field)) for item in ready for field in ("status", "reason"))))


def stores_of(spec: Mapping[str, Any], status: Mapping[str, Any]) -> set[str]:
    """Return the stores that concern a session: the one that it names, and the one that it ran on last."""
    remote = mapping(mapping(spec.get("auth")).get("remoteAuth"))
    named = text(mapping(remote.get("storeRef")).get("name")) or DEFAULT_STORE
    last = text(mapping(mapping(status.get("worker")).get("last")).get("store"))
    return {named, last} if last else {named}


def unwatched(namespaces: int) -> list[str]:
    """Return what is not watched (any more), of what is watched in so many namespaces.

    A watch that meets an error which kopf does not expect ends for good, and the operator would go on without it.
    """
    running = [task.get_name() for task in asyncio.all_tasks()]
    kinds = (names.SESSION_PLURAL, names.STORE_PLURAL, "pods")
    return [kind for kind in kinds if sum(name.startswith(f"watcher for {kind}.") for name in running) < namespaces]


def refused(error: Exception) -> KubeError | None:
    """Return what the API server said to a watch of kopf's, None for an error that is not an answer of the server."""
    status = getattr(error, "status", None)
    if not type(error).__module__.startswith("kopf.") or not isinstance(status, int):
        return None
    return answers.error(status, json.dumps({"message": str(error.args[0] if error.args else "")}), Asked("watch"))


def quiet() -> None:
    """Keep kopf's line for each event out of the log; its warnings and errors stay, without a traceback of answers."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_without_traceback)


def _without_traceback(record: logging.LogRecord) -> bool:
    error = None if record.exc_info is None else record.exc_info[1]
    if record.name.startswith("kopf.") and isinstance(error, Exception) and refused(error) is not None:
        record.exc_info = None
    return True
