"""What a thousand sessions cost the operator, beside a thousand bare pods in the same run (``WSO_SESSIONS`` for more).

The floor is the time in which the same control plane brings up, and deletes, as many bare pods. Times are in seconds.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.operator.scale_cluster import Cost, Operator, Scale, cluster
from functional.callers import Manifest
from whatsapp_session import names

CHOSEN = os.environ.get("WSO_SESSIONS")
COUNTS = [int(CHOSEN)] if CHOSEN else [1000, *(pytest.param(count, marks=pytest.mark.soak) for count in (5000, 10000))]
PER_NAMESPACE = 1000
FEW = 2000
"""Number of sessions up to which the garbage collector is waited for: it deletes 20 objects a second."""
BASE_MIB, SESSION_KIB = 80, 60
"""Memory of the operator, as documented: the chart's limit is twice of it."""
CHECK_WRITES = 6
"""Writes about the check of one store, whose pod nothing ends here, when its time is up."""
PATIENCE = 7200.0
IDLE_SECONDS = 60.0
IDENTITY = ("ServiceAccount", "Role", "RoleBinding", "Lease")


@dataclass
class Table:
    """The figures of a run."""

    rows: list[tuple[str, str]] = field(default_factory=list)

    def add(self, what: str, figure: str) -> None:
        """Add a row, and print it at once, because a run takes minutes."""
        self.rows.append((what, figure))
        print(f"{what:<58} {figure}", flush=True)


@contextmanager
def taken(
    table: Table, what: str, operator: Operator | None = None, floor: float | None = None
) -> Iterator[list[float]]:
    """Add how long the block took, what it cost the operator, and the ratio to the floor; yields a list of the time."""
    began, before = time.monotonic(), None if operator is None else operator.cost()
    found: list[float] = []
    yield found
    found.append(time.monotonic() - began)
    text = f"{found[0]:7.1f} s"
    if floor is not None:
        text += f"  {found[0] / floor:5.2f} x the floor"
    if operator is not None and before is not None:
        text += f"  {cost(before, operator.cost())}"
    table.add(what, text)


def cost(before: Cost, after: Cost) -> str:
    """Return what was used between two moments."""
    calls = after.calls - before.calls
    listed = ", ".join(f"{count} {call}" for call, count in sorted(calls.items()))
    memory = f"memory {after.resident:4.0f} (peak {after.peak:.0f}) MiB"
    return f"CPU {after.cpu - before.cpu:6.2f} s  {memory}  requests: {listed or 'none'}"


def until(done: Callable[[], bool], what: str) -> None:
    """Wait for an end that can be minutes away; asked rarely, because the answers cost the operator and the server.

    The more the answer costs, the rarer it is asked for.
    """
    end = time.monotonic() + PATIENCE
    while True:
        began = time.monotonic()
        if done():
            return
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(max(0.25, 2 * (time.monotonic() - began)))


def quiet(operator: Operator) -> bool:
    """Return whether the operator has used almost no CPU in two seconds."""
    before = operator.cost().cpu
    time.sleep(2)
    return operator.cost().cpu - before < 0.05


@pytest.mark.parametrize("sessions", COUNTS)
def test_the_operator_with_many_sessions_beside_bare_pods(tmp_path: Path, sessions: int) -> None:
    table = Table()
    print(f"\n{sessions} sessions, at most {PER_NAMESPACE} in a namespace")
    with cluster(tmp_path, -(-sessions // PER_NAMESPACE)) as scale:
        up, down = floor(table, scale, sessions)
        with scale.operator() as operator:
            for namespace in scale.namespaces:
                scale.world.admin.create(store(namespace))
            before = sum(scale.count(kind) for kind in IDENTITY)
            with taken(table, "from create to Connected", operator, up):
                scale.create(scale.sessions(sessions))
                until(lambda: operator.connected() == sessions, "all sessions to be connected")
            until(lambda: quiet(operator), "the operator to be idle")
            table.add("since its start", cost(Cost(0, 0, 0, Counter()), operator.cost()))
            with taken(table, f"idle for {IDLE_SECONDS:.0f} s", operator):
                writes = operator.cost().writes
                time.sleep(IDLE_SECONDS)
                written = operator.cost().writes - writes
                assert written <= CHECK_WRITES * len(scale.namespaces), "an operator with nothing to do has written"
        with scale.operator() as operator:
            with taken(table, "restart with all there", operator):
                until(lambda: operator.connected() == sessions, "all sessions to be seen")
                until(lambda: quiet(operator), "the operator to be idle")
            restarted = operator.cost()
            table.add("since the restart", cost(Cost(0, 0, 0, Counter()), restarted))
            assert restarted.writes <= CHECK_WRITES * len(scale.namespaces), restarted.calls
            assert restarted.resident <= BASE_MIB + sessions * SESSION_KIB / 1024
            roll(table, scale, operator, sessions)
            with taken(table, "deletion until sessions and pods are gone", operator, down):
                scale.delete_all(names.SESSION_KIND)
                until(lambda: gone(scale), "sessions and pods to go")
            if sessions <= FEW:
                with taken(table, "until the garbage collector has removed the rest"):
                    # The accounts with which the stores were checked stay.
                    left = before + len(scale.namespaces)
                    until(lambda: sum(scale.count(kind) for kind in IDENTITY) <= left, "the identities to go")


def floor(table: Table, scale: Scale, number: int) -> tuple[float, float]:
    """Return the seconds until as many bare pods run, and until they are deleted."""
    with taken(table, f"floor: {number} bare pods run") as up:
        scale.create(scale.pods(number))
        until(lambda: all_run(scale, number), "all bare pods to run")
    with taken(table, "floor: they are deleted") as down:
        scale.delete_all("Pod")
        until(lambda: scale.count("Pod") == 0, "all bare pods to be gone")
    return up[0], down[0]


def roll(table: Table, scale: Scale, operator: Operator, sessions: int) -> None:
    """Give a tenth of the sessions another template, and wait until their pods are replaced."""
    changed = [item["metadata"] for item in scale.sessions(sessions // 10)]
    with taken(table, "a tenth gets another template", operator):
        annotated = {"spec": {"podTemplate": {"metadata": {"annotations": {"bench.dev/round": "2"}}}}}
        for each in changed:
            scale.world.admin.merge(names.SESSION_KIND, each["namespace"], each["name"], annotated)
        until(lambda: replaced(scale) == len(changed), "all changed pods to be replaced")
        until(lambda: operator.connected() == sessions, "all sessions to be connected")


def gone(scale: Scale) -> bool:
    """Return whether no session is left, and no pod but those that check the stores."""
    return scale.count(names.SESSION_KIND) == 0 and scale.count("Pod") <= len(scale.namespaces)


def all_run(scale: Scale, number: int) -> bool:
    """Return whether as many pods run as there are sessions."""
    if scale.count("Pod") < number:
        return False
    return [pod["status"].get("phase") for pod in scale.items("Pod")] == ["Running"] * number


def replaced(scale: Scale) -> int:
    """Return the number of worker pods with the new template."""
    return sum((pod["metadata"].get("annotations") or {}).get("bench.dev/round") == "2" for pod in scale.items("Pod"))


def store(namespace: str) -> Manifest:
    """Return the store of a namespace's sessions: one that needs no volume, so that pods are scheduled."""
    secret = {"credentialsSecretRef": {"name": "login"}}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.STORE_KIND,
        "metadata": {"name": "default", "namespace": namespace},
        "spec": {"s3": {"bucket": "archives", **secret}},
    }
