"""Create the parts of the operator, connect them and run them."""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import kopf

from whatsapp_kube.errors import KubeError, Refused
from whatsapp_kube.requests import Ref
from whatsapp_operator import (
    admission_policy,
    clock,
    connection,
    crds,
    election,
    finalizer_cleanup,
    handlers,
    health,
    kube,
    leadership,
    metrics,
    object_cache,
    options,
    resync,
    workqueue,
)
from whatsapp_operator.errors import LeadershipLost, OperatorError, UsageError
from whatsapp_operator.observed.state import Key, StoreReport
from whatsapp_operator.queue_schedule import Rest
from whatsapp_operator.session import refusals
from whatsapp_operator.session.reconciler import Reconciler
from whatsapp_operator.store.reconciler import StoreReconciler
from whatsapp_session import names
from whatsapp_session.backoff import Backoff

log = logging.getLogger("whatsapp_operator")

TLS_GOODBYE_SECONDS = 0.25
STORE_WORKERS = 4
LOST_PAUSES = Backoff(1.0, 30.0)
"""Pauses before an operator that lost its leadership stands by again."""
Queue: TypeAlias = workqueue.KeyedQueue[Key]


@dataclass(slots=True)
class Flags:
    """Flags to observe and stop the operator; tests use them from another thread."""

    stop: Any = None
    """None if only signals stop the operator, because kopf would wait for an unset flag."""
    ready: Any = field(default_factory=asyncio.Event)
    leads: Any = field(default_factory=asyncio.Event)
    lost: bool = False
    """Whether another operator has taken over."""
    leading: Callable[[], bool] = lambda: True
    """Tells whether the operator leads, once it has led."""


async def run(chosen: options.Options, flags: Flags | None = None) -> None:
    """Run until stopped; returns when asked to stop.

    Raises OperatorError or KubeError if it cannot start, LeadershipLost when another operator has taken over.
    """
    flags = flags or Flags()
    loaded = await connection.find(chosen.kubeconfig, chosen.context)
    try:
        await _run(chosen, flags, loaded)
    except asyncio.CancelledError:
        if not flags.lost:
            raise
        raise LeadershipLost from None
    except KubeError:
        if flags.leading():
            raise
        # It was paused while it began to work, or the API server went away then.
        raise LeadershipLost from None
    finally:
        # aiohttp closes TLS connections in callbacks of the loop and offers nothing to wait for.
        await asyncio.sleep(TLS_GOODBYE_SECONDS)


async def release(chosen: options.Options) -> None:
    """Remove the operator's finalizers and return."""
    loaded = await connection.find(chosen.kubeconfig, chosen.context)
    try:
        async with kube.ClusterKube(loaded) as cluster:
            log.info("finalizers removed: %d", await finalizer_cleanup.release(cluster, chosen.namespaces))
    finally:
        await asyncio.sleep(TLS_GOODBYE_SECONDS)


async def _run(chosen: options.Options, flags: Flags, found: connection.Connection) -> None:
    async with AsyncExitStack() as stack:
        server_clock = clock.ServerClock()
        cluster = await stack.enter_async_context(kube.ClusterKube(found, server_clock.hear))
        numbers = metrics.Metrics(server_clock.now)
        alive = health.Alive(asyncio.get_running_loop().time)
        if chosen.health_port is not None:
            serving = health.serving(chosen.health_port, alive.wrong, alive.not_ready, numbers.text)
            await stack.enter_async_context(serving)
        await crds.wait(cluster)
        alive.stands_by()
        leads = await _lead(chosen, flags, cluster, server_clock, stack)
        numbers.watch_leadership(leads)
        defaults = options.worker_defaults(chosen, await kube.cluster_id(cluster))
        cache = object_cache.ObjectCache()
        counting = metrics.CountedKube(leadership.LeaderKube(cluster, leads), numbers)
        counted = object_cache.RememberingKube(counting, cache)
        watched = object_cache.Watched(counted, cache)
        stores = StoreReconciler(counted, defaults, server_clock, watched=watched)

        async def look_at_store(key: Key) -> float | Rest | None:
            with numbers.reconciling():
                return await stores.reconcile(key)

        store_work: Queue = workqueue.KeyedQueue(
            look_at_store, workers=STORE_WORKERS, group=_namespace, retried=numbers.retried
        )

        async def on_store_report(session: Key, store: Key | None, report: StoreReport | None) -> None:
            for key in stores.record(session, store, report):
                await store_work.add(key)

        required = chosen.admission_policy != admission_policy.AdmissionPolicy.UNCHECKED
        reconciler = Reconciler(
            counted,
            defaults,
            server_clock,
            chosen.limits,
            numbers,
            on_store_report,
            watched=watched,
            policy_required=required,
        )
        await reconciler.list_access(chosen.namespaces)

        async def look(key: Key) -> float | Rest | None:
            try:
                return await reconciler.reconcile(key)
            finally:
                for other in reconciler.granted():
                    await work.wake(other)

        work: Queue = workqueue.KeyedQueue(look, workers=chosen.workers, group=_namespace, retried=numbers.retried)
        for name, queue in {"sessions": work, "stores": store_work}.items():
            numbers.watch_queue(name, queue.depth, queue.longest_wait)
        alive.works(
            beats=lambda: min(work.last_beat, store_work.last_beat),
            dead=lambda: handlers.unwatched(len(chosen.namespaces) or 1) if flags.ready.is_set() else (),
            listed=flags.ready.is_set,
        )

        def known() -> list[tuple[Callable[[Key], Awaitable[None]], Key]]:
            sessions = [(work.add, key) for key in reconciler.known()]
            return [*sessions, *((store_work.add, key) for key in stores.known())]

        async def refresh() -> None:
            for ref in await object_cache.refresh(counted, cache, chosen.namespaces):
                queue = work if ref.kind == names.SESSION_KIND else store_work
                await queue.add(Key(ref.namespace, ref.name))

        async def lists() -> None:
            for key in await reconciler.list_access(chosen.namespaces):
                await work.add(key)
            await refresh()

        await refresh()
        cache.complete = True
        # Before kopf, which cancels tasks that were created after its start.
        tasks = {
            "policy": _guard(reconciler, work, alive),
            "rounds": resync.walk(known, asyncio.sleep, lists),
            "early": resync.early(asyncio.sleep, refresh),
            "queue": work.run(),
            "queue of stores": store_work.run(),
        }
        for name, each in tasks.items():
            stack.push_async_callback(_cancelled, asyncio.create_task(each, name=name))
        await asyncio.sleep(0)
        log.info("started: server=%s workers=%d image=%s", found.server, chosen.workers, chosen.worker_image)
        await stack.enter_async_context(_explained(cluster))
        await kopf.operator(
            registry=handlers.registry(
                handlers.announcing(work.add, store_work.add, cache), found, cache, numbers.heard
            ),
            settings=handlers.settings(),
            clusterwide=not chosen.namespaces,
            namespaces=chosen.namespaces,
            standalone=True,
            identity=handlers.IDENTITY,
            stop_flag=flags.stop,
            ready_flag=flags.ready,
        )
        log.info("stopped")


async def _lead(
    chosen: options.Options, flags: Flags, cluster: kube.Listing, now: clock.Clock, stack: AsyncExitStack
) -> Callable[[], bool]:
    """Stand by until this operator leads, if there is an election; returns what tells whether it still does."""
    if chosen.election is None:
        flags.leads.set()
        return lambda: True
    main = asyncio.current_task()
    assert main is not None, "the operator runs in a task"

    def lost() -> None:
        flags.lost = True
        main.cancel()

    lease = Ref("Lease", chosen.election.namespace, chosen.election.name)
    candidate = election.Candidate(lease, leadership.identity(), tuple(chosen.namespaces))
    found = leadership.Leadership(cluster, candidate, now)
    await stack.enter_async_context(leadership.leading(found, lost))
    flags.leading = found.leads
    flags.leads.set()
    return found.leads


def _namespace(key: Key) -> str:
    return key.namespace


async def _guard(reconciler: Reconciler, work: Queue, alive: health.Alive) -> None:
    """Check the admission policy periodically; a watch would need rights on all policies."""
    while True:
        await asyncio.sleep(admission_policy.TRUSTED_SECONDS)
        try:
            for key in await reconciler.look_at_policy():
                await work.add(key)
            alive.answered()
        except KubeError as error:
            log.warning("the operator cannot read the admission policy: %s", error)


@asynccontextmanager
async def _explained(cluster: kube.Kube) -> AsyncIterator[None]:
    """Turn the exception of a watch that the API server refused into a KubeError or OperatorError with one sentence."""
    try:
        yield
    except Exception as error:
        refused = handlers.refused(error)
        if refused is None:
            raise
        raise await crds.gone(cluster) or refused from error


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _run_again(chosen: options.Options) -> None:
    """Run, and stand by again after a lost leadership, with growing pauses."""
    losses = 0
    while True:
        try:
            return asyncio.run(run(chosen))
        except LeadershipLost:
            losses += 1
            pause = LOST_PAUSES.after(losses)
            log.warning("leadership lost: this operator stands by again in %.0f s", pause)
            time.sleep(pause)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    try:
        chosen = options.parse(arguments)
        logging.basicConfig(
            level=chosen.log_level.upper(),
            stream=sys.stderr,
            format="%(asctime)s %(levelname)s %(name)s %(message)s",
        )
        handlers.quiet()
        if chosen.command == options.RELEASE:
            asyncio.run(release(chosen))
        else:
            _run_again(chosen)
    except UsageError as error:
        print(f"whatsapp-operator: {error}", file=sys.stderr)
        return 2
    except (OperatorError, KubeError) as error:
        said = refusals.problem(error).message if isinstance(error, Refused) else error
        print(f"whatsapp-operator: {said}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
