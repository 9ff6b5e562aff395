"""Stores behind a private certificate authority and behind an HTTP proxy."""

import pathlib
from collections.abc import Iterator

import pytest

from component.stores import servers
from component.stores.conftest import MakePlace, Place
from scenes import fronts
from simulator import tls
from whatsapp_worker import errors, stores
from whatsapp_worker.stores import registry

LOGIN = "bot:p%40ss"


@pytest.fixture(scope="module")
def identity() -> tls.Identity:
    """A certificate that no public authority has signed."""
    return tls.identity()


@pytest.fixture
def network(tmp_path: pathlib.Path) -> pathlib.Path:
    """The directory that tells the way to a store."""
    made = tmp_path / "network"
    made.mkdir()
    return made


@pytest.fixture(params=["s3", "mongodb"])
def private(
    request: pytest.FixtureRequest,
    make_place: MakePlace,
    identity: tls.Identity,
    tmp_path: pathlib.Path,
) -> Iterator[Place]:
    """A place in a store whose server speaks TLS with that certificate."""
    place = make_place(request.param)
    server = request.getfixturevalue({"s3": "s3_server", "mongodb": "mongo_server"}[request.param])
    with fronts.with_tls(server.port, identity) as port:
        if request.param == "s3":
            address = place.address.replace(f"http://127.0.0.1:{server.port}", f"https://127.0.0.1:{port}")
            yield Place(address, stores.Settings(place.settings.secrets, deadline=2.0))
        else:
            given = servers.write_mongo_secrets(tmp_path / "tls-secrets", f"{server.uri(port)}?tls=true")
            yield Place(place.address, stores.Settings(given, deadline=2.0))


def opened(place: Place, network: pathlib.Path | None) -> stores.Backend:
    """Open a place by a route."""
    given = stores.Settings(place.settings.secrets, deadline=place.settings.deadline, network=network)
    return registry.open_store(place.address, given)


def test_a_private_authority_is_trusted_where_its_bundle_is_given(
    private: Place, network: pathlib.Path, identity: tls.Identity
) -> None:
    with pytest.raises(errors.StoreUnavailable, match=r"does not trust .*caBundle"):
        opened(private, None).create("a/1", [b"one"])
    (network / "ca.crt").write_bytes(identity.certificate)
    store = opened(private, network)
    store.create("a/1", [b"one"])
    assert b"".join(store.read("a/1")) == b"one"


def test_a_bundle_that_is_changed_takes_effect_at_the_next_use(
    private: Place, network: pathlib.Path, identity: tls.Identity
) -> None:
    (network / "ca.crt").write_bytes(tls.identity().certificate)
    store = opened(private, network)
    with pytest.raises(errors.StoreUnavailable, match=r"does not trust .*caBundle"):
        store.create("a/1", [b"one"])
    (network / "ca.crt").write_bytes(identity.certificate)
    store.create("a/1", [b"one"])


def test_s3_is_reached_through_a_proxy_with_a_login(
    make_place: MakePlace, s3_server: servers.S3Server, network: pathlib.Path, identity: tls.Identity
) -> None:
    place = make_place("s3")
    with fronts.with_tls(s3_server.port, identity) as port, fronts.http_proxy("bot:p@ss") as proxy:
        address = place.address.replace(f"http://127.0.0.1:{s3_server.port}", f"https://127.0.0.1:{port}")
        there = Place(address, stores.Settings(place.settings.secrets, deadline=2.0))
        (network / "ca.crt").write_bytes(identity.certificate)
        (network / "proxy").write_text(f"http://wrong:login@127.0.0.1:{proxy.port}\n")
        store = opened(there, network)
        with pytest.raises(errors.StoreUnavailable, match="proxy on the way to it refuses the login") as refused:
            store.create("a/1", [b"one"])
        assert "wrong" not in str(refused.value), "the address holds a password"
        assert "wrong" not in repr(store)
        (network / "proxy").write_text(f"http://{LOGIN}@127.0.0.1:{proxy.port}\n")
        store.create("a/1", [b"one"])
        assert set(proxy.connected) == {f"127.0.0.1:{port}"}
