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

from bench.operator.scale_cluster import Cost, Operator, Scale, cluster
from functional.callers import Line, Manifest
from whatsapp_kube.requests import Ref, path
from whatsapp_session import names

SESSIONS = int(os.environ.get("WSO_SESSIONS", "1000"))
PATIENCE = max(600.0, SESSIONS * 0.6)
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
    listed = ", ".join(f"{count} {verb}" for verb, count in sorted(calls.items()))
    return f"CPU {after.cpu - before.cpu:6.2f} s  memory {after.resident:4.0f} MiB  requests: {listed or 'none'}"


def count(scale: Scale, kind: str) -> int:
    """Return the number of objects of a kind; the server counts only without a selector."""
    found = scale.world.admin.send("GET", f"{path(Ref(kind, scale.namespace, ''))}?limit=1")
    return len(found["items"]) + int(found["metadata"].get("remainingItemCount", 0))


def delete_all(scale: Scale, kind: str) -> None:
    """Delete the objects of a kind, in as many requests as the server needs time."""
    body = {"apiVersion": "v1", "kind": "DeleteOptions"}
    while True:
        try:
            with Line(scale.world.admin) as line:
                line.ask("DELETE", path(Ref(kind, scale.namespace, "")), body, "application/json")
        except TimeoutError:
            continue
        return


def until(done: Callable[[], bool], what: str) -> None:
    """Wait for an end that can be minutes away; asked rarely, because the answers cost the operator and the server."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.25)


def quiet(operator: Operator) -> bool:
    """Return whether the operator has used almost no CPU in two seconds."""
    before = operator.cost().cpu
    time.sleep(2)
    return operator.cost().cpu - before < 0.05


def test_the_operator_with_many_sessions_beside_bare_pods(tmp_path: Path) -> None:
    table = Table()
    with cluster(tmp_path) as scale:
        with taken(table, f"floor: {SESSIONS} bare pods run") as up:
            scale.create(scale.pods(SESSIONS))
            until(lambda: all_run(scale), "all bare pods to run")
        with taken(table, "floor: they are deleted") as down:
            delete_all(scale, "Pod")
            until(lambda: count(scale, "Pod") == 0, "all bare pods to be gone")
        with scale.operator() as operator:
            scale.world.admin.create(store(scale))
            before = sum(count(scale, kind) for kind in IDENTITY)
            with taken(table, f"{SESSIONS} sessions: from create to Connected", operator, up[0]):
                scale.create(scale.sessions(SESSIONS))
                until(lambda: operator.connected() == SESSIONS, "all sessions to be connected")
            until(lambda: quiet(operator), "the operator to be idle")
            table.add("since its start", cost(Cost(0, 0, Counter()), operator.cost()))
            with taken(table, f"idle for {IDLE_SECONDS:.0f} s", operator):
                time.sleep(IDLE_SECONDS)
            changed = [item["metadata"]["name"] for item in scale.sessions(SESSIONS // 10)]
            with taken(table, "a tenth gets another template", operator):
                annotated = {"spec": {"podTemplate": {"metadata": {"annotations": {"bench.dev/round": "2"}}}}}
                for name in changed:
                    scale.world.admin.merge(names.SESSION_KIND, scale.namespace, name, annotated)
                until(lambda: replaced(scale) == len(changed), "all changed pods to be replaced")
                until(lambda: operator.connected() == SESSIONS, "all sessions to be connected")
        with scale.operator() as operator:
            with taken(table, "restart with all there", operator):
                until(lambda: operator.connected() == SESSIONS, "all sessions to be seen")
                until(lambda: quiet(operator), "the operator to be idle")
            table.add("since the restart", cost(Cost(0, 0, Counter()), operator.cost()))
            with taken(table, "deletion until sessions and pods are gone", operator, down[0]):
                delete_all(scale, names.SESSION_KIND)
                until(lambda: gone(scale), "sessions and pods to go")
            with taken(table, "until the garbage collector has removed the rest"):
                # The account with which the store was checked stays.
                until(lambda: sum(count(scale, kind) for kind in IDENTITY) <= before + 1, "the identities to go")


def gone(scale: Scale) -> bool:
    """Return whether no session is left, and no pod but the one that checks the store."""
    return count(scale, names.SESSION_KIND) == 0 and count(scale, "Pod") <= 1


def all_run(scale: Scale) -> bool:
    """Return whether as many pods run as there are sessions."""
    if count(scale, "Pod") < SESSIONS:
        return False
    pods = scale.world.admin.items("Pod", scale.namespace)
    return [pod["status"].get("phase") for pod in pods] == ["Running"] * SESSIONS


def replaced(scale: Scale) -> int:
    """Return the number of worker pods with the new template."""
    pods = scale.world.admin.items("Pod", scale.namespace)
    return sum((pod["metadata"].get("annotations") or {}).get("bench.dev/round") == "2" for pod in pods)


def store(scale: Scale) -> Manifest:
    """Return the store of all sessions: one that needs no volume, so that pods are scheduled."""
    secret = {"credentialsSecretRef": {"name": "login"}}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.STORE_KIND,
        "metadata": {"name": "default", "namespace": scale.namespace},
        "spec": {"s3": {"bucket": "archives", **secret}},
    }
