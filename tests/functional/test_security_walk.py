"""Every text of both kinds is attacked by every kind of patch: with a foreign worker's token, and with an unbound one.

An API server answers a patch whose result it refuses with what the patch has copied, before it asks any policy. So what
must not be read must be refused before the patch is applied.
"""

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from functional.callers import Caller, Line
from functional.pairs import Pair, running
from functional.worker import connected, stamp
from functional.world import Place, World
from whatsapp_kube.requests import Ref, path
from whatsapp_session import names

Manifest = dict[str, Any]
Request = tuple[str, str, object, str]
"""Method, target, body, content type."""

MARKER, GUESS = "planted-8b1d", "guessed-77c0"
HELD = "/status/session/stateSince"
"""A field of another form than most texts: what is copied there is refused, and quoted."""
JSON, MERGE, APPLY = (f"application/{kind}" for kind in ("json-patch+json", "merge-patch+json", "apply-patch+yaml"))
LINES = 4
METADATA = ("name", "namespace", "uid", "resourceVersion", "annotations/note", "labels/team", "finalizers/0")


def texts(world: World, plural: str) -> list[str]:
    """Return a JSON pointer to each text of a kind; arrays are seen at 0, maps at one key."""
    found = world.admin.get("CustomResourceDefinition", "", f"{plural}.{names.GROUP}")
    assert found is not None
    (version,) = found["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    return [f"/metadata/{name}" for name in METADATA] + [
        pointer for part in ("spec", "status") for pointer in walk(schema["properties"][part], f"/{part}")
    ]


def walk(node: Manifest, pointer: str) -> Iterator[str]:
    """Yield a pointer to each text below a node of a schema."""
    if node.get("type") == "string" or node.get("x-kubernetes-preserve-unknown-fields"):
        yield pointer
    for name, child in (node.get("properties") or {}).items():
        yield from walk(child, f"{pointer}/{name}")
    if "items" in node:
        yield from walk(node["items"], f"{pointer}/0")
    if isinstance(node.get("additionalProperties"), dict):
        yield from walk(node["additionalProperties"], f"{pointer}/note")


def nested(pointer: str) -> Manifest:
    """Return an object with a guess at a pointer, as a merge or an apply sends it."""
    value: Any = GUESS
    for name in reversed(pointer.split("/")[1:]):
        value = [value] if name == "0" else {name: value}
    assert isinstance(value, dict)
    return value


def patches(ref: Ref, pointer: str, guess: str = GUESS) -> Iterator[Request]:
    """Yield each kind of patch of one text, real and as a dry run, of the resource and of its status."""
    bodies: list[tuple[object, str]] = [
        ([{"op": "copy", "from": pointer, "path": HELD}], JSON),
        ([{"op": "move", "from": pointer, "path": HELD}], JSON),
        ([{"op": "test", "path": pointer, "value": guess}], JSON),
        (nested(pointer), MERGE),
        (applied(ref, pointer), APPLY),
    ]
    for (body, kind), subresource, dry in itertools.product(bodies, ("status", ""), ("", "All")):
        query = [f"dryRun={dry}"] * bool(dry) + ["fieldManager=whatsapp-worker&force=true"] * (kind == APPLY)
        yield "PATCH", f"{path(ref, subresource)}?{'&'.join(query)}", body, kind


def applied(ref: Ref, pointer: str) -> Manifest:
    """Return an object to apply that names itself, with a guess at a pointer."""
    made = nested(pointer)
    metadata = {"name": ref.name, "namespace": ref.namespace} | made.get("metadata", {})
    return {"apiVersion": names.API_VERSION, "kind": ref.kind, **made, "metadata": metadata}


def answers(caller: Caller, requests: Sequence[Request]) -> list[tuple[Request, int, str]]:
    """Send all requests, on a few connections; returns what was answered to each."""

    def send(part: Sequence[Request]) -> list[tuple[Request, int, str]]:
        with Line(caller) as line:
            return [(request, *line.ask(*request)) for request in part]

    with ThreadPoolExecutor(LINES) as pool:
        return [found for part in pool.map(send, [requests[n::LINES] for n in range(LINES)]) for found in part]


@pytest.fixture(scope="module")
def planted(world: World, operator: None) -> Pair:
    """A pair of which bob's session holds the marker wherever a text may stand, his live codes among them."""
    pair = running(world, browser={"userAgent": MARKER})
    place, note = pair.place, {"metadata": {"annotations": {"note": MARKER}, "labels": {"team": MARKER}}}
    place.admin.merge(names.SESSION_KIND, place.name, "bob", note)
    place.admin.merge(names.STORE_KIND, place.name, "default", note)
    error = {"reason": "StoreUnavailable", "message": MARKER, "time": stamp()}
    account = {"id": MARKER, "pushName": MARKER, "platform": MARKER, "hash": MARKER}
    code = {"code": MARKER, "issuedAt": stamp(), "expiresAt": stamp(60), "attempt": 1}
    pair.bob.says("AwaitingLink", qr=code, pairingCode=MARKER, account=account, lastError=error, webVersion=MARKER)
    pair.alice.says("Connected", **connected())
    for name, phase in (("bob", "AwaitingLink"), ("alice", "Connected")):
        place.wait_phase(name, phase)
    return pair


def contents(place: Place) -> list[Manifest]:
    """Return everything that the walk may not change: what users and workers write."""
    found = [item for kind in (names.SESSION_KIND, names.STORE_KIND) for item in place.admin.items(kind, place.name)]
    metadata = ("name", "uid", "generation", "annotations", "labels", "finalizers", "ownerReferences")
    return [
        {
            "metadata": {name: item["metadata"].get(name) for name in metadata},
            "spec": item["spec"],
            "session": item.get("status", {}).get("session"),
            "phase": item.get("status", {}).get("phase"),
        }
        for item in found
    ]


def test_a_foreign_worker_is_refused_before_anything_is_applied(world: World, planted: Pair) -> None:
    place, before = planted.place, contents(planted.place)
    bob = Ref(names.SESSION_KIND, place.name, "bob")
    store = Ref(names.STORE_KIND, place.name, "default")
    nobody = Ref(names.SESSION_KIND, place.name, "nobody")
    session_texts, store_texts = texts(world, names.SESSION_PLURAL), texts(world, names.STORE_PLURAL)
    assert (len(session_texts), len(store_texts)) > (90, 35)
    requests = [
        *(request for pointer in session_texts for request in patches(bob, pointer, MARKER)),
        *(request for pointer in store_texts for request in patches(store, pointer, MARKER)),
        # What does not exist is refused in the same words.
        *patches(nobody, HELD),
    ]
    for request, status, text in answers(planted.alice.caller(), requests):
        assert (status, MARKER in text) == (403, False), request
        assert "cannot patch resource" in text, f"{request}: decided by RBAC, and not by a policy after the patch"
    assert contents(place) == before


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("subresource", ["", "status", "scale"])
def test_a_foreign_worker_is_refused_by_every_other_verb_too(planted: Pair, method: str, subresource: str) -> None:
    target = path(Ref(names.SESSION_KIND, planted.place.name, "bob"), subresource)
    ((_, status, text),) = answers(planted.alice.caller(), [(method, target, {}, "application/json")])
    assert (status, MARKER in text) == (403, False)


def test_an_unbound_token_is_refused_and_learns_nothing_of_another_session(world: World, planted: Pair) -> None:
    place, before = planted.place, contents(planted.place)
    unbound = world.caller(world.token(place.name, names.session_account("alice")))
    alice, bob = (Ref(names.SESSION_KIND, place.name, name) for name in ("alice", "bob"))
    own = [request for pointer in texts(world, names.SESSION_PLURAL) for request in patches(alice, pointer)]
    others = list(patches(bob, "/status/session/qr/code"))
    for request, status, text in answers(unbound, [*own, *others]):
        assert status >= 400, (request, text)
        assert MARKER not in text, request
    assert contents(place) == before
