"""Reconcile one store at a time: check it and write its status."""

import dataclasses
import logging
from typing import Any

from whatsapp_kube.errors import Conflict, Refused
from whatsapp_kube.requests import Ref
from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Listing, Reader, items
from whatsapp_operator.manifests import rbac, store_check_pod
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_operator.observed.ages import Sightings
from whatsapp_operator.observed.parsing import parse_store_resource
from whatsapp_operator.observed.state import Key, Problem, Store, StoreReport
from whatsapp_operator.queue_schedule import Rest
from whatsapp_operator.session import refusals, stalling
from whatsapp_operator.session.reconciler import AT_ONCE, REFUSED_AGAIN_SECONDS
from whatsapp_operator.session.status_writer import Reporter
from whatsapp_operator.store import dependents, plan, status, worker_reports
from whatsapp_operator.store.observed import ObservedStore, parse_check, parse_check_pod
from whatsapp_session import names, store_spec
from whatsapp_session.conditions import Reason
from whatsapp_session.session_spec import SpecError
from whatsapp_session.timestamps import rfc3339

log = logging.getLogger(__name__)

Manifest = dict[str, Any]

USED_SECONDS = 300.0
"""Seconds before the operator asks again whether a needed store is still needed, unless it is being deleted."""
IN_USE_SECONDS = 10.0
"""Seconds until the next look at a store that is being deleted and still needed."""


class StoreReconciler:
    """Reconcile stores; safe to interrupt between any two calls, because each pass begins with an observation."""

    def __init__(self, kube: Listing, defaults: WorkerDefaults, clock: Clock, *, watched: Reader | None = None) -> None:
        self._kube = kube
        self._watched = watched or kube
        self._defaults = defaults
        self._clock = clock
        self._reporter = Reporter(kube, clock)
        self._known: set[Key] = set()
        self._used: dict[Key, float] = {}
        """Times at which a session was last seen whose purge needs the store."""
        self._late: dict[Key, Problem] = {}
        """Refusals after the report, as in the ``Reconciler`` of sessions."""
        self._sightings: Sightings[Key] = Sightings()
        self._reports: worker_reports.WorkerReports[Key] = worker_reports.WorkerReports()

    def record(self, session: Key, store: Key | None, report: StoreReport | None) -> list[Key]:
        """Record the report of a session's worker about its store; returns the stores to reconcile."""
        return self._reports.record(session, store, report)

    def known(self) -> list[Key]:
        """Return the stores that exist as far as is known."""
        return sorted(self._known)

    async def reconcile(self, key: Key) -> float | Rest | None:
        """Reconcile one store; returns the seconds until the next reconciliation, None to wait for an event.

        Raises KubeError if the API server did not answer: the caller retries later.
        """
        raw = await self._watched.get(Ref(names.STORE_KIND, key.namespace, key.name))
        self._known.add(key)
        try:
            return await self._look(key, raw)
        except Refused as error:
            return await self._stall(key, refusals.problem(error))

    async def _stall(self, key: Key, problem: Problem) -> Rest:
        """Report the problem of a store about which nothing else is known."""
        raw = await self._watched.get(Ref(names.STORE_KIND, key.namespace, key.name))
        if raw is not None:
            await self._reporter.stall(raw, problem)
        return Rest(REFUSED_AGAIN_SECONDS)

    async def _look(self, key: Key, raw: Manifest | None) -> float | None:
        if raw is None:
            self._known.discard(key)
            self._used.pop(key, None)
            self._late.pop(key, None)
            self._sightings.forget(key)
            return None
        refusal = None
        try:
            if await self._released(key, raw):
                return None  # it was deleted, or an event follows
        except Refused as error:
            if "deletionTimestamp" in raw["metadata"]:
                raise
            refusal = refusals.problem(error)
        if "deletionTimestamp" in raw["metadata"]:
            # The garbage collector deletes the check pod with its store.
            return IN_USE_SECONDS
        try:
            store = parse_store_resource(raw)
        except SpecError as error:
            await self._reporter.stall(raw, stalling.misread(error))
            return None
        return await self._serve(key, store, refusal)

    async def _released(self, key: Key, raw: Manifest) -> bool:
        """Remove the operator's finalizer if no session needs the store any more; returns whether it did."""
        metadata = raw["metadata"]
        finalizers, going = metadata.get("finalizers") or [], "deletionTimestamp" in metadata
        if names.FINALIZER_STORE not in finalizers:
            return going
        now = self._clock.monotonic()
        if not going and now - self._used.get(key, -USED_SECONDS) < USED_SECONDS:
            return False
        users = dependents.users(await items(self._kube, names.SESSION_KIND, key.namespace), key.name)
        if users:
            self._used[key] = now
            if going:
                log.info("in use: store=%s/%s sessions=%d first=%s", key.namespace, key.name, len(users), users[0])
            return False
        self._used.pop(key, None)
        left = [name for name in finalizers if name != names.FINALIZER_STORE]
        ref = Ref(names.STORE_KIND, key.namespace, key.name)
        await self._kube.finalize(ref, version=metadata["resourceVersion"], finalizers=left)
        log.info("released: store=%s/%s", key.namespace, key.name)
        return True

    async def _serve(self, key: Key, store: Store, refusal: Problem | None) -> float:
        now = rfc3339(self._clock.now())
        manifest = store_check_pod.pod(store, self._defaults)
        wanted = manifest["metadata"]["annotations"][names.ANNOTATION_TEMPLATE_HASH]
        observed = self._aged(key, await self._observe(key, store))
        observed = self._aged(key, status.judged(observed, wanted, now))
        steps = plan.plan(observed, wanted)
        if isinstance(steps.action, plan.CreateCheck):
            problem = await self._create(store, manifest)
            if problem is not None:
                observed = self._aged(key, status.refused(observed, problem, wanted, now))
                steps = plan.plan(observed, wanted)
        late = self._late.get(key)
        await self._report(dataclasses.replace(observed, obstacle=refusal or late or observed.obstacle))
        if isinstance(steps.action, plan.DeleteCheck):
            # After the report: the status must contain the result before the pod is deleted.
            try:
                ref = Ref("Pod", store.namespace, names.check_pod(store.name))
                grace = 0 if steps.action.force else None
                await self._kube.delete(ref, uid=steps.action.uid, grace=grace)
            except Refused as error:
                self._late[key] = refusals.problem(error)
                return AT_ONCE if late is None else REFUSED_AGAIN_SECONDS
        if self._late.pop(key, None) is not None:
            return AT_ONCE
        return steps.look_again

    def _aged(self, key: Key, observed: ObservedStore) -> ObservedStore:
        ages = self._sightings.ages(key, plan.facts(observed), self._clock.monotonic())
        return dataclasses.replace(observed, ages=ages)

    async def _observe(self, key: Key, store: Store) -> ObservedStore:
        found = await self._kube.get(Ref("Pod", store.namespace, names.check_pod(store.name)))
        observed = ObservedStore(
            store,
            parse_check(store.status),
            None if found is None else parse_check_pod(found, store),
            reports=self._reports.of_store(key),
        )
        name = store_spec.pvc_name(store.spec.backend)
        if name is None:
            return observed
        claim = await self._kube.get(Ref("PersistentVolumeClaim", store.namespace, name))
        if claim is None:
            member = "filesystem" if isinstance(store.spec.backend, store_spec.FilesystemBackend) else "custom"
            text = (
                f"the PVC {name!r} does not exist in namespace {store.namespace!r};"
                f" create it, or name another in spec.{member}.claimName"
            )
            return dataclasses.replace(observed, obstacle=Problem(Reason.STORE_UNAVAILABLE, text))
        return dataclasses.replace(observed, access_modes=tuple(claim["spec"].get("accessModes") or ()))

    async def _create(self, store: Store, manifest: Manifest) -> Problem | None:
        try:
            await self._kube.apply(rbac.account(store.namespace, store), manager=names.OPERATOR_MANAGER)
            await self._kube.create(manifest)
        except Conflict:
            log.debug("a pod of the check's name is there: store=%s/%s", store.namespace, store.name)
        except Refused as error:
            return refusals.problem(error)
        return None

    async def _report(self, observed: ObservedStore) -> None:
        store = observed.store
        own = status.own_status(observed, rfc3339(self._clock.now()))
        if not status.differs(store.status, own):
            return
        for event in status.events_of(store.status, own):
            await self._reporter.post(store, event)
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.STORE_KIND,
            # Only on the observed version: a store that was created again has not been checked.
            "metadata": {"name": store.name, "namespace": store.namespace, "resourceVersion": store.resource_version},
            "status": own,
        }
        await self._kube.apply(body, manager=names.OPERATOR_MANAGER, subresource="status")
