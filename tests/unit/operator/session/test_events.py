"""One Event for each change that a person cares about."""

from typing import Any

import pytest

from scenes.operator import samples
from scenes.operator.cluster import SESSION, connected
from whatsapp_operator.observed.state import Observed
from whatsapp_operator.session import events, status
from whatsapp_session import names
from whatsapp_session.conditions import Reason

SEEN: dict[str, Any] = {"account": {"hash": "aa"}, "saved": {"generation": 1}}


def told(before: Observed | None, after: Observed) -> list[tuple[str, bool]]:
    """Return reason and whether it is a warning, of each Event of a change."""
    old = {} if before is None else status.own_status(before, "hash", "2026-01-01T12:00:00Z")
    new = status.own_status(after, "hash", "2026-01-01T13:00:00Z")
    return [(item.reason, item.warning) for item in events.events_of(old, new)]


def test_nothing_is_told_when_nothing_changed() -> None:
    assert told(samples.observed("Connected", **SEEN), samples.observed("Connected", **SEEN)) == []


def test_a_start_is_quiet_until_a_person_is_needed() -> None:
    assert told(None, samples.observed("Claiming")) == []
    assert told(samples.observed("Claiming"), samples.observed("AwaitingLink")) == [("AwaitingScan", False)]


def test_of_a_link_and_its_first_save_the_worker_tells_and_of_the_connection_the_operator() -> None:
    waiting, syncing = samples.observed("AwaitingLink"), samples.observed("Syncing")
    fresh, saved = samples.observed("Connected"), samples.observed("Connected", **SEEN)
    assert told(waiting, syncing) == []
    assert told(syncing, fresh) == [("SocketConnected", False)]
    assert told(fresh, saved) == []


def test_trouble_that_the_worker_has_posted_is_not_posted_twice() -> None:
    before = status.own_status(samples.observed("Connected", **SEEN), "hash", samples.NOON)
    after = status.own_status(samples.observed("Conflict", **SEEN), "hash", samples.NOON)
    assert [item.reason for item in events.events_of(before, after)] == ["Conflict"]
    assert list(events.events_of(before, after, Reason.CONFLICT)) == []


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (samples.observed("Conflict", **SEEN), "Conflict"),
        (samples.observed("Frozen", **SEEN), "Frozen"),
        (samples.observed("Connected", saved={"generation": 1, "overdueSince": samples.NOON}), "BackupOverdue"),
        (samples.observed("Failed", lastError={"reason": "PageDead", "message": "x"}), "PageDead"),
    ],
    ids=["conflict", "frozen", "overdue", "failed"],
)
def test_trouble_is_a_warning(after: Observed, reason: str) -> None:
    assert (reason, True) in told(samples.observed("Connected", **SEEN), after)


def test_a_missing_store_is_told_once() -> None:
    missing = Observed(samples.session(), None, None)
    assert told(None, missing) == [("StoreNotFound", True)]
    assert told(missing, missing) == []


def test_an_event_that_is_posted_again_after_a_crash_has_the_same_name() -> None:
    old = status.own_status(samples.observed("AwaitingLink"), "hash", "2026-01-01T12:00:00Z")
    made = set()
    for now in ("2026-01-01T13:00:00Z", "2026-01-01T13:00:09Z"):
        new = status.own_status(samples.observed("Connected"), "hash", now)
        (event,) = events.events_of(old, new)
        made.add(events.manifest(samples.session(), event, now)["metadata"]["name"])
    assert len(made) == 1


def test_an_event_is_complete_and_of_bounded_length() -> None:
    event = events.EventRecord("Replacing", "x" * 5000, warning=False, since="1")
    made = events.manifest(samples.session(), event, samples.NOON)
    assert len(made["message"]) <= 1024
    assert made["involvedObject"]["uid"] == samples.UID
    assert made["type"] == "Normal"


def test_a_request_that_is_ignored_is_told_once_and_not_at_each_look() -> None:
    cluster = connected()
    wrong = {names.request_annotation("restart"): "tomorrow"}
    cluster.change(SESSION, lambda session: session["metadata"].update(annotations=wrong))
    for _ in range(3):
        cluster.look()
    posted = [call for call in cluster.kube.calls if call.startswith(f"create Event/{samples.NAME}")]
    (event,) = [item for item in cluster.kube.objects.values() if item.get("reason") == "RequestIgnored"]
    assert len(posted) == len([item for item in cluster.kube.objects.values() if item["kind"] == "Event"])
    assert event["type"] == "Warning"
    assert "'tomorrow': the value must be an RFC 3339 time" in event["message"]
    cluster.restarted()
    cluster.look()
    assert len([item for item in cluster.kube.objects.values() if item.get("reason") == "RequestIgnored"]) == 1
