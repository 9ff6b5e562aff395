"""Create the parts of the operator, connect them and run them."""

import asyncio
import dataclasses
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import kopf

from whatsapp_kube.errors import KubeError, Refused, Unreachable
from whatsapp_kube.requests import Ref
from whatsapp_operator import (
    admission_policy,
    clock,
    crds,
    finalizer_cleanup,
    handlers,
    health,
    kube,
    metrics,
    object_cache,
    options,
    resync,
    workqueue,
)
from whatsapp_operator.errors import OperatorError, UsageError
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_operator.observed.state import Key, StoreReport
from whatsapp_operator.queue_schedule import Rest
from whatsapp_operator.session import refusals
from whatsapp_operator.session.reconciler import Reconciler
from whatsapp_operator.store.reconciler import StoreReconciler
from whatsapp_session import names

log = logging.getLogger("whatsapp_operator")

TLS_GOODBYE_SECONDS = 0.25
STORE_WORKERS = 4
Queue: TypeAlias = workqueue.KeyedQueue[Key]


@dataclass(slots=True)
class Flags:
    """Flags to observe and stop the operator; tests use them from another thread."""

    stop: Any = None
    """None if only signals stop the operator, because kopf would wait for an unset flag."""
    ready: Any = field(default_factory=asyncio.Event)


async def run(chosen: options.Options, flags: Flags | None = None) -> None:
    """Run until stopped. Raises OperatorError or KubeError if it cannot start; returns when asked to stop."""
    flags = flags or Flags()
    loaded = await kube.configuration(chosen.kubeconfig, chosen.context)
    try:
        await _run(chosen, flags, loaded)
    finally:
        # aiohttp closes TLS connections in callbacks of the loop and offers nothing to wait for.
        await asyncio.sleep(TLS_GOODBYE_SECONDS)


async def release(chosen: options.Options) -> None:
    """Remove the operator's finalizers and return."""
    loaded = await kube.configuration(chosen.kubeconfig, chosen.context)
    try:
        async with kube.ClusterKube(loaded) as cluster:
            log.info("finalizers removed: %d", await finalizer_cleanup.release(cluster, chosen.namespaces))
    finally:
        await asyncio.sleep(TLS_GOODBYE_SECONDS)


async def _run(chosen: options.Options, flags: Flags, loaded: Any) -> None:
    async with AsyncExitStack() as stack:
        server_clock = clock.ServerClock()
        cluster = await stack.enter_async_context(kube.ClusterKube(loaded, server_clock.hear))
        await crds.wait(cluster)
        defaults = worker_defaults(chosen, await _cluster_id(cluster))
        numbers = metrics.Metrics(server_clock.now)
        cache = object_cache.ObjectCache()
        counted = object_cache.RememberingKube(metrics.CountedKube(cluster, numbers), cache)
        watched = object_cache.Watched(counted, cache)
        stores = StoreReconciler(counted, defaults, server_clock, watched=watched)

        async def look_at_store(key: Key) -> float | Rest | None:
            with numbers.reconciling():
                return await stores.reconcile(key)

        store_work: Queue = workqueue.KeyedQueue(look_at_store, workers=STORE_WORKERS, group=_namespace)

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

        work: Queue = workqueue.KeyedQueue(look, workers=chosen.workers, group=_namespace)
        alive = health.Alive(
            asyncio.get_running_loop().time,
            beats=lambda: min(work.last_beat, store_work.last_beat),
            dead=lambda: handlers.unwatched(len(chosen.namespaces) or 1) if flags.ready.is_set() else (),
            listed=flags.ready.is_set,
        )
        if chosen.health_port is not None:
            serving = health.serving(chosen.health_port, alive.wrong, alive.not_ready, numbers.text)
            await stack.enter_async_context(serving)

        def known() -> list[tuple[Callable[[Key], Awaitable[None]], Key]]:
            sessions = [(work.add, key) for key in reconciler.known()]
            return [*sessions, *((store_work.add, key) for key in stores.known())]

        async def lists() -> None:
            for key in await reconciler.list_access(chosen.namespaces):
                await work.add(key)
            for ref in await object_cache.refresh(counted, cache, chosen.namespaces):
                queue = work if ref.kind == names.SESSION_KIND else store_work
                await queue.add(Key(ref.namespace, ref.name))

        # Before kopf, which cancels tasks that were created after its start.
        tasks = {
            "policy": _guard(reconciler, work, alive),
            "rounds": resync.walk(known, asyncio.sleep, lists),
            "queue": work.run(),
            "queue of stores": store_work.run(),
        }
        for name, each in tasks.items():
            stack.push_async_callback(_cancelled, asyncio.create_task(each, name=name))
        await asyncio.sleep(0)
        log.info("started: server=%s workers=%d image=%s", loaded.host, chosen.workers, chosen.worker_image)
        await stack.enter_async_context(_explained(cluster))
        await kopf.operator(
            registry=handlers.registry(work.add, store_work.add, lambda: kube.connection(loaded), cache),
            settings=handlers.settings(),
            clusterwide=not chosen.namespaces,
            namespaces=chosen.namespaces,
            standalone=True,
            identity=handlers.IDENTITY,
            stop_flag=flags.stop,
            ready_flag=flags.ready,
        )
        log.info("stopped")


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


async def _cluster_id(cluster: kube.Kube) -> str:
    namespace = await cluster.get(Ref("Namespace", "", "kube-system"))
    if namespace is None:
        raise Unreachable(
            404, "the namespace kube-system does not exist; check that the kubeconfig names a Kubernetes API server"
        )
    return str(namespace["metadata"]["uid"])


def worker_defaults(chosen: options.Options, cluster: str) -> WorkerDefaults:
    """Return what the command line says of all pods; ``cluster`` is the UID of kube-system."""
    return WorkerDefaults(
        image=chosen.worker_image,
        cluster=cluster,
        image_pull_policy=chosen.worker_image_pull_policy,
        pods=dataclasses.replace(
            chosen.pod_settings,
            host_aliases=chosen.worker_host_aliases,
            image_pull_secrets=chosen.worker_image_pull_secrets,
        ),
        resources=chosen.worker_resources,
        extra_browser_args=chosen.worker_extra_browser_args,
        pod_security=chosen.pod_security,
    )


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
        asyncio.run(release(chosen) if chosen.command == options.RELEASE else run(chosen))
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
