"""Stores behind a network that fails: nothing is lost, nothing is wrong, every error says what is the matter."""

import time
from collections.abc import Callable

import pytest

from component.stores import disturbed as at
from component.stores import servers
from component.stores.disturbed import BRIEF, LARGE, MEDIUM, SMALL, DisturbedPlace
from component.stores.proxy import How, mongo_error, s3_error
from whatsapp_worker import errors
from whatsapp_worker.repository import log, records
from whatsapp_worker.stores import mongo, s3, testing
from whatsapp_worker.stores.mongo import server
from whatsapp_worker.stores.s3 import requests

OWNER = records.Owner(host="here", boot_id="b", data_path="/d")
BREAKS = (How.REFUSE, How.LOSE, How.RESET, How.END)
Answer = Callable[[bytes], bytes] | bytes


S3_WRITES = {
    "put": (at.PUT, SMALL),
    "begin": (at.BEGIN, LARGE),
    "part": (at.PART, LARGE),
    "complete": (at.COMPLETE, LARGE),
}
S3_ANSWERS = {
    "500": s3_error(500, "InternalError"),
    "503": s3_error(503, "SlowDown"),
    "409": s3_error(409, "ConditionalRequestConflict"),
    "bad gateway": s3_error(502),
}
MONGO_WRITES = {
    "small": (at.NAME, SMALL),
    "name": (at.NAME, MEDIUM),
    "chunk": (at.CHUNK, MEDIUM),
    "note": (at.NOTE, MEDIUM),
}
WRITES = [
    *(
        pytest.param(kind, request, content, how, b"", id=f"{kind} {name} {how.name.lower()}")
        for kind, writes in (("s3", S3_WRITES), ("mongo", MONGO_WRITES))
        for name, (request, content) in writes.items()
        for how in BREAKS
    ),
    *(
        pytest.param("s3", request, content, How.ANSWER, answer, id=f"s3 {name} {said}")
        for name, (request, content) in S3_WRITES.items()
        for said, answer in S3_ANSWERS.items()
    ),
]


@pytest.mark.parametrize(("disturbed", "request_", "content", "how", "answer"), WRITES, indirect=["disturbed"])
def test_a_write_that_is_disturbed_once_is_whole_and_counts_once(
    disturbed: DisturbedPlace, request_: bytes, content: bytes, how: How, answer: bytes
) -> None:
    store = disturbed.ready()
    fault = disturbed.proxy.fault(how, request_, answer=answer)
    store.create("a/archives/1.zip", testing.pieces(content))
    assert fault.met == 1
    assert testing.read(store, "a/archives/1.zip") == content
    with pytest.raises(errors.AlreadyExists):
        store.create("a/archives/1.zip", testing.pieces(content))


READS = [
    *(pytest.param("s3", {at.GET: 3}, share, id=f"s3 {share:.1%}") for share in (0.01, 0.6, 0.999)),
    pytest.param("mongo", {at.FIND: 2, at.MORE: 1}, 0.5, id="mongo"),
]


@pytest.mark.parametrize("how", BREAKS, ids=lambda how: how.name.lower())
@pytest.mark.parametrize(("disturbed", "requests_", "share"), READS, indirect=["disturbed"])
def test_a_reading_that_breaks_goes_on_where_it_broke(
    disturbed: DisturbedPlace, requests_: dict[bytes, int], share: float, how: How
) -> None:
    store = disturbed.ready()
    store.create("a/archives/1.zip", testing.pieces(LARGE))
    faults = [disturbed.proxy.fault(how, on, times, share=share) for on, times in requests_.items()]
    assert testing.read(store, "a/archives/1.zip") == LARGE
    assert [fault.met for fault in faults] == list(requests_.values())


LASTING: dict[str, list[tuple[str, Answer, type[Exception], str]]] = {
    "s3": [
        ("403", s3_error(403, "AccessDenied"), errors.StoreDenied, "denies access"),
        ("403 bare", s3_error(403), errors.StoreDenied, "denies access"),
        ("clock", s3_error(403, "RequestTimeTooSkewed"), errors.StoreDenied, "clock"),
        ("404 bare", s3_error(404), errors.StoreUnavailable, "cannot serve"),
        ("bucket", s3_error(404, "NoSuchBucket"), errors.StoreDenied, "does not exist"),
        ("412", s3_error(412, "PreconditionFailed"), errors.StoreUnavailable, "condition|does not show"),
        ("500", s3_error(500, "InternalError"), errors.StoreUnavailable, "cannot serve"),
        ("503", s3_error(503, "SlowDown"), errors.StoreUnavailable, "cannot serve"),
        ("full", s3_error(507, "QuotaExceeded"), errors.StoreFull, "full"),
        ("read-only", s3_error(405, "MethodNotAllowed"), errors.StoreDenied, "read-only"),
    ],
    "mongo": [
        ("unauthorized", mongo_error(13), errors.StoreDenied, "denies access"),
        ("authentication", mongo_error(18), errors.StoreDenied, "denies access"),
        ("full", mongo_error(14031), errors.StoreFull, "full"),
        ("no primary", mongo_error(10107), errors.StoreUnavailable, "connection"),
        ("timeout", mongo_error(50), errors.StoreUnavailable, "cannot serve"),
        ("internal", mongo_error(1), errors.StoreUnavailable, "cannot serve"),
    ],
}
ANY = {"s3": b"", "mongo": rb"(?s)(insert|find|delete)\0.{4}whatsapp[_-]"}


@pytest.mark.parametrize(
    ("disturbed", "any_", "answer", "kind", "said"),
    [
        pytest.param(kind, ANY[kind], *case, id=f"{kind} {name}")
        for kind, rows in LASTING.items()
        for name, *case in rows
    ],
    indirect=["disturbed"],
)
def test_a_failure_that_stays_is_a_typed_error_and_never_no_session(
    disturbed: DisturbedPlace, any_: bytes, answer: Answer, kind: type[Exception], said: str
) -> None:
    store = disturbed.open(BRIEF)
    disturbed.proxy.fault(How.ANSWER, any_, times=10_000, answer=answer)
    asked: list[Callable[[], object]] = [
        lambda: store.create("a/x", [SMALL]),
        lambda: store.create("a/y", [LARGE]),
        lambda: store.read("a/x"),
        lambda: list(store.list("a/")),
        lambda: store.delete("a/x"),
    ]
    for ask in asked:
        with pytest.raises(kind, match=said) as caught:
            ask()
        assert not isinstance(caught.value, errors.NotFound)
        for secret in (servers.SECRET_KEY, "pass-word", "127.0.0.1"):
            assert secret not in str(caught.value)
        assert caught.value.__cause__ is None
    # The answer to HEAD has no words, so the kind of the error may be another one; never that there is none.
    with pytest.raises(errors.StoreError) as caught:
        store.stat_copy("a")
    assert not isinstance(caught.value, errors.NotFound)


Ask = Callable[[s3.S3Store | mongo.MongoStore], object]


@pytest.mark.parametrize(
    ("disturbed", "request_", "ask"),
    [
        pytest.param("s3", at.PUT, lambda store: store.create("a/y", [SMALL]), id="s3 put"),
        pytest.param("s3", at.GET, lambda store: store.read("a/x"), id="s3 get"),
        pytest.param("s3", rb"^(HEAD|GET) ", lambda store: store.stat_copy("a"), id="s3 head"),
        pytest.param("s3", at.PART, lambda store: store.create("a/y", testing.pieces(LARGE)), id="s3 part"),
        pytest.param("mongo", at.NAME, lambda store: store.create("a/y", [SMALL]), id="mongo insert"),
        pytest.param("mongo", rb"(?s)find\0.{4}whatsapp_names\0", lambda store: store.read("a/x"), id="mongo find"),
    ],
    indirect=["disturbed"],
)
def test_a_server_that_falls_silent_is_given_up_in_time(
    disturbed: DisturbedPlace, monkeypatch: pytest.MonkeyPatch, request_: bytes, ask: Ask
) -> None:
    # Long enough for a busy machine to answer what is not to hang.
    monkeypatch.setattr(requests, "READ_TIMEOUT", 5.0)
    monkeypatch.setattr(server, "SOCKET_TIMEOUT", 5.0)
    store = disturbed.open(BRIEF)
    store.create("a/x", [SMALL])
    fault = disturbed.proxy.fault(How.HANG, request_, times=10_000)
    begun = time.monotonic()
    with pytest.raises(errors.StoreUnavailable, match="in time"):
        ask(store)
    assert fault.met >= 1
    assert time.monotonic() - begun < 60, "one time-out and the deadline together are about five seconds"


@pytest.mark.parametrize(
    ("disturbed", "request_"), [("s3", at.PUT), ("mongo", at.NAME)], ids=["s3", "mongo"], indirect=["disturbed"]
)
def test_a_log_on_a_bad_network_has_every_record_once(disturbed: DisturbedPlace, request_: bytes) -> None:
    store = disturbed.ready()
    journal = log.SessionLog(store, "RemoteAuth-a", OWNER)
    for number, how in enumerate((How.LOSE, How.REFUSE, How.RESET, How.END, How.LOSE), 1):
        fault = disturbed.proxy.fault(how, request_)
        journal.append(records.Claim(60))
        assert (fault.met, journal.head) == (1, number)
    again = log.SessionLog(store, "RemoteAuth-a", OWNER)
    again.newest()
    assert len(list(again.back(again.head))) == again.head == 5
