"""Pauses run on the operator's own monotonic clock, however wrong its wall clock or another machine's is."""

from datetime import timedelta

import pytest

from scenes.operator import samples
from scenes.operator.cluster import MOVE_POD, POD, PURGE_POD, SESSION, Cluster, connected, on_store, set_spec
from scenes.operator.stores import CHECK_POD, Stores
from whatsapp_operator.observed.ages import Sightings, What, age
from whatsapp_session import names

AHEAD = [0, 300, -60, 86400, -86400]
skewed = pytest.mark.parametrize("ahead", AHEAD, ids=lambda seconds: f"{seconds:+} s")
FAILED = {"phase": "Failed", "reason": "Evicted"}
DELETE = {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}}


def passes(cluster: Cluster | Stores, seconds: float) -> None:
    """Let time pass, on all clocks."""
    cluster.clock.time += timedelta(seconds=seconds)


def crashed(ahead: float) -> Cluster:
    """Return a cluster whose worker crashed a moment ago, by the clock of its node."""
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.pod_runs()
    cluster.clock.ahead = timedelta(seconds=ahead)
    cluster.change(POD, lambda pod: pod.update(status=samples.terminated(1, "", "Failed")))
    cluster.settle()
    cluster.pod_gone()
    assert cluster.status["worker"]["last"]["failures"] == 1
    return cluster


@skewed
def test_a_crash_costs_its_pause_and_no_more_whatever_the_clocks_say(ahead: float) -> None:
    cluster = crashed(ahead)
    assert cluster.look() == 10
    passes(cluster, 9)
    assert cluster.look() == 1
    assert POD not in cluster.kube.objects
    passes(cluster, 1)
    cluster.settle()
    assert POD in cluster.kube.objects


def test_the_wall_clock_may_jump_during_a_pause() -> None:
    cluster = crashed(0)
    passes(cluster, 4)
    for ahead in AHEAD:
        cluster.clock.ahead = timedelta(seconds=ahead)
        assert cluster.look() == 6


@skewed
def test_after_a_restart_of_the_operator_the_pause_begins_anew(ahead: float) -> None:
    cluster = crashed(ahead)
    passes(cluster, 9)
    cluster.restarted()
    assert cluster.look() == 10
    passes(cluster, 10)
    cluster.settle()
    assert POD in cluster.kube.objects


@skewed
def test_a_worker_that_ended_well_is_followed_at_once(ahead: float) -> None:
    cluster = connected()
    cluster.clock.ahead = timedelta(seconds=ahead)
    cluster.change(POD, lambda pod: pod.update(status=samples.terminated(0)))
    cluster.settle()
    cluster.pod_gone()
    cluster.settle()
    assert "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"]


@skewed
def test_a_purge_that_failed_is_tried_again_after_a_minute(ahead: float) -> None:
    cluster = Cluster()
    cluster.make_session(DELETE)
    cluster.settle()
    cluster.pod_runs()
    cluster.clock.ahead = timedelta(seconds=ahead)
    cluster.delete_session()
    cluster.settle()
    cluster.pod_gone()
    cluster.settle()
    cluster.purge_ends(FAILED)
    cluster.settle()
    assert cluster.look() == 60
    assert "deletionTimestamp" not in cluster.kube.objects[PURGE_POD]["metadata"]
    passes(cluster, 60)
    cluster.settle()
    assert "deletionTimestamp" in cluster.kube.objects[PURGE_POD]["metadata"]


@skewed
def test_a_copy_that_failed_is_tried_again_after_a_minute(ahead: float) -> None:
    cluster = connected()
    cluster.clock.ahead = timedelta(seconds=ahead)
    cluster.move_to("archive")
    cluster.settle()
    cluster.pod_gone()
    cluster.settle()
    cluster.ends(MOVE_POD, FAILED)
    cluster.settle()
    assert cluster.look() == 60
    assert "deletionTimestamp" not in cluster.kube.objects[MOVE_POD]["metadata"]
    passes(cluster, 60)
    cluster.settle()
    assert "deletionTimestamp" in cluster.kube.objects[MOVE_POD]["metadata"]


@skewed
def test_a_lost_node_is_waited_for_by_the_pods_own_grace(ahead: float) -> None:
    cluster = connected()
    cluster.move_to("archive")
    cluster.settle()
    cluster.pod_gone()
    cluster.settle()
    cluster.ends(MOVE_POD, samples.running())
    cluster.clock.ahead = timedelta(seconds=ahead)
    cluster.change(SESSION, set_spec(**on_store("default")))
    cluster.settle()
    cluster.change(MOVE_POD, lambda pod: pod["metadata"].update(deletionGracePeriodSeconds=30))
    cluster.look()
    passes(cluster, 90)
    cluster.settle()
    assert "deletionTimestamp" in cluster.kube.objects[MOVE_POD]["metadata"]
    passes(cluster, 1)
    cluster.settle()
    assert MOVE_POD not in cluster.kube.objects


@skewed
def test_a_store_is_checked_once_an_hour(ahead: float) -> None:
    stores = Stores()
    stores.clock.ahead = timedelta(seconds=ahead)
    stores.settle()
    assert stores.look() == 3600
    passes(stores, 3599)
    assert stores.look() == 1
    assert CHECK_POD not in stores.kube.objects
    passes(stores, 1)
    stores.look()
    assert CHECK_POD in stores.kube.objects


@skewed
def test_a_check_has_four_minutes_to_end(ahead: float) -> None:
    stores = Stores()
    stores.clock.ahead = timedelta(seconds=ahead)
    stores.look()
    stores.look()
    passes(stores, 240)
    stores.look()
    assert "check" not in stores.kube.objects[next(ref for ref in stores.kube.objects if ref.kind == names.STORE_KIND)]
    passes(stores, 1)
    stores.look()
    assert stores.available == ("False", "StoreUnavailable")


def test_the_age_of_a_fact_counts_from_when_it_was_first_seen_and_again_after_it_was_gone() -> None:
    sightings: Sightings[str] = Sightings()
    fact = (What.ENDED, "uid")
    assert age(sightings.ages("a", [fact], 5.0), *fact) == 0.0
    assert age(sightings.ages("a", [fact], 7.0), *fact) == 2.0
    assert sightings.ages("b", [fact], 8.0) == {fact: 0.0}
    assert age(sightings.ages("a", [], 9.0), *fact) == 0.0
    assert age(sightings.ages("a", [fact], 10.0), *fact) == 0.0
    sightings.forget("a")
    assert age(sightings.ages("a", [fact], 12.0), *fact) == 0.0
