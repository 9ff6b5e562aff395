"""Turn what the watches deliver into keys of the queues, without any decisions."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

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


def announcing(add: Add, add_store: Add, cache: ObjectCache) -> Callable[[Mapping[str, Any]], Awaitable[None]]:
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
