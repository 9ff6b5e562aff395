"""A session's life and its end, with the operator killed between any two calls to the API server."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fakes.kube import Killed
from scenes.operator import samples
from scenes.operator.cluster import LEASE, MOVE_POD, POD, SEEN, SESSION, Cluster, set_spec
from whatsapp_kube.errors import Unreachable
from whatsapp_session import names

Manifest = dict[str, Any]
Stage = Callable[[Cluster], None]
Life = list[tuple[str, Stage]]

GAVE_UP = samples.waiting(
    "CrashLoopBackOff", ended={"exitCode": 3, "message": '{"reason": "ArchiveMissing"}', "finishedAt": samples.NOON}
)

LIFE: Life = [
    ("created", lambda cluster: cluster.make_session()),
    ("runs", Cluster.pod_runs),
    ("waits for a link", lambda cluster: cluster.worker_says("AwaitingLink", qr={"code": "2@x"})),
    ("is connected", lambda cluster: cluster.worker_says("Connected", **SEEN)),
    ("is suspended", lambda cluster: cluster.change(SESSION, set_spec(operatingMode="Suspended"))),
    ("has stopped", Cluster.pod_gone),
    ("is resumed", lambda cluster: cluster.change(SESSION, set_spec(operatingMode="Running"))),
    ("runs again", Cluster.pod_runs),
    ("is changed", lambda cluster: cluster.change(SESSION, set_spec(browser={"userAgent": "New"}))),
    ("has stopped for the change", Cluster.pod_gone),
    ("runs the change", Cluster.pod_runs),
    ("gave up", lambda cluster: cluster.change(POD, lambda pod: pod.update(status=GAVE_UP))),
    ("has stopped for good", Cluster.pod_gone),
]
END: Life = [
    ("created", lambda cluster: cluster.make_session(samples.DELETE)),
    ("runs", Cluster.pod_runs),
    ("is connected", lambda cluster: cluster.worker_says("Connected", **SEEN)),
    ("is deleted", Cluster.delete_session),
    ("has stopped", Cluster.pod_gone),
    ("is purged", Cluster.purge_ends),
    ("is purged, and the pod's end is seen", Cluster.purge_pod_gone),
]
MOVE: Life = [
    ("created", lambda cluster: cluster.make_session()),
    ("runs", Cluster.pod_runs),
    ("is connected", lambda cluster: cluster.worker_says("Connected", **SEEN)),
    ("is to move", lambda cluster: cluster.move_to("archive")),
    ("has stopped", Cluster.pod_gone),
    ("is copied", lambda cluster: cluster.ends(MOVE_POD)),
    ("is copied, and the pod's end is seen", lambda cluster: cluster.gone(MOVE_POD)),
    ("runs on the other store", Cluster.pod_runs),
]
LIVES = {"life": LIFE, "end": END, "move": MOVE}
WHOLE = bool(os.environ.get("WSO_SOAK"))
"""Live on after a kill to the very end; else only until all is again as in an undisturbed life."""


def picture(cluster: Cluster) -> Manifest:
    """Return the state without what differs from run to run."""
    volatile = {"uid", "resourceVersion", "podUID", names.ANNOTATION_TERMINATED_POD_UID}

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items() if key not in volatile}
        return [plain(item) for item in value] if isinstance(value, list) else value

    lease = cluster.kube.objects.get(LEASE)
    found = {f"{ref.kind}/{ref.name}": plain(item) for ref, item in cluster.kube.objects.items() if ref.kind != "Event"}
    if lease is not None:
        uid = lease["metadata"]["annotations"].get(names.ANNOTATION_WORKER_POD_UID)
        pod = cluster.kube.objects.get(POD)
        found["Lease/wa-support"]["metadata"]["annotations"] = {
            "marks the pod": pod is None or uid == pod["metadata"]["uid"]
        }
    return found


def undisturbed(life: Life) -> Iterator[tuple[Cluster, int, Manifest]]:
    """Live a life; yields for each stage the cluster before it, its number of calls, and the picture after it."""
    cluster = Cluster()
    for _, stage in life:
        before, calls = cluster.twin(), len(cluster.kube.calls)
        stage(cluster)
        cluster.settle()
        yield before, len(cluster.kube.calls) - calls, picture(cluster)


Disturb = Callable[[Cluster, int], None]


def survive_everywhere(life: Life, disturbed: Disturb, settle: Stage) -> int:
    """Live a life once for each call in it, disturbed there; returns how many were lived."""
    stages = list(undisturbed(life))
    lived = 0
    for number, (before, calls, _) in enumerate(stages):
        for fatal in range(calls):
            cluster = before.twin()
            disturbed(cluster, len(cluster.kube.calls) + fatal)
            lived += 1
            for (_, stage), (_, _, expected) in zip(life[number:], stages[number:], strict=True):
                stage(cluster)
                settle(cluster)
                same = picture(cluster) == expected
                if same and not WHOLE:
                    break
            assert same, f"disturbed at call {fatal} of {life[number][0]!r}: the end differs"
    return lived


def survive(cluster: Cluster) -> None:
    """Settle; an operator that is killed is followed by another."""
    try:
        cluster.settle()
    except Killed:
        cluster.restarted()
        cluster.settle()


def retry(cluster: Cluster) -> None:
    """Settle; a call that fails is followed by another look."""
    try:
        cluster.settle()
    except Unreachable:
        cluster.settle()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("life", LIVES)
def test_the_operator_killed_between_any_two_calls_converges_to_the_same_end(life: str, moment: str) -> None:
    def kill(cluster: Cluster, fatal: int) -> None:
        def die(number: int) -> None:
            if number == fatal:
                raise Killed

        setattr(cluster.kube, f"{moment}_call", die)

    assert survive_everywhere(LIVES[life], kill, survive) > 25


@pytest.mark.parametrize("life", LIVES)
def test_an_api_server_that_fails_at_any_call_changes_nothing_in_the_end(life: str) -> None:
    def interrupt(cluster: Cluster, failing: int) -> None:
        def fail(number: int) -> None:
            if number == failing:
                raise Unreachable(503, "try again")

        cluster.kube.before_call = fail

    assert survive_everywhere(LIVES[life], interrupt, retry) > 25


def test_each_event_of_a_life_is_posted_once() -> None:
    cluster = Cluster()
    for _, stage in LIFE:
        stage(cluster)
        cluster.settle()
    reasons = [item["reason"] for ref, item in cluster.kube.objects.items() if ref.kind == "Event"]
    # Of the link and its first save the worker tells.
    assert sorted(reasons) == ["ArchiveMissing", "AwaitingScan", "Replacing", "SocketConnected", "Suspended"]
