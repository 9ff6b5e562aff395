"""An upgrade from a release that took settings which can never work: what was stored stays in its user's hands.

A rule is not asked of a value that a request leaves as it is (CRD ratcheting, on since Kubernetes 1.30).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functional.callers import ApiError, wait
from functional.conftest import INSTALL, install, installed, starting
from functional.world import Place, World, session_manifest
from whatsapp_session import names

Manifest = dict[str, Any]
OLD = Path(__file__).parent / "releases" / "3851359.yaml"


def local(**settings: Any) -> Manifest:
    """Return a spec with settings of LocalAuth."""
    return {"auth": {"strategy": "LocalAuth", "localAuth": settings}}


SESSIONS: dict[str, Manifest] = {
    "size": local(size="0"),
    "negative": local(size="-1Gi"),
    "class": local(storageClassName="A B"),
    "claim": local(claimName="a..b"),
    "directory": local(dataPath="a\nb"),
    "timeout": {"linking": {"timeout": "1s"}},
    "url": {"browser": {"url": "https://"}},
    "port": {"browser": {"url": "https://h:99999/"}},
    "agent": {"browser": {"userAgent": "a\nb"}},
    "switch": {"browser": {"args": ["--proxy-server=socks5://a:b@h:1", "--a\nb"]}},
    "secret": {"browser": {"proxySecretRef": {"name": "a..b", "key": ".."}}},
    "label": {"podTemplate": {"metadata": {"labels": {"x" * 64: "-"}}}},
    "annotation": {"podTemplate": {"metadata": {"annotations": {"a..b/c": ""}}}},
}
CLAIMS = ("size", "negative", "class")
STORES: dict[str, Manifest] = {
    "path": {"filesystem": {"claimName": "a..b", "path": "a\nb"}},
    "bucket": {"s3": {"bucket": "192.168.0.1", "region": "-a", "credentialsSecretRef": {"name": "a..b"}}},
    "endpoint": {"s3": {"bucket": "a..b", "endpoint": "https://my_minio:70000"}},
    "database": {"mongodb": {"uriSecretRef": {"name": "a..b", "key": ".."}, "database": "local"}},
    "image": {"custom": {"name": "mine", "image": "a b\n", "envFrom": [{"secretRef": {"name": "a..b"}}]}},
    "many": {"custom": {"name": "mine", "options": {f"a{number}": "x" * 4000 for number in range(5)}}},
    "labels": {"s3": {"bucket": "archives"}, "podLabels": {"x" * 64: ""}},
    "notes": {"s3": {"bucket": "archives"}, "serviceAccount": {"annotations": {"a..b/c": ""}}},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A control plane with what the older release installed."""
    with installed(tmp_path_factory.mktemp("older"), OLD) as made:
        yield made


def store_manifest(place: Place, name: str, spec: Manifest) -> Manifest:
    """Return a SessionStore."""
    return session_manifest(place.name, name, spec) | {"kind": names.STORE_KIND}


@pytest.fixture(scope="module")
def stored(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Sessions and stores of the older release, after the upgrade, with the operator."""
    place = world.namespace()
    place.store()
    for name, spec in SESSIONS.items():
        place.session(name, **spec)
    for name in CLAIMS:
        place.session(f"{name}-claim", **SESSIONS[name])
    for name, spec in STORES.items():
        place.admin.create(store_manifest(place, name, spec))
    install(world, INSTALL)

    def refused() -> bool:
        try:
            place.session("probe", **SESSIONS["size"])
        except ApiError as error:
            return error.status == 422
        place.admin.delete(names.SESSION_KIND, place.name, "probe")
        return False

    wait(refused, "the newer definitions to be in force")
    with starting(world, tmp_path_factory)():
        yield place


def conditions(place: Place, kind: str, name: str) -> list[Manifest]:
    """Return the conditions of a session or store as it is specified now."""
    found = place.admin.get(kind, place.name, name) or {}
    status = found.get("status") or {}
    seen = status.get("observedGeneration") == found["metadata"]["generation"]
    return status.get("conditions") or [] if seen else []


@pytest.mark.parametrize("name", SESSIONS)
def test_a_stored_session_is_refused_only_as_a_new_one(stored: Place, name: str) -> None:
    with pytest.raises(ApiError) as error:
        stored.session(f"new-{name}", **SESSIONS[name])
    assert error.value.status == 422
    wait(lambda: conditions(stored, names.SESSION_KIND, name), "the session to have conditions")
    stored.admin.merge(names.SESSION_KIND, stored.name, name, {"metadata": {"annotations": {"note": "kept"}}})
    stored.update(name, operatingMode="Suspended")

    def suspended() -> bool:
        # Nothing runs here, so that a pod goes at once.
        return bool(conditions(stored, names.SESSION_KIND, name)) and stored.pod(name) is None

    wait(suspended, lambda: f"the session to be suspended; {stored.status(name)}")
    stored.admin.delete(names.SESSION_KIND, stored.name, name)
    wait(lambda: stored.admin.get(names.SESSION_KIND, stored.name, name) is None, "the session to go")


@pytest.mark.parametrize("name", STORES)
def test_a_stored_store_is_refused_only_as_a_new_one(stored: Place, name: str) -> None:
    with pytest.raises(ApiError) as error:
        stored.admin.create(store_manifest(stored, f"new-{name}", STORES[name]))
    assert error.value.status == 422
    wait(lambda: conditions(stored, names.STORE_KIND, name), "the store to have conditions")
    stored.admin.merge(names.STORE_KIND, stored.name, name, {"metadata": {"annotations": {"note": "kept"}}})
    stored.admin.merge(names.STORE_KIND, stored.name, name, {"spec": {"allowUnfenced": True}})
    wait(lambda: conditions(stored, names.STORE_KIND, name), "the change to be seen")
    stored.admin.delete(names.STORE_KIND, stored.name, name)
    wait(lambda: stored.admin.get(names.STORE_KIND, stored.name, name) is None, "the store to go")


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_that_the_server_refuses_says_what_mends_it(stored: Place, name: str) -> None:
    session = f"{name}-claim"
    stored.wait_phase(session, "Failed", "Refused")
    assert "spec.auth.localAuth.claimName" in stored.condition(session, "Stalled")["message"]
    stored.update(session, auth={"localAuth": {"claimName": "mine"}})
    stored.wait_worker(session)
    assert stored.condition(session, "Stalled") == {}
