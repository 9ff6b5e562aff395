"""Requests are carried out once, and not in another life."""

import dataclasses

import pytest

from scenes.operator import samples
from whatsapp_operator.observed import requests
from whatsapp_operator.observed.state import Session
from whatsapp_session import names

EARLY, LATE = "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"


def requesting(handled: dict[str, str] | None = None, told: dict[str, str] | None = None, **asked: str) -> Session:
    """Return a session with requests, some carried out."""
    status = samples.report("Connected", handledRequests=told or {}) | {"handledRequests": handled or {}}
    annotations = {names.request_annotation(request.replace("_", "-")): time for request, time in asked.items()}
    return samples.session(status=status, annotations=annotations)


def test_a_request_goes_to_the_worker_until_one_of_both_says_that_it_is_done() -> None:
    assert requests.for_the_worker(requesting(save=LATE)) == {"save": LATE}
    assert requests.for_the_worker(requesting(handled={"save": EARLY}, save=LATE)) == {"save": LATE}
    assert requests.for_the_worker(requesting(handled={"save": LATE}, save=LATE)) == {}
    assert requests.for_the_worker(requesting(told={"save": LATE}, save=LATE)) == {}


def test_a_restart_is_the_operators_own_affair() -> None:
    assert requests.for_the_worker(requesting(restart=LATE)) == {}


@pytest.mark.parametrize(
    ("time", "why"),
    [
        ("2025-12-31T23:59:59Z", "before the session was created"),
        ("yesterday", "must be an RFC 3339 time"),
        ("", "must be an RFC 3339 time"),
        ("2026-01-01T12:00:00+99:99", "must be an RFC 3339 time"),
        ("2026-01-01T11:00:00." + "0" * 60 + "Z", "must be an RFC 3339 time"),
        ("2026-01-01T12:05:01Z", "more than 5 minutes in the future"),
        ("9999-12-31T23:59:59Z", "more than 5 minutes in the future"),
    ],
    ids=["older", "no time", "empty", "no such offset", "80 characters", "ahead", "year 9999"],
)
def test_what_is_no_request_is_ignored_with_the_reason(time: str, why: str) -> None:
    session = requesting(relink=time, restart=time, save=LATE)
    assert requests.for_the_worker(session) == {"save": LATE}
    assert requests.restart(session) is None
    assert requests.newest_start(session) is None
    assert [(item.annotation, item.value) for item in session.ignored] == [
        (names.request_annotation("relink"), time[:64]),
        (names.request_annotation("restart"), time[:64]),
    ]
    assert all(why in item.why for item in session.ignored)


def test_a_request_of_a_clock_that_is_a_little_ahead_is_accepted() -> None:
    assert requests.restart(requesting(restart="2026-01-01T12:05:00Z")) == "2026-01-01T12:05:00Z"


def test_a_request_that_the_operator_does_not_know_is_ignored_with_the_reason() -> None:
    session = requesting(restrat=LATE)
    assert [item.annotation for item in session.ignored] == [names.request_annotation("restrat")]
    assert "the requests are restart, relink, save, takeover, skip-purge" in session.ignored[0].why
    crowded = samples.session(annotations={names.request_annotation(f"x{number}"): "" for number in range(5000)})
    assert len(crowded.ignored) == requests.LONGEST_LIST


FAR = "9999-12-31T23:59:59Z"


def test_what_cannot_have_been_carried_out_hides_no_request_whoever_says_so() -> None:
    told = {"restart": LATE, "relink": FAR, "save": "x" * 65, **{f"key{number}": LATE for number in range(5000)}}
    session = requesting(told=told, handled={"save": FAR, "other": LATE}, relink=LATE, save=LATE)
    assert requests.for_the_worker(session) == {"relink": LATE, "save": LATE}
    pod = dataclasses.replace(samples.pod(), restarted_for=FAR)
    assert requests.handled(session, pod, samples.NOON_SECONDS) == {}


def test_a_restart_that_was_carried_out_stays_in_the_template_when_its_annotation_goes() -> None:
    assert requests.restart(requesting(handled={"restart": EARLY})) == EARLY
    assert requests.restart(requesting(handled={"restart": EARLY}, restart=LATE)) == LATE
    assert requests.restart(requesting(handled={"restart": LATE}, restart=EARLY)) == LATE


def test_the_newest_request_that_lets_a_session_start_counts() -> None:
    assert requests.newest_start(requesting(restart=EARLY, takeover=LATE, save="2026-01-01T12:00:00Z")) == LATE


def test_handled_requests_are_never_forgotten_or_set_back() -> None:
    session = requesting(handled={"save": LATE, "relink": EARLY}, told={"save": EARLY, "relink": LATE})
    assert requests.handled(session, None, samples.NOON_SECONDS) == {"save": LATE, "relink": LATE}
