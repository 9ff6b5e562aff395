"""Carry out the plan for one session and report: the only place that writes to the cluster."""

import contextlib
import dataclasses
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, assert_never

from whatsapp_operator import desired, events, plan, status
from whatsapp_operator.errors import Conflict, KubeError, Refused, Unreachable
from whatsapp_operator.kube import Kube, Ref
from whatsapp_operator.observed import (
    Observed,
    Ownership,
    Store,
    Trouble,
    Wanted,
    parse_pod,
    parse_session_resource,
    parse_store_resource,
)
from whatsapp_session import names
from whatsapp_session.conditions import Reason

log = logging.getLogger(__name__)

Manifest = dict[str, Any]
PASSES = 4
"""More rounds than any session needs from nothing to a marked pod; a bug ends here and not in a hot loop."""
CHECK_AGAIN_SECONDS = 600.0
"""How long a Lease or a service account that we applied is trusted without looking."""
POLICY_CHECK_SECONDS = 30.0
REFUSED_AGAIN_SECONDS = 60.0


class Clock(Protocol):
    """The two clocks."""

    def now(self) -> datetime:
        """Return the present time in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One session's name."""

    namespace: str
    name: str


class Reconciler:
    """Bring one session at a time to what its specification says; safe to interrupt between any two calls."""

    def __init__(self, kube: Kube, defaults: desired.WorkerDefaults, clock: Clock) -> None:
        self._kube = kube
        self._defaults = defaults
        self._clock = clock
        self._checked: dict[tuple[str, ...], float] = {}
        self._policy: tuple[float, bool] | None = None

    async def reconcile(self, key: Key) -> float | None:
        """Look, act and report; returns after how many seconds to look again, None when something must happen first.

        Raises KubeError when the API server did not answer: the caller tries again later.
        """
        raw = await self._kube.get(Ref(names.SESSION_KIND, key.namespace, key.name))
        if raw is None:
            await self._sweep(key)
            return None
        observed = await self._observe(raw)
        for _ in range(PASSES):
            manifest = self._manifest(observed)
            wanted = None if manifest is None else desired.wanted(observed.session, manifest)
            steps = plan.plan(observed, wanted, self._clock.now().timestamp())
            last_words = [step for step in steps.actions if isinstance(step, plan.DeletePod)]
            before = observed
            observed = await self._build(observed, steps)
            if observed.refusal is not None:
                await self._report(observed, wanted)
                return REFUSED_AGAIN_SECONDS
            if observed is not before and observed.pod is not None and before.pod is None:
                continue
            await self._report(observed, wanted)
            for step in last_words:
                # After the report: what the pod leaves behind must be in the status before it goes.
                await self._delete_pod(observed, step)
            return steps.look_again
        raise AssertionError(f"session {key} does not settle")

    async def _observe(self, raw: Manifest) -> Observed:
        session = parse_session_resource(raw)
        found = await self._kube.get(Ref("Pod", session.namespace, names.pod(session.name)))
        pod = None if found is None else parse_pod(found, session.name, session.uid)
        store: Store | None = None
        remote = session.spec.auth.remote
        if remote is not None:
            raw_store = await self._kube.get(Ref(names.STORE_KIND, session.namespace, remote.store))
            store = None if raw_store is None else parse_store_resource(raw_store)
        return Observed(session, pod, store, policy=pod is not None or await self._policy_in_force())

    def _manifest(self, observed: Observed) -> Manifest | None:
        if observed.session.spec.auth.remote is not None and observed.store is None:
            return None
        return desired.pod(observed.session, observed.store, self._defaults)

    async def _build(self, observed: Observed, steps: plan.Plan) -> Observed:
        for step in steps.actions:
            match step:
                case plan.ApplyAccess():
                    await self._apply_access(observed)
                case plan.ApplyClaim():
                    await self._apply_claim(observed)
                case plan.ApplyLease(pod_uid):
                    manifest = desired.lease(observed.session, pod_uid)
                    await self._kube.apply(manifest, manager=names.OPERATOR_MANAGER)
                case plan.CreatePod():
                    observed = await self._create_pod(observed)
                case plan.DeletePod():
                    pass
                case _:
                    assert_never(step)
        return observed

    async def _apply_access(self, observed: Observed, afresh: bool = False) -> None:
        account, binding = desired.access(observed.session, observed.store)
        place = ("access", account["metadata"]["namespace"], account["metadata"]["name"], repr(account))
        if self._is_fresh(place) and not afresh:
            return
        for manifest in (account, binding):
            await self._kube.apply(manifest, manager=names.OPERATOR_MANAGER)
        self._checked[place] = self._clock.monotonic()

    async def _apply_claim(self, observed: Observed) -> None:
        manifest = desired.claim(observed.session)
        if manifest is None:
            return
        # One that is there stays as it is: size and class are not changed behind its user's back.
        with contextlib.suppress(Conflict):
            await self._kube.create(manifest)

    async def _create_pod(self, observed: Observed, first_try: bool = True) -> Observed:
        session, manifest = observed.session, self._manifest(observed)
        assert manifest is not None, "a pod is planned only when its manifest is known"
        try:
            made = await self._kube.create(manifest)
        except Conflict:
            # Somebody else's, or ours from before a crash: look at it.
            found = await self._kube.get(Ref("Pod", session.namespace, names.pod(session.name)))
            if found is None:
                raise Unreachable(409, "the worker pod vanished while it was looked at") from None
            return dataclasses.replace(observed, pod=parse_pod(found, session.name, session.uid))
        except Refused as error:
            if first_try:
                # The namespace may have been deleted and made again since we last saw to the service account.
                await self._apply_access(observed, afresh=True)
                return await self._create_pod(observed, first_try=False)
            return dataclasses.replace(observed, refusal=_refusal(error))
        pod = parse_pod(made, session.name, session.uid)
        log.info("pod made: session=%s/%s pod=%s", session.namespace, session.name, pod.name)
        return dataclasses.replace(observed, pod=pod)

    async def _delete_pod(self, observed: Observed, step: plan.DeletePod) -> None:
        session = observed.session
        if step.reason is Reason.REPLACING:
            happening = events.Happening(step.reason, step.message, warning=False, since=step.uid)
            await self._post(observed, happening)
        await self._kube.delete(Ref("Pod", session.namespace, names.pod(session.name)), uid=step.uid)
        log.info(
            "pod deleted: session=%s/%s reason=%s why=%r", session.namespace, session.name, step.reason, step.message
        )

    async def _report(self, observed: Observed, wanted: Wanted | None) -> None:
        session = observed.session
        if session.deleting:
            return
        own = status.own_status(observed, None if wanted is None else wanted.template_hash, self._now())
        version = session.resource_version
        head = {"apiVersion": names.API_VERSION, "kind": names.SESSION_KIND}
        place = {"name": session.name, "namespace": session.namespace}
        if status.differs(session.status, own):
            for happening in events.happenings(session.status, own):
                await self._post(observed, happening)
            body = {**head, "metadata": place, "status": own}
            written = await self._kube.apply(body, manager=names.OPERATOR_MANAGER, subresource="status")
            version = written["metadata"]["resourceVersion"]
            if session.status.get("phase") != own["phase"]:
                log.info("phase: session=%s/%s phase=%s", session.namespace, session.name, own["phase"])
        if status.report_is_stale(observed):
            # Only if nobody has written in between: a new process' first report must survive.
            body = {**head, "metadata": {**place, "resourceVersion": version}, "status": {}}
            await self._kube.apply(body, manager=names.WORKER_MANAGER, subresource="status")

    async def _post(self, observed: Observed, happening: events.Happening) -> None:
        try:
            await self._kube.create(events.manifest(observed.session, happening, self._now()))
        except Conflict:
            pass  # it was posted before a crash
        except KubeError as error:
            # An Event is for people; a full namespace must not stop a session.
            log.warning("event not posted: %s", error)

    async def _sweep(self, key: Key) -> None:
        """Stop the pod of a session that is gone (the garbage collector does so too, in its own time)."""
        ref = Ref("Pod", key.namespace, names.pod(key.name))
        found = await self._kube.get(ref)
        if found is None:
            return
        pod = parse_pod(found, key.name, None)
        if pod.ownership is Ownership.PREDECESSOR and not pod.deleting:
            await self._kube.delete(ref, uid=pod.uid)
            log.info("pod deleted: session=%s/%s why='the session is gone'", key.namespace, key.name)

    async def _policy_in_force(self) -> bool:
        now = self._clock.monotonic()
        if self._policy is not None and (self._policy[1] and now - self._policy[0] < POLICY_CHECK_SECONDS):
            return True
        policy = await self._kube.get(Ref("ValidatingAdmissionPolicy", "", names.POLICY_NAME))
        binding = await self._kube.get(Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME))
        force = policy is not None and binding is not None and _denies(policy, binding)
        self._policy = (now, force)
        return force

    def _is_fresh(self, place: tuple[str, ...]) -> bool:
        seen = self._checked.get(place)
        return seen is not None and self._clock.monotonic() - seen < CHECK_AGAIN_SECONDS

    def _now(self) -> str:
        return self._clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _denies(policy: Manifest, binding: Manifest) -> bool:
    spec = binding["spec"]
    return (
        policy["spec"].get("failurePolicy") == "Fail"
        and spec.get("policyName") == names.POLICY_NAME
        and "Deny" in spec.get("validationActions", ())
        and "matchResources" not in spec
    )


def _refusal(error: Refused) -> Trouble:
    if "exceeded quota" in error.message:
        return Trouble(
            Reason.QUOTA_EXCEEDED, f"the namespace's quota leaves no room for the worker pod: {error.message}"
        )
    return Trouble(
        Reason.INVALID_POD_TEMPLATE, f"the API server refuses the worker pod; mend spec.podTemplate: {error.message}"
    )
