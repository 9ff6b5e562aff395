"""One tenant never costs another: what a session that fails, or many that never start, leave to the others."""

import re
import socket
import time
import urllib.request
from functools import partial

import pytest

from functional.callers import wait
from functional.conftest import Operator
from functional.worker import stamp
from functional.world import Place
from whatsapp_operator import rollout
from whatsapp_session import names

EDITS, SECONDS = 71, 10.0
SESSIONS, SLOTS = 12, 10
COMPRESSED = 1.5
"""Seconds between two restart requests of a session; the attack made one every 15 s."""
NO_AUTH = {"auth": {"strategy": "NoAuth"}}


@pytest.fixture
def port() -> int:
    """A free port for the operator's metrics."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def number_of(port: int, name: str) -> float:
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
        place.session("support", **NO_AUTH)
        place.wait_phase("support", "Pending", "QuotaExceeded")
        before = number_of(port, "reconcile_duration_seconds_count")
        edit_labels(place, "support", EDITS, SECONDS)
        looks = number_of(port, "reconcile_duration_seconds_count") - before
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
        place.session("support", **NO_AUTH)
        place.wait_worker("support")
        before, begin = number_of(port, "reconcile_duration_seconds_count"), time.monotonic()
        edit_labels(place, "support", 100, 0.0)
        looks = number_of(port, "reconcile_duration_seconds_count") - before
        assert looks <= 1 + (time.monotonic() - begin) / 0.1


class Attacker:
    """Somebody with sessions of which none ever starts, who asks for a restart of each all the while."""

    def __init__(self, place: Place) -> None:
        self.place, self.asked, self.begin = place, 0, time.monotonic()

    def goes_on(self) -> None:
        """Make the requests that are due."""
        due = int((time.monotonic() - self.begin) / COMPRESSED * SESSIONS)
        while self.asked < due:
            name = f"bad-{self.asked % SESSIONS}"
            request = {"metadata": {"annotations": {names.request_annotation("restart"): stamp()}}}
            self.place.admin.merge(names.SESSION_KIND, self.place.name, name, request)
            self.asked += 1

    def pods(self) -> list[str]:
        """Return the UIDs of its pods."""
        return [pod["metadata"]["uid"] for pod in self.place.admin.items("Pod", self.place.name)]


def test_12_sessions_that_never_start_and_are_restarted_all_the_while_starve_nobody(
    place: Place, start: Operator, port: int
) -> None:
    other, limits = place.world.namespace(), rollout.Limits(starting=SLOTS)
    with start(namespaces=(place.name, other.name), health_port=port, limits=limits):
        for number in range(SESSIONS):
            place.session(f"bad-{number}", **NO_AUTH)
        attacker = Attacker(place)

        def queued() -> str | None:
            found = [place.condition(f"bad-{number}", "Reconciling") for number in range(SESSIONS)]
            waits = [item["message"] for item in found if item.get("reason") == "StartQueued"]
            return waits[0] if waits and number_of(port, "start_slots_waiting") >= 1 else None

        assert "worker.pacing.maxStarting" in wait(queued, "a session to wait for a slot and say so")
        wait(lambda: len(attacker.pods()) >= SLOTS, "the attacker to have all slots")
        seen = set(attacker.pods())

        def served(name: str) -> bool:
            attacker.goes_on()
            seen.update(attacker.pods())
            return other.pod(name) is not None

        for name in ("one", "two", "three"):
            other.session(name, **NO_AUTH)
            begin = time.monotonic()
            wait(partial(served, name), f"the other namespace's session {name} to have its pod", 60)
            assert time.monotonic() - begin < 20, "5 s, and what a busy machine takes"
        # Restarts are paced per session, and none is lost: the newest is carried out when its pause is over.
        assert len(seen) <= SESSIONS * 3
        wait(lambda: len(set(attacker.pods()) - seen) >= SESSIONS // 2, "the newest restarts to be carried out")
    other.empty()
