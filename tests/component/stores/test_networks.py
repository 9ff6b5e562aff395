"""Many archives through networks on which anything may break at any time: none is lost, none is wrong."""

import os
import random
import secrets
from collections.abc import Iterator

import pytest

from component.stores import proxy, servers
from component.stores.conftest import MakePlace
from component.stores.proxy import Fault, How
from whatsapp_worker import errors, stores
from whatsapp_worker.repository import log, records
from whatsapp_worker.stores import mongo, retry, s3, testing

SOAK = "WSO_SOAK"
ARCHIVES = 200 if os.environ.get(SOAK) else 4
"""One of each size at least."""
WAITING = retry.Patience(deadline=120.0, first=0.005, longest=0.05)
SHARE = 0.2
"""Of the exchanges, how many are spoilt."""
LONGEST_CALM = 5
"""Exchanges in a row that go well at most: with few archives chance alone may spoil next to nothing."""
BREAKS = (How.REFUSE, How.LOSE, How.RESET, How.END)
OWNER = records.Owner(host="here", boot_id="b", data_path="/d")


class Weather:
    """Spoils exchanges by chance, with a seed that a failure can be repeated by."""

    def __init__(self, seed: int, errors_: tuple[bytes, ...]) -> None:
        self._chance = random.Random(seed)
        self._answers = errors_
        self._calm = 0
        self.bad = 0

    def __call__(self, request: bytes) -> Fault | None:
        if self._chance.random() > SHARE and self._calm < LONGEST_CALM:
            self._calm += 1
            return None
        self._calm = 0
        self.bad += 1
        share = self._chance.random()
        if self._answers and self._chance.random() < 0.3:
            return Fault(How.ANSWER, lambda _: True, answer=self._chance.choice(self._answers))
        return Fault(self._chance.choice(BREAKS), lambda _: True, share=share)


Network = tuple[proxy.Proxy, stores.Backend, stores.Backend]


@pytest.fixture(params=["s3", "mongodb"])
def network(request: pytest.FixtureRequest, make_place: MakePlace) -> Iterator[Network]:
    """A proxy, a store behind it, and the same store without it."""
    kind: str = request.param
    server: servers.S3Server | servers.MongoServer = request.getfixturevalue(f"{kind.removesuffix('db')}_server")
    place = make_place(kind)
    with proxy.running(server.port, http=kind == "s3") as between:
        if isinstance(server, servers.S3Server):
            there = place.address.partition(":")[2]
            through = there.replace(f":{server.port}", f":{between.port}")
            made: tuple[stores.Backend, ...] = tuple(
                s3.S3Store(s3.parse(address), place.settings.secrets, waiting=WAITING) for address in (through, there)
            )
            yield between, made[0], made[1]
            return
        assert place.settings.secrets is not None
        around = servers.write_mongo_secrets(place.settings.secrets.with_name("around"), server.uri(between.port))
        database = f"t{secrets.token_hex(6)}"
        inside, outside = (
            mongo.MongoStore(database, around, WAITING),
            mongo.MongoStore(database, place.settings.secrets),
        )
        yield between, inside, outside
        inside.close()
        outside.close()


def test_no_archive_is_lost_or_wrong_and_no_record_stands_twice(network: Network) -> None:
    between, store, plain = network
    seed = int(os.environ.get("WSO_SEED", "1"))
    answers = tuple(proxy.s3_error(*what) for what in ((500, "InternalError"), (503, "SlowDown"), (502,), (404,)))
    weather = Weather(seed, answers if between.http else ())
    between.choose = weather
    journal = log.SessionLog(store, testing.SESSION, OWNER)
    sizes = [1000, 300_000, 3_000_000, 9 << 20]
    for number in range(ARCHIVES):
        content = testing.content(sizes[number % 4], number)
        store.create(f"{testing.SESSION}/archives/{number}.zip", testing.pieces(content))
        journal.append(records.Claim(60))
        assert testing.read(store, f"{testing.SESSION}/archives/{number}.zip") == content
    between.choose = lambda request: None
    for number in range(ARCHIVES):
        whole = testing.read(plain, f"{testing.SESSION}/archives/{number}.zip")
        assert whole == testing.content(sizes[number % 4], number)
    found = log.SessionLog(plain, testing.SESSION, OWNER)
    found.newest()
    assert found.head == journal.head == ARCHIVES
    assert [record.slot for record in found.back(found.head)] == list(range(ARCHIVES, 0, -1))
    assert weather.bad > ARCHIVES / 4, "the network was too good to prove anything"
    with pytest.raises(errors.NotFound):
        plain.read(f"{testing.SESSION}/archives/none.zip")
