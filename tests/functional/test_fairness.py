"""One tenant never costs another: what a session that fails, or many that never start, leave to the others."""

import re
import socket
import time
import urllib.request

import pytest

from functional.callers import wait
from functional.conftest import Operator
from functional.world import Place
from whatsapp_session import names

EDITS, SECONDS = 71, 10.0


@pytest.fixture
def port() -> int:
    """A free port for the operator's metrics."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def number(port: int, name: str) -> float:
    """Return one of the operator's numbers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = re.search(rf"^whatsapp_operator_{name} (\S+)$", text, flags=re.MULTILINE)
    assert found is not None, f"no {name} among {text}"
    return float(found[1])


def edit_labels(place: Place, session: str, edits: int, seconds: float) -> None:
    """Change a session's labels so many times, spread evenly over so many seconds."""
    begin, done = time.monotonic(), 0

    def edited() -> bool:
        nonlocal done
        if done < edits and time.monotonic() >= begin + done * seconds / edits:
            done += 1
            place.admin.merge(names.SESSION_KIND, place.name, session, {"metadata": {"labels": {"edit": str(done)}}})
        return done >= edits

    wait(edited, lambda: f"{edits} edits; {done} were made", seconds + 60)


def test_71_label_edits_of_a_session_that_is_refused_are_a_handful_of_looks(
    place: Place, start: Operator, port: int
) -> None:
    place.quota(pods=0)
    with start(namespaces=(place.name,), health_port=port):
        place.session("support", auth={"strategy": "NoAuth"})
        place.wait_phase("support", "Pending", "QuotaExceeded")
        before = number(port, "reconcile_seconds_count")
        edit_labels(place, "support", EDITS, SECONDS)
        looks = number(port, "reconcile_seconds_count") - before
        assert looks <= 3
        # Neither does the pause keep its user waiting who changes what was refused.
        place.update("support", browser={"userAgent": "New/1.0"})
        generation = place.get("support")["metadata"]["generation"]
        wait(
            lambda: place.status("support").get("observedGeneration") == generation,
            lambda: f"generation {generation} to be looked at: {place.status('support')}",
            15,
        )


def test_label_edits_of_a_healthy_session_are_one_look_in_100_ms(place: Place, start: Operator, port: int) -> None:
    with start(namespaces=(place.name,), health_port=port):
        place.session("support", auth={"strategy": "NoAuth"})
        place.wait_worker("support")
        before, begin = number(port, "reconcile_seconds_count"), time.monotonic()
        edit_labels(place, "support", 100, 0.0)
        looks = number(port, "reconcile_seconds_count") - before
        assert looks <= 1 + (time.monotonic() - begin) / 0.1
