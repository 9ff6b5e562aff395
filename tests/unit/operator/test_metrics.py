"""The operator's numbers: true, and of a bounded number of series."""

import asyncio

import pytest

from fakes.kube import FakeKube
from whatsapp_kube.errors import Conflict, Refused
from whatsapp_kube.requests import Ref
from whatsapp_operator.metrics import CountedKube, Metrics, Seen


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return a series' value."""
    return metrics.registry.get_sample_value(f"whatsapp_operator_{name}", labels)


def test_sessions_are_counted_by_phase_and_forgotten() -> None:
    metrics = Metrics()
    for name in ("a", "b"):
        metrics.saw(name, Seen("Connected", None, 0))
    metrics.saw("b", Seen("AwaitingLink", None, 7))
    assert value(metrics, "sessions", phase="Connected") == 1
    assert value(metrics, "sessions", phase="AwaitingLink") == 1
    assert value(metrics, "sessions", phase="Failed") == 0
    assert value(metrics, "link_attempts") == 7
    metrics.forget("b")
    assert value(metrics, "sessions", phase="AwaitingLink") == 0
    assert value(metrics, "link_attempts") == 0


@pytest.mark.parametrize(("error", "counted"), [(Conflict(409, "modified"), 0), (Refused(403, "no"), 1)], ids=repr)
def test_a_usual_write_conflict_counts_as_no_error(error: Exception, counted: int) -> None:
    metrics = Metrics()
    with pytest.raises(type(error)), metrics.reconciling():
        raise error
    assert value(metrics, "reconcile_errors_total") == counted
    assert value(metrics, "reconcile_duration_seconds_count") == 1


def test_the_age_of_the_oldest_save_is_that_of_connected_sessions() -> None:
    metrics = Metrics()
    assert value(metrics, "oldest_save_age_seconds") == 0
    metrics.saw("a", Seen("Connected", 1.0, 0))
    metrics.saw("b", Seen("Suspended", 0.5, 0))
    age = value(metrics, "oldest_save_age_seconds")
    assert age is not None
    assert age > 1e9


def test_a_thousand_sessions_make_no_more_series_than_one() -> None:
    few, many = Metrics(), Metrics()
    few.saw(0, Seen("Connected", 1.0, 0))
    for number in range(1000):
        many.saw(number, Seen("Connected", 1.0, 0))
    assert few.text().count(b"\n") == many.text().count(b"\n")


def test_requests_are_counted_by_verb_kind_and_code() -> None:
    metrics = Metrics()
    seam = CountedKube(FakeKube(), metrics)
    pod = {"kind": "Pod", "metadata": {"name": "wa-a", "namespace": "bots"}, "spec": {}}

    async def ask() -> None:
        assert await seam.get(Ref("Pod", "bots", "wa-a")) is None
        made = await seam.create(pod)
        with pytest.raises(Conflict):
            await seam.create(pod)
        await seam.apply(pod, manager="m")
        await seam.delete(Ref("Pod", "bots", "wa-a"), uid=made["metadata"]["uid"])

    asyncio.run(ask())
    for verb, code in [("get", "200"), ("create", "201"), ("create", "409"), ("apply", "200"), ("delete", "200")]:
        assert value(metrics, "api_requests_total", verb=verb, kind="Pod", code=code) == 1


def test_every_metric_keeps_prometheus_conventions() -> None:
    metrics = Metrics()
    metrics.heard("Pod")
    metrics.watch_queue("sessions", lambda: 3, lambda: 1.5)
    metrics.retried()
    metrics.called("get", "Pod", 200)
    lines = metrics.text().decode().splitlines()
    kinds = dict(line.split()[2:] for line in lines if line.startswith("# TYPE"))
    assert {name for name, kind in kinds.items() if kind == "counter" and not name.endswith("_total")} == set()
    units = ("_ms", "_milliseconds", "_minutes", "_kb", "_mib", "_percent")
    assert [name for name in kinds if name.endswith(units)] == []
    assert {name for name in kinds if not name.startswith(("whatsapp_operator_", "process_"))} == set()
    assert {
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "whatsapp_operator_build_info",
    } <= kinds.keys()
    assert value(metrics, "queue_depth", queue="sessions") == 3
    assert value(metrics, "queue_longest_wait_seconds", queue="sessions") == 1.5
    assert value(metrics, "retries_total") == 1
    assert (value(metrics, "watch_age_seconds", kind="Pod") or 0.0) >= 0.0


def test_a_failed_look_is_counted_and_passed_on() -> None:
    metrics = Metrics()
    with pytest.raises(ValueError, match="bug"), metrics.reconciling():
        raise ValueError("bug")
    assert value(metrics, "reconcile_errors_total") == 1
    assert value(metrics, "reconcile_duration_seconds_count") == 1
