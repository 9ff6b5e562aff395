"""Define the metrics of the operator; labels have fixed sets of values, never names of sessions."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import prometheus_client
from prometheus_client.core import GaugeMetricFamily, Metric

from whatsapp_kube.errors import Conflict, KubeError
from whatsapp_kube.requests import Manifest, Ref, ref_of
from whatsapp_operator.clock import ServerClock
from whatsapp_operator.kube import Listing
from whatsapp_operator.start_slots import Starts
from whatsapp_session import release
from whatsapp_session.conditions import Phase

PREFIX = "whatsapp_operator"


@dataclass(frozen=True, slots=True)
class Seen:
    """The facts about one session that metrics need; times are seconds since the epoch."""

    phase: str
    saved_at: float | None
    link_attempts: int


class Metrics:
    """The metrics of one operator, in a registry of their own."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self._sessions: dict[Any, Seen] = {}
        self._reconciles = prometheus_client.Histogram(
            f"{PREFIX}_reconcile_duration_seconds",
            "Duration of one reconciliation of a session or store.",
            registry=self.registry,
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        )
        self._errors = prometheus_client.Counter(
            f"{PREFIX}_reconcile_errors", "Reconciliations that failed and are retried.", registry=self.registry
        )
        self._calls = prometheus_client.Counter(
            f"{PREFIX}_api_requests",
            "Requests to the API server by verb, kind and status code; the code 0 means no answer.",
            ["verb", "kind", "code"],
            registry=self.registry,
        )
        self._starting = prometheus_client.Gauge(
            f"{PREFIX}_start_slots_taken",
            "Start slots taken: pods created that are not up yet.",
            registry=self.registry,
        )
        self._waiting = prometheus_client.Gauge(
            f"{PREFIX}_start_slots_waiting", "Sessions waiting for a start slot.", registry=self.registry
        )
        self._longest_wait = prometheus_client.Gauge(
            f"{PREFIX}_start_slots_longest_wait_seconds",
            "Longest wait for a start slot at present.",
            registry=self.registry,
        )
        self._leads = prometheus_client.Gauge(
            f"{PREFIX}_leads", "1 if this operator leads, 0 while it stands by.", registry=self.registry
        )
        self._policy_missing = prometheus_client.Gauge(
            f"{PREFIX}_admission_policy_missing",
            "1 if the admission policy that limits what workers may write is not in force, else 0.",
            registry=self.registry,
        )
        self._heard: dict[str, float] = {}
        self._retries = prometheus_client.Counter(
            f"{PREFIX}_retries", "Reconciliations that are repeated after a failure.", registry=self.registry
        )
        self._depth = prometheus_client.Gauge(
            f"{PREFIX}_queue_depth",
            "Keys that wait or are being reconciled, by queue.",
            ["queue"],
            registry=self.registry,
        )
        self._wait = prometheus_client.Gauge(
            f"{PREFIX}_queue_longest_wait_seconds",
            "Time for which the longest waiting key has been due, by queue.",
            ["queue"],
            registry=self.registry,
        )
        self._ages = prometheus_client.Gauge(
            f"{PREFIX}_watch_age_seconds",
            "Time since the watch of a kind delivered something; it grows while nothing changes.",
            ["kind"],
            registry=self.registry,
        )
        prometheus_client.Info(f"{PREFIX}_build", "Version of the operator.", registry=self.registry).info(
            {"version": release.version()}
        )
        prometheus_client.ProcessCollector(registry=self.registry)
        self.registry.register(_Sessions(self._sessions, now or ServerClock().now))

    @contextmanager
    def reconciling(self) -> Iterator[None]:
        """Measure one reconciliation of a session or store, and count its failure."""
        with self._reconciles.time():
            try:
                yield
            except Conflict:
                raise  # a concurrent change, which is usual and leads to a retry
            except Exception:
                self._errors.inc()
                raise

    def watch_policy(self, missing: Callable[[], bool]) -> None:
        """Set the function that tells at each scrape whether the admission policy is missing."""
        self._policy_missing.set_function(lambda: float(missing()))

    def watch_leadership(self, leads: Callable[[], bool]) -> None:
        """Set the function that tells at each scrape whether this operator leads."""
        self._leads.set_function(lambda: float(leads()))

    def failed(self) -> None:
        """Count a reconciliation with a fault in which only the essential steps were possible."""
        self._errors.inc()

    def watch_starts(self, starts: Starts[Any], now: Callable[[], float]) -> None:
        """Set the start slots that are read at each scrape."""
        self._starting.set_function(lambda: starts.starting(now()))
        self._waiting.set_function(starts.waiting)
        self._longest_wait.set_function(lambda: starts.longest_wait(now()))

    def called(self, verb: str, kind: str, code: int) -> None:
        """Count a request by the status code of its answer."""
        self._calls.labels(verb, kind, str(code)).inc()

    def retried(self) -> None:
        """Count a reconciliation that will be repeated because it failed."""
        self._retries.inc()

    def watch_queue(self, queue: str, depth: Callable[[], float], longest_wait: Callable[[], float]) -> None:
        """Set the functions that tell at each scrape how many keys a queue has, and how long one waits, in seconds."""
        self._depth.labels(queue).set_function(depth)
        self._wait.labels(queue).set_function(longest_wait)

    def heard(self, kind: str) -> None:
        """Record that the watch of a kind has delivered something."""
        if kind not in self._heard:
            self._ages.labels(kind).set_function(lambda: time.monotonic() - self._heard[kind])
        self._heard[kind] = time.monotonic()

    def saw(self, key: Any, seen: Seen) -> None:
        """Record a session."""
        self._sessions[key] = seen

    def forget(self, key: Any) -> None:
        """Forget a deleted session."""
        self._sessions.pop(key, None)

    def text(self) -> bytes:
        """Return the metrics in Prometheus text format."""
        return prometheus_client.generate_latest(self.registry)


class _Sessions(prometheus_client.registry.Collector):
    """Aggregate the sessions at each scrape, so that no session has its own series."""

    def __init__(self, sessions: Mapping[Any, Seen], now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Yield the aggregated metrics."""
        seen = list(self._sessions.values())
        phases = Counter(one.phase for one in seen)
        family = GaugeMetricFamily(f"{PREFIX}_sessions", "Sessions by phase.", labels=["phase"])
        for phase in Phase:
            family.add_metric([str(phase)], phases[str(phase)])
        yield family
        now = self._now().timestamp()
        ages = [max(0.0, now - one.saved_at) for one in seen if one.saved_at and one.phase == Phase.CONNECTED]
        yield GaugeMetricFamily(
            f"{PREFIX}_oldest_save_age_seconds", "Age of the last save of the least recently saved connected session.",
            value=max(ages, default=0.0),
        )  # fmt: skip
        yield GaugeMetricFamily(
            f"{PREFIX}_link_attempts", "QR codes shown by sessions that wait for a phone.",
            value=sum(one.link_attempts for one in seen),
        )  # fmt: skip


class CountedKube:
    """Pass requests to another client and count them."""

    def __init__(self, inner: Listing, metrics: Metrics) -> None:
        self._inner = inner
        self._metrics = metrics

    async def get(self, ref: Ref) -> Manifest | None:
        """Return the object, None if it does not exist."""
        with self._counted("get", ref.kind):
            return await self._inner.get(ref)

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create the object; raises Conflict if its name is taken."""
        with self._counted("create", ref_of(manifest).kind):
            return await self._inner.create(manifest, dry_run=dry_run)

    async def apply(self, manifest: Manifest, *, manager: str, subresource: str = "") -> Manifest:
        """Apply the object on the server side and take over fields of other managers."""
        with self._counted("apply", ref_of(manifest).kind):
            return await self._inner.apply(manifest, manager=manager, subresource=subresource)

    async def delete(self, ref: Ref, *, uid: str, grace: int | None = None) -> None:
        """Delete the object with this UID, if it exists."""
        with self._counted("delete", ref.kind):
            await self._inner.delete(ref, uid=uid, grace=grace)

    async def finalize(self, ref: Ref, *, version: str, finalizers: Sequence[str]) -> Manifest | None:
        """Set the finalizers of the object at this resource version; None if it does not exist any more."""
        with self._counted("finalize", ref.kind):
            return await self._inner.finalize(ref, version=version, finalizers=finalizers)

    async def pages(
        self, kind: str, namespace: str, labels: Mapping[str, str | None] | None = None
    ) -> AsyncIterator[list[Manifest]]:
        """Yield the objects of a kind in a namespace, "" for all namespaces, by pages."""
        with self._counted("list", kind):
            async for page in self._inner.pages(kind, namespace, labels):
                yield page

    @contextmanager
    def _counted(self, verb: str, kind: str) -> Iterator[None]:
        try:
            yield
        except KubeError as error:
            self._metrics.called(verb, kind, error.status)
            raise
        self._metrics.called(verb, kind, 201 if verb == "create" else 200)
