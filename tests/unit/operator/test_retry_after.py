"""The time for which the API server asks is waited, whatever happens meanwhile."""

import json
from typing import Any

import pytest

from whatsapp_kube import answers
from whatsapp_kube.errors import Asked, Unreachable
from whatsapp_operator.queue_schedule import COALESCE_SECONDS, Schedule

CLAIM = Asked("create", "PersistentVolumeClaim", "a")


@pytest.mark.parametrize(
    ("status", "body", "headers", "seconds"),
    [
        (429, {"details": {"retryAfterSeconds": 7}}, {}, 7),
        (429, "too many", {"Retry-After": "1"}, 1),
        (503, "", {"retry-after": "30"}, 30),
        (429, "", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0),
        (429, {"details": {"retryAfterSeconds": -7}}, {}, 0),
        (429, {"details": {"retryAfterSeconds": 10**9}}, {}, 3600),
        (503, "", {}, 0),
    ],
    ids=str,
)
def test_the_time_to_wait_is_read_from_the_answer(
    status: int, body: Any, headers: dict[str, str], seconds: float
) -> None:
    error = answers.error(status, json.dumps(body), CLAIM, headers)
    assert isinstance(error, Unreachable)
    assert error.retry_after == seconds


def test_the_time_that_the_server_asks_for_passes_whatever_the_user_does() -> None:
    made: Schedule[str] = Schedule(1)
    made.add("a", 0.0)
    assert made.take(COALESCE_SECONDS) == "a"
    made.failed("a", 1.0, 0.0, asked=40.0)
    made.add("a", 2.0, asked=7)
    assert made.take(40.9) is None
    assert made.take(41.0) == "a"
