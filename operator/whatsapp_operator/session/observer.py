"""Read all input of a decision about one session."""

import dataclasses
from collections.abc import Callable
from typing import Any

from whatsapp_kube.errors import Refused
from whatsapp_kube.requests import Ref
from whatsapp_operator import admission_policy
from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Reader
from whatsapp_operator.observed import worker_contact
from whatsapp_operator.observed.ages import Sightings
from whatsapp_operator.observed.parsing import parse_session_resource, parse_store_resource
from whatsapp_operator.observed.pod_parsing import parse_pod, parse_purge_pod
from whatsapp_operator.observed.state import Observed, Pod, Session, Store
from whatsapp_operator.observed.worker_contact import NodeHealth, WorkerContact
from whatsapp_operator.session import failover, plan, purge
from whatsapp_session import names

Manifest = dict[str, Any]
Parse = Callable[[Manifest, float], Session]


class Observer:
    """Observe a session, its pod, its store and the admission policy."""

    def __init__(self, watched: Reader, rules: admission_policy.Policy, clock: Clock) -> None:
        self._watched = watched
        self._policy = rules
        self._clock = clock
        self._sightings: Sightings[tuple[str, str]] = Sightings()

    async def observe(self, raw: Manifest, parse: Parse = parse_session_resource) -> Observed:
        """Return the observation for a session as the API server returned it. Raises SpecError."""
        observed = await self._observe(raw, parse)
        key = observed.session.namespace, observed.session.name
        ages = self._sightings.ages(key, plan.facts(observed), self._clock.monotonic())
        observed = dataclasses.replace(observed, ages=ages)
        if observed.pod is None or not failover.check_due(observed):
            return observed
        return dataclasses.replace(observed, contact=await self._contact(observed.session, observed.pod))

    def forget(self, namespace: str, name: str) -> None:
        """Forget a deleted session."""
        self._sightings.forget((namespace, name))

    async def _observe(self, raw: Manifest, parse: Parse) -> Observed:
        session = parse(raw, self._clock.now().timestamp())
        found = await self._watched.get(Ref("Pod", session.namespace, names.pod(session.name)))
        pod = None if found is None else parse_pod(found, session.name, session.uid)
        force = await self._policy.in_force(session.namespace)
        remote = session.spec.auth.remote
        store = None if remote is None else await self._store(session, remote.store)
        observed = Observed(
            session,
            pod,
            store,
            policy=force,
            policy_required=self._policy.required,
            purge_pod=await self._purge_pod(session),
        )
        last = session.last.store
        if pod is not None or last is None:
            return observed
        found = await self._watched.get(Ref("Pod", session.namespace, names.move_pod(session.name)))
        return dataclasses.replace(
            observed,
            source=None if remote is None or last == remote.store else await self._store(session, last),
            move_pod=None if found is None else parse_pod(found, session.name, session.uid),
        )

    async def _contact(self, session: Session, pod: Pod) -> WorkerContact:
        """Check whether a worker still runs, with as few requests as the answer needs."""
        raw = await self._watched.get(Ref("Lease", session.namespace, names.lease(session.name)))
        lease = worker_contact.held_lease(raw, self._clock.now().timestamp())
        if not lease.expired:
            return WorkerContact(lease)
        health = await self._node_health(pod)
        if not pod.deleting or not health.lost or health.off:
            return WorkerContact(lease, health)
        pvcs = [
            (name, await self._watched.get(Ref("PersistentVolumeClaim", session.namespace, name))) for name in pod.pvcs
        ]
        return WorkerContact(lease, health, worker_contact.pinned_by(pvcs))

    async def _node_health(self, pod: Pod) -> NodeHealth:
        assert pod.node is not None, "only a pod on a node is checked"
        try:
            return worker_contact.node_health(await self._watched.get(Ref("Node", "", pod.node)))
        except Refused:
            # Without the right to read nodes, only the node controller's mark on the pod is known.
            return NodeHealth.UNREACHABLE if pod.node_silent else NodeHealth.ANSWERS

    async def _purge_pod(self, session: Session) -> Pod | None:
        if not (session.deleting and purge.held(session)):
            return None
        found = await self._watched.get(Ref("Pod", session.namespace, names.purge_pod(session.name)))
        return None if found is None else parse_purge_pod(found, session.name, session.uid)

    async def _store(self, session: Session, name: str) -> Store | None:
        raw = await self._watched.get(Ref(names.STORE_KIND, session.namespace, name))
        return None if raw is None else parse_store_resource(raw)
