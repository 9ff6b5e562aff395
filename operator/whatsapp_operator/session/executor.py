"""Carry out the steps of a plan: create and delete the objects of a session."""

import contextlib
import dataclasses
import logging
from typing import Any, assert_never

from whatsapp_kube.errors import Conflict, Refused, Unreachable
from whatsapp_kube.requests import Ref, ref_of
from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Kube
from whatsapp_operator.manifests import lease, move_pod, purge_pod, pvc, rbac, worker_pod
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_operator.observed import worker_contact
from whatsapp_operator.observed.parsing import parse_store_resource
from whatsapp_operator.observed.pod_parsing import parse_pod, parse_purge_pod
from whatsapp_operator.observed.state import Observed, Problem, Session, Wanted
from whatsapp_operator.session import failover, move, plan, purge, refusals
from whatsapp_operator.session.applier import Applier
from whatsapp_operator.session.rights import Rights
from whatsapp_session import names
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_session.session_spec import Strategy

log = logging.getLogger(__name__)

Manifest = dict[str, Any]


class Executor:
    """Carry out steps for one session at a time; each step is safe to repeat."""

    def __init__(self, kube: Kube, defaults: WorkerDefaults, applier: Applier, rights: Rights, clock: Clock) -> None:
        self._clock = clock
        self._kube = kube
        self._defaults = defaults
        self._applier = applier
        self._rights = rights

    def manifest(self, observed: Observed) -> Manifest | None:
        """Return the manifest of the desired pod, None while the store is missing."""
        template = self._template(observed)
        return None if template is None else worker_pod.sent(template)

    def _template(self, observed: Observed) -> Manifest | None:
        if observed.session.spec.auth.remote is not None and observed.store is None:
            return None
        return worker_pod.pod(observed.session, observed.store, self._defaults)

    def wanted(self, observed: Observed) -> Wanted | None:
        """Return the desired pods as far as decisions need them, None while the store is missing."""
        template = self._template(observed)
        if template is None:
            return None
        wanted = worker_pod.wanted(observed.session, template, self._defaults.pod_security)
        if not move.due(observed):
            return wanted
        annotations = self._move_manifest(observed)["metadata"]["annotations"]
        return dataclasses.replace(wanted, move_hash=annotations[names.ANNOTATION_TEMPLATE_HASH])

    def _move_manifest(self, observed: Observed) -> Manifest:
        assert observed.source is not None, "a move is due only when both stores are there"
        assert observed.store is not None, "a move is due only when both stores are there"
        return move_pod.move_pod(observed.session, observed.source, observed.store, self._defaults)

    async def build(self, observed: Observed, steps: plan.Plan) -> Observed:
        """Carry out the steps that create objects; returns the observation with the created or rejected objects."""
        try:
            for step in steps.actions:
                match step:
                    case plan.ApplyAccess():
                        waits = await self._rights.grant(observed)
                        if waits is not None:
                            return dataclasses.replace(observed, refusal=waits)
                    case plan.ApplyPVC():
                        await self._create_pvc(observed.session)
                    case plan.ApplyLease(pod_uid):
                        await self._apply_lease(observed, pod_uid)
                    case plan.CreatePod():
                        observed = await self._create_pod(observed)
                    case purge.HoldSession():
                        observed = await self._hold(observed)
                    case purge.HoldStore():
                        observed = await self._hold_store(observed)
                    case purge.AskNamespace():
                        observed = await self._ask_namespace(observed)
                    case purge.CreatePurgePod():
                        observed = await self._create_purge_pod(observed)
                    case move.CreateMovePod():
                        observed = await self._create_move_pod(observed)
                    case (
                        plan.DeletePod()
                        | failover.ForceDeletePod()
                        | plan.Postpone()
                        | purge.DeletePurgePod()
                        | purge.ReleaseSession()
                        | move.DeleteMovePod()
                    ):
                        pass
                    case _:
                        assert_never(step)
        except Refused as error:
            return dataclasses.replace(observed, refusal=refusals.problem(error))
        return observed

    async def refusal(self, observed: Observed) -> Problem | None:
        """Ask the API server with a dry run whether it accepts the desired pod; returns None if so."""
        manifest = self.manifest(observed)
        assert manifest is not None, "a replacement is planned only when its manifest is known"
        name = manifest["metadata"].pop("name")
        # Under another name, because the pod to be replaced still exists.
        manifest["metadata"] |= {"name": "", "generateName": f"{name[:50]}-"}
        try:
            await self._rights.grant(observed)
            await self._kube.create(manifest, dry_run=True)
        except Refused as error:
            found = refusals.problem(error)
            # A quota counts both pods, although one will be deleted.
            return None if refusals.waits(found) else found
        return None

    async def delete_pod(self, session: Session, step: plan.DeletePod) -> None:
        """Delete the pod gracefully."""
        await self._kube.delete(Ref("Pod", session.namespace, names.pod(session.name)), uid=step.uid)
        where = f"{session.namespace}/{session.name}"
        log.info("pod deleted: session=%s reason=%s why=%r", where, step.reason, step.message)

    async def force_delete_pod(self, session: Session, step: failover.ForceDeletePod) -> None:
        """Delete the pod without waiting for its node."""
        await self._kube.delete(Ref("Pod", session.namespace, names.pod(session.name)), uid=step.uid, grace=0)
        log.warning("pod deleted: session=%s/%s force=true why=%r", session.namespace, session.name, step.message)

    async def delete_purge_pod(self, session: Session, step: purge.DeletePurgePod) -> None:
        """Delete the purge pod."""
        ref = Ref("Pod", session.namespace, names.purge_pod(session.name))
        await self._kube.delete(ref, uid=step.uid, grace=0 if step.force else None)

    async def delete_move_pod(self, session: Session, step: move.DeleteMovePod) -> None:
        """Delete the move pod."""
        ref = Ref("Pod", session.namespace, names.move_pod(session.name))
        await self._kube.delete(ref, uid=step.uid, grace=0 if step.force else None)

    async def release(self, session: Session, step: purge.ReleaseSession) -> None:
        """Remove the operator's finalizer."""
        left = [name for name in session.finalizers if name != names.FINALIZER_PURGE]
        ref = Ref(names.SESSION_KIND, session.namespace, session.name)
        await self._kube.finalize(ref, version=session.resource_version, finalizers=left)
        log.info("released: session=%s/%s why=%r", session.namespace, session.name, step.message)

    def forget(self, namespace: str, name: str) -> None:
        """Forget a deleted session."""
        self._rights.forget(namespace, name)

    async def _apply_lease(self, observed: Observed, pod_uid: str | None) -> None:
        manifest = lease.lease(observed.session, pod_uid)
        if _misses_its_lease(observed):
            await self._applier.read(ref_of(manifest))
        found = await self._applier.apply(manifest)
        if found is not None and pod_uid is None:
            await self._release_lease(observed.session, manifest, found)
        left = [] if found is None else lease.left_over(found, manifest)
        if left:
            # A user has reset the managed fields, so the API server does not know that they are the operator's. After
            # another value the operator owns them alone, and the next apply without them removes them.
            mine = {**manifest["metadata"]["annotations"], **dict.fromkeys(left, "")}
            metadata = {**manifest["metadata"], "annotations": mine}
            await self._kube.apply({**manifest, "metadata": metadata}, manager=names.OPERATOR_MANAGER)
            await self._applier.apply(manifest, afresh=True)

    async def _release_lease(self, session: Session, manifest: Manifest, found: Manifest) -> None:
        """Clear the holder of an expired Lease before a pod is created, so that its worker need not wait for that.

        This does not say that the old worker has ended: the new one still waits after its claim in the store. Without a
        store (NoAuth) it waits for the Lease itself.
        """
        held = worker_contact.held_lease(found, self._clock.now().timestamp())
        if held.holder == "" or not held.expired or session.spec.auth.strategy is Strategy.NO_AUTH:
            return
        metadata = {**manifest["metadata"], "resourceVersion": found["metadata"]["resourceVersion"]}
        free = {**manifest, "metadata": metadata, "spec": {**manifest["spec"], "holderIdentity": ""}}
        with contextlib.suppress(Conflict):  # the holder has renewed it
            await self._kube.apply(free, manager=names.OPERATOR_MANAGER)
            log.info("lease released: session=%s/%s holder=%s", session.namespace, session.name, held.holder)

    async def _create_pvc(self, session: Session) -> None:
        manifest = pvc.pvc(session)
        if manifest is not None:
            # An existing PVC is not changed: the user may have changed its size.
            with contextlib.suppress(Conflict):
                await self._kube.create(manifest)

    async def _hold(self, observed: Observed) -> Observed:
        session = observed.session
        ref = Ref(names.SESSION_KIND, session.namespace, session.name)
        finalizers = (*session.finalizers, names.FINALIZER_PURGE)
        found = await self._kube.finalize(ref, version=session.resource_version, finalizers=finalizers)
        if found is None:
            raise Conflict(404, f"the session {session.namespace}/{session.name} was deleted during the reconciliation")
        # Nothing else has changed: the patch required this version.
        held = dataclasses.replace(
            session, finalizers=finalizers, resource_version=found["metadata"]["resourceVersion"]
        )
        return dataclasses.replace(observed, session=held)

    async def _hold_store(self, observed: Observed) -> Observed:
        store = move.home(observed) if observed.session.deleting else observed.store
        assert store is not None, "a store is held only when it is there"
        ref = Ref(names.STORE_KIND, store.namespace, store.name)
        finalizers = (*store.finalizers, names.FINALIZER_STORE)
        found = await self._kube.finalize(ref, version=store.resource_version, finalizers=finalizers)
        now = None if found is None else parse_store_resource(found)
        if store is observed.source:
            return dataclasses.replace(observed, source=now)
        return dataclasses.replace(observed, store=now)

    async def _ask_namespace(self, observed: Observed) -> Observed:
        """Try with a dry run to create an object: a request to read the namespace would need one more right."""
        manifest = rbac.account(observed.session.namespace, None)
        # Under another name, because an existing object would cause a conflict.
        manifest["metadata"] |= {"name": "", "generateName": "wa-worker-"}
        try:
            await self._kube.create(manifest, dry_run=True)
        except Refused as error:
            problem = refusals.problem(error)
            if problem.reason is Reason.STOPPING:
                return dataclasses.replace(observed, refusal=problem)
        return observed

    async def _create_purge_pod(self, observed: Observed) -> Observed:
        session, store = observed.session, move.home(observed)
        assert store is not None, "a purge is planned only when its store is known"
        await self._applier.apply(rbac.account(session.namespace, store), afresh=True)
        manifest = purge_pod.purge_pod(session, store, self._defaults)
        made = await self._created(manifest, "purge pod")
        log.info("purging: session=%s/%s pod=%s", session.namespace, session.name, made["metadata"]["name"])
        return dataclasses.replace(observed, purge_pod=parse_purge_pod(made, session.name, session.uid))

    async def _create_move_pod(self, observed: Observed) -> Observed:
        session = observed.session
        await self._applier.apply(rbac.account(session.namespace, observed.store), afresh=True)
        made = await self._created(self._move_manifest(observed), "move pod")
        log.info("moving: session=%s/%s pod=%s", session.namespace, session.name, made["metadata"]["name"])
        return dataclasses.replace(observed, move_pod=parse_pod(made, session.name, session.uid))

    async def _create_pod(self, observed: Observed, *, first_try: bool = True) -> Observed:
        session, manifest = observed.session, self.manifest(observed)
        assert manifest is not None, "a pod is planned only when its manifest is known"
        try:
            made = await self._created(manifest, "worker pod")
        except Refused:
            if not first_try:
                raise
            # The namespace may have been deleted and created again since the account was applied.
            await self._rights.grant(observed, afresh=True)
            return await self._create_pod(observed, first_try=False)
        log.info("pod made: session=%s/%s pod=%s", session.namespace, session.name, made["metadata"]["name"])
        return dataclasses.replace(observed, pod=parse_pod(made, session.name, session.uid))

    async def _created(self, manifest: Manifest, what: str) -> Manifest:
        """Create a pod; if its name is taken, by a foreign pod or before a crash, return that pod."""
        try:
            return await self._kube.create(manifest)
        except Conflict:
            found = await self._kube.get(ref_of(manifest))
            if found is None:
                raise Unreachable(409, f"the {what} was deleted during the reconciliation") from None
            return found


def _misses_its_lease(observed: Observed) -> bool:
    """Return whether the worker behaves as if its Lease had been deleted."""
    report = observed.session.report
    return report is not None and report.state in (SessionState.CLAIMING, SessionState.FROZEN)
