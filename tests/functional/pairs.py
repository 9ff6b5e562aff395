"""Two sessions of one namespace and store, of which one attacks the other; and what a worker may post."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functional.callers import ApiError, wait
from functional.worker import Worker
from functional.world import Place, World
from whatsapp_session import names

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """Two sessions of one namespace and store; `alice` attacks `bob`."""

    place: Place
    alice: Worker
    bob: Worker


def running(world: World, **bob_spec: Any) -> Pair:
    """Return two workers that run; the policy is known to be in force."""
    place = world.namespace()
    place.store()
    place.session("alice")
    place.session("bob", **bob_spec)
    alice, bob = place.wait_worker("alice").runs(), place.wait_worker("bob").runs()
    caller = alice.caller()

    def denied() -> bool:
        try:
            caller.merge(names.SESSION_KIND, place.name, "alice", {"status": {"phase": "Invented"}}, "status")
        except ApiError as error:
            return "status.session only" in error.message
        return False

    wait(denied, "the admission policy to be in force")
    return Pair(place, alice, bob)


def event_in(place: Place, about: Mapping[str, Any], **more: Any) -> Manifest:
    """Return an Event about something."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "test-", "name": "", "namespace": place.name},
        "involvedObject": {"namespace": place.name, **about},
        "reason": "Test",
        "message": "test",
        "type": "Normal",
        **more,
    }
