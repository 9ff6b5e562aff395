"""Whatever workers, nodes and users write, a session can be suspended, restarted and deleted, and says why not more."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from functional.callers import ApiError, wait
from functional.worker import Worker, connected, stamp
from functional.world import Place
from whatsapp_operator.observed.state import Observed
from whatsapp_operator.session import plan, status
from whatsapp_session import names

pytestmark = pytest.mark.usefixtures("operator")
Manifest = dict[str, Any]
FAR = "9999-12-31T23:59:59Z"
REPORTS: dict[str, Manifest] = {
    "impossible offsets": {
        "stateSince": "2026-01-01T12:00:00+99:99",
        "saved": {"time": "2026-01-01T12:00:00+99:99"},
        "qr": {"code": "2@x", "expiresAt": "2026-01-01T12:00:00-99:99"},
    },
    "lower case": {"stateSince": "2026-01-01t12:00:00z", "saved": {"time": "2026-01-01t12:00:00.5z"}},
    "the year 0": {"stateSince": "0000-01-01T00:00:00Z", "saved": {"time": "0000-01-01T00:00:00+99:00"}},
    "the year 9999": {"stateSince": FAR, "saved": {"time": FAR, "overdueSince": FAR}},
    "words unknown": {"state": "Dancing", "lastError": {"reason": "Mood", "message": "\u202e"}},
    "huge numbers": {"saved": {"generation": 2**63 - 1, "bytes": -(2**63)}, "qr": {"code": "", "attempt": -(2**31)}},
    "far requests": {"handledRequests": {"save": FAR, "relink": FAR, "takeover": "x" * 64}},
}
WORDS = {
    "brackets": "[" * 1200,
    "maps": '{"a":' * 800,
    "half a surrogate pair": '{"reason": "QRExpired", "message": "\\ud800"}',
    "a huge number": '{"exitCode": ' + "9" * 4000 + "}",
    "NaN": '{"reason": NaN, "message": Infinity}',
    "other shapes": '{"reason": ["QRExpired"], "message": {"a": 1}}',
    "escapes": '{"reason": "ArchiveMissing", "message": "\\u001b[2J\\u202e"}',
}


def started(place: Place, **spec: Any) -> Worker:
    """Return the worker of a session whose pod is scheduled, so that its deletion waits for the kubelet."""
    place.store()
    place.session("support", **spec)
    worker = place.wait_worker("support")
    worker.bind()
    return worker.runs()


def ask(place: Place, request: str, time: str) -> None:
    """Ask for something by an annotation."""
    annotations = {names.request_annotation(request): time}
    place.admin.merge(names.SESSION_KIND, place.name, "support", {"metadata": {"annotations": annotations}})


def stops(place: Place, worker: Worker) -> None:
    """Wait until the operator deletes the worker's pod."""

    def deleted() -> bool:
        pod = place.pod("support")
        return pod is None or pod["metadata"]["uid"] != worker.uid or "deletionTimestamp" in pod["metadata"]

    wait(deleted, f"the pod {worker.uid} to be deleted")


def leaves(place: Place, worker: Worker) -> None:
    """Wait until the operator deletes the worker's pod, and let it go."""
    stops(place, worker)
    worker.vanishes()


def manageable(place: Place, worker: Worker, *, again: Callable[[Worker], object]) -> None:
    """Restart, suspend, resume and delete the session; ``again`` makes the next worker as odd as the first."""
    ask(place, "restart", stamp())
    leaves(place, worker)
    worker = place.wait_worker("support")
    worker.bind()
    again(worker)
    place.update("support", operatingMode="Suspended")
    leaves(place, worker)
    wait(lambda: place.pod("support") is None, "the pod to be gone")
    place.update("support", operatingMode="Running")
    worker = place.wait_worker("support")
    worker.bind()
    again(worker)
    assert place.condition("support", "Ready")
    place.admin.delete(names.SESSION_KIND, place.name, "support")
    wait(lambda: place.admin.get(names.SESSION_KIND, place.name, "support") is None, "the session to be gone")
    stops(place, worker)


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS.keys())
def test_a_session_stays_manageable_whatever_its_worker_reports(place: Place, report: Manifest) -> None:
    def odd(worker: Worker) -> None:
        worker.runs()
        caller = worker.caller()
        worker.write_at_last(caller, worker.report("Connected") | report)

    worker = started(place)
    odd(worker)
    manageable(place, worker, again=odd)


@pytest.mark.parametrize("message", WORDS.values(), ids=WORDS.keys())
def test_a_session_stays_manageable_whatever_a_container_leaves(place: Place, message: str) -> None:
    def odd(worker: Worker) -> None:
        ended = {"exitCode": 1, "message": message, "startedAt": stamp(-2), "finishedAt": stamp()}
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
        worker.set_pod("Running", waiting, last_state={"terminated": ended}, restarts=1)

    worker = started(place)
    odd(worker)
    place.wait_phase("support", "Failed")
    assert place.condition("support", "Stalled")["message"].isprintable()
    manageable(place, worker, again=odd)


def test_a_pod_that_failed_with_odd_words_is_replaced(place: Place) -> None:
    worker = started(place)
    worker.set_pod("Failed", {"terminated": {"exitCode": 1, "message": "[" * 1200, "finishedAt": stamp()}})
    leaves(place, worker)
    ask(place, "restart", stamp())
    assert place.wait_worker("support").uid != worker.uid


@pytest.mark.parametrize("part", [(status, "own_status"), (plan, "plan")], ids=["status", "plan"])
def test_a_session_that_cannot_be_judged_stays_manageable(
    place: Place, part: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = started(place)
    worker.says("Connected", **connected())
    place.wait_phase("support", "Connected")
    whole = getattr(*part)

    def broken(observed: Observed, *more: Any) -> Any:
        if observed.session.namespace == place.name:
            raise ValueError("a fault of the operator")
        return whole(observed, *more)

    monkeypatch.setattr(*part, broken)
    manageable(place, worker, again=lambda worker: worker.runs())


def test_a_report_beyond_its_bounds_is_refused(place: Place) -> None:
    worker = started(place)
    worker.says("Connected", **connected())
    for more, why in (
        ({"account": {"pushName": "x" * 10**6}}, "Too long: may not be more than 128"),
        ({"warnings": [{"reason": "MemoryHigh", "message": "x"}] * 5}, "Too many: 5: must have at most 4 items"),
        ({"account": {"id": "\x1b]0;title\x07"}}, "should match"),
        ({"lastError": {"message": "\x1b[2J"}}, "should match"),
        ({"handledRequests": {f"key{number}": stamp() for number in range(5000)}}, "not declared in schema"),
    ):
        with pytest.raises(ApiError) as refused:
            worker.write(worker.caller(), worker.report("Connected") | more)
        assert why in refused.value.message


def test_a_worker_cannot_hide_later_requests(place: Place) -> None:
    worker = started(place)
    worker.says("Connected", handledRequests={"save": FAR, "relink": FAR, "takeover": FAR}, **connected())
    place.wait_phase("support", "Connected")
    time = stamp()
    ask(place, "save", time)

    def on_the_lease() -> bool:
        annotations = (place.lease("support") or {"metadata": {}})["metadata"].get("annotations") or {}
        return annotations.get(names.request_annotation("save")) == time

    wait(on_the_lease, "the request on the Lease")
    assert "handledRequests" not in place.status("support")


@pytest.mark.parametrize(
    ("time", "why"),
    [
        (FAR, "more than 5 minutes in the future"),
        ("2026-01-01T00:00:00." + "0" * 300 + "Z", "must be an RFC 3339 time"),
        ("\x1b[2J", "must be an RFC 3339 time"),
    ],
    ids=["year 9999", "321 characters", "an escape"],
)
def test_a_request_with_an_odd_time_is_told_and_hides_no_later_one(place: Place, time: str, why: str) -> None:
    worker = started(place)
    ask(place, "restart", time)

    def told() -> list[Manifest]:
        return [event for event in place.events("support") if event["reason"] == "RequestIgnored"]

    (event,) = wait(told, "the Event")
    assert why in event["message"]
    assert event["message"].isprintable()
    ask(place, "restart", stamp())
    leaves(place, worker)
    assert place.wait_worker("support").uid != worker.uid


def test_what_an_older_operator_took_for_handled_hides_no_request(place: Place) -> None:
    worker = started(place)
    own = {name: part for name, part in place.status("support").items() if name != "session"}
    poisoned = {
        "apiVersion": names.API_VERSION,
        "kind": names.SESSION_KIND,
        "metadata": {"name": "support", "namespace": place.name},
        "status": own | {"handledRequests": {"restart": FAR, "save": FAR}},
    }
    place.admin.apply(poisoned, manager=names.OPERATOR_MANAGER, subresource="status")
    ask(place, "restart", stamp())
    leaves(place, worker)
    assert place.wait_worker("support").uid != worker.uid
    wait(lambda: FAR not in json.dumps(place.status("support")), "the times that cannot be to be gone")
