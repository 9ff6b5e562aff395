"""Bring one store at a time to what its specification says: have it checked, and say what is known of it."""

import dataclasses
import logging
from typing import Any

from whatsapp_operator import actor
from whatsapp_operator.clock import Clock, rfc3339
from whatsapp_operator.desired import access, check_pod
from whatsapp_operator.desired.environment import WorkerDefaults
from whatsapp_operator.errors import Conflict, Refused
from whatsapp_operator.kube import Kube, Ref
from whatsapp_operator.observed import Store, Trouble
from whatsapp_operator.parsing import parse_store_resource
from whatsapp_operator.reconcile import Key
from whatsapp_operator.reporter import Reporter
from whatsapp_operator.stores import hearsay, plan, status
from whatsapp_operator.stores.observed import ObservedStore, Say, parse_check, parse_check_pod
from whatsapp_session import names
from whatsapp_session.conditions import Reason
from whatsapp_session.spec import SpecError
from whatsapp_session.store_spec import FilesystemBackend

log = logging.getLogger(__name__)

Manifest = dict[str, Any]


class StoreReconciler:
    """Reconcile; safe to interrupt between any two calls, because every pass begins with what is there."""

    def __init__(self, kube: Kube, defaults: WorkerDefaults, clock: Clock) -> None:
        self._kube = kube
        self._defaults = defaults
        self._clock = clock
        self._reporter = Reporter(kube, clock)
        self._hearsay: hearsay.Hearsay[Key] = hearsay.Hearsay()

    def heard(self, session: Key, store: Key | None, say: Say | None) -> list[Key]:
        """Take note of what a session's worker says of its store; returns the stores to look at again."""
        return self._hearsay.heard(session, store, say)

    async def reconcile(self, key: Key) -> float | None:
        """Look, act and report; returns after how many seconds to look again, None when something must happen first.

        Raises KubeError when the API server did not answer: the caller tries again later.
        """
        raw = await self._kube.get(Ref(names.STORE_KIND, key.namespace, key.name))
        if raw is None:
            return None
        try:
            store = parse_store_resource(raw)
        except SpecError as error:
            log.error("not served: store=%s/%s error=%s; upgrade the definitions", key.namespace, key.name, error)
            return None
        # The check's pod goes with its store, by the garbage collector.
        return None if store.deleting else await self._serve(key, store)

    async def _serve(self, key: Key, store: Store) -> float:
        now = self._clock.now()
        manifest = check_pod.pod(store, self._defaults)
        wanted = manifest["metadata"]["annotations"][names.ANNOTATION_TEMPLATE_HASH]
        observed = status.judged(await self._observe(key, store), wanted, rfc3339(now))
        steps = plan.plan(observed, wanted, now.timestamp())
        if isinstance(steps.action, plan.CreateCheck):
            trouble = await self._create(store, manifest)
            if trouble is not None:
                observed = status.refused(observed, trouble, wanted, rfc3339(now))
                steps = plan.plan(observed, wanted, now.timestamp())
        await self._report(observed)
        if isinstance(steps.action, plan.DeleteCheck):
            # After the report: what the check found must be in the status before its pod goes.
            await self._kube.delete(Ref("Pod", store.namespace, names.check_pod(store.name)), uid=steps.action.uid)
        return steps.look_again

    async def _observe(self, key: Key, store: Store) -> ObservedStore:
        found = await self._kube.get(Ref("Pod", store.namespace, names.check_pod(store.name)))
        observed = ObservedStore(
            store,
            parse_check(store.status),
            None if found is None else parse_check_pod(found, store),
            said=self._hearsay.said(key),
        )
        backend = store.spec.backend
        if not isinstance(backend, FilesystemBackend):
            return observed
        claim = await self._kube.get(Ref("PersistentVolumeClaim", store.namespace, backend.claim_name))
        if claim is None:
            text = (
                f"the claim {backend.claim_name!r} does not exist in namespace {store.namespace!r};"
                " create it, or name another in spec.filesystem.claimName"
            )
            return dataclasses.replace(observed, obstacle=Trouble(Reason.STORE_UNAVAILABLE, text))
        return dataclasses.replace(observed, access_modes=tuple(claim["spec"].get("accessModes") or ()))

    async def _create(self, store: Store, manifest: Manifest) -> Trouble | None:
        try:
            await self._kube.apply(access.account(store.namespace, store), manager=names.OPERATOR_MANAGER)
            await self._kube.create(manifest)
        except Conflict:
            log.debug("a pod of the check's name is there: store=%s/%s", store.namespace, store.name)
        except Refused as error:
            text = f"the API server refuses the pod that checks the store: {error.message}"
            return actor.room(error) or Trouble(Reason.INVALID_POD_TEMPLATE, text)
        return None

    async def _report(self, observed: ObservedStore) -> None:
        store = observed.store
        own = status.own_status(observed, rfc3339(self._clock.now()))
        if not status.differs(store.status, own):
            return
        for happening in status.happenings(store.status, own):
            await self._reporter.post(store, happening)
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.STORE_KIND,
            "metadata": {"name": store.name, "namespace": store.namespace},
            "status": own,
        }
        await self._kube.apply(body, manager=names.OPERATOR_MANAGER, subresource="status")
