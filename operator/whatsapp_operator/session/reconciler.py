"""Reconcile one session at a time: observe, plan, act, report."""

import dataclasses
import logging
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from whatsapp_kube.errors import KubeError, Refused
from whatsapp_kube.requests import STATUS, Ref
from whatsapp_operator import admission_policy, metrics, rollout
from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Listing, Reader
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_operator.observed.pod_parsing import parse_pod, parse_purge_pod
from whatsapp_operator.observed.state import Key, Observed, Ownership, Problem, Report, StoreReport, Wanted
from whatsapp_operator.queue_schedule import Rest
from whatsapp_operator.session import essentials, fallback, plan, refusals, removal, stalling, status
from whatsapp_operator.session.applier import Applier
from whatsapp_operator.session.executor import Executor
from whatsapp_operator.session.observer import Observer
from whatsapp_operator.session.rights import Rights
from whatsapp_operator.session.status_writer import Reporter
from whatsapp_operator.session.throttle import Throttle
from whatsapp_session import names
from whatsapp_session.conditions import ConditionStatus, ConditionType, Phase, Reason
from whatsapp_session.session_spec import SpecError

log = logging.getLogger(__name__)

Manifest = dict[str, Any]
PASSES = 4
"""Maximum of passes in one reconciliation, more than any session needs, so that a bug causes no hot loop."""
REFUSED_AGAIN_SECONDS = 60.0
PREDECESSOR_AGAIN_SECONDS = 1.0
"""Seconds until the next check whether the garbage collector has removed objects of a deleted namesake."""
AT_ONCE = 0.0


OnStoreReport = Callable[[Key, Key | None, StoreReport | None], Awaitable[None]]
"""Receives the report of a session's worker about its store."""


class Reconciler:
    """Reconcile sessions; safe to interrupt between any two calls, because each pass begins with an observation."""

    def __init__(
        self,
        kube: Listing,
        defaults: WorkerDefaults,
        clock: Clock,
        limits: rollout.Limits | None = None,
        numbers: metrics.Metrics | None = None,
        on_store_report: OnStoreReport | None = None,
        *,
        watched: Reader | None = None,
        policy_required: bool = True,
    ) -> None:
        self._kube = kube
        self._watched = watched or kube
        self._metrics = numbers or metrics.Metrics()
        self._clock = clock
        self._policy = admission_policy.Policy(kube, clock, required=policy_required)
        self._metrics.watch_policy(lambda: self._policy.missing)
        self._observer = Observer(self._watched, self._policy, clock)
        self._known: set[Key] = set()
        self._faults: dict[Key, str] = {}
        """The fault of the operator in the last reconciliation of each session."""
        self._late: dict[Key, Problem] = {}
        """Refusals after the report; the next report contains them at once, so that conditions do not flap."""
        self._applier = Applier(kube)
        self._rights = Rights(kube, self._applier, clock)
        self._executor = Executor(kube, defaults, self._applier, self._rights, clock)
        self._reporter = Reporter(kube, clock)
        self._fallback = fallback.Fallback(self._watched, self._observer, self._executor, self._reporter, clock)
        self._on_store_report = on_store_report
        chosen = limits or rollout.Limits()
        self._throttle: Throttle[Key] = Throttle(chosen, lambda key: key.namespace, self._executor, clock)
        self._metrics.watch_starts(self._throttle.starts, clock.monotonic)

    async def reconcile(self, key: Key) -> float | Rest | None:
        """Reconcile one session; returns the seconds until the next reconciliation, None to wait for an event.

        Raises KubeError if the API server did not answer: the caller retries later.
        """
        with self._metrics.reconciling():
            try:
                found = await self._reconcile(key)
            except Refused as error:
                return await self._fall_back(key, refusals.problem(error))
            except KubeError:
                raise
            except SpecError as error:
                # The CRD in the cluster has another version than this operator: a retry does not help.
                return await self._fall_back(key, stalling.misread(error))
            except Exception as error:
                self._say_fault(key, error)
                return await self._fall_back(key, essentials.fault(error))
            self._faults.pop(key, None)
            return found

    def known(self) -> list[Key]:
        """Return the sessions that exist as far as is known."""
        return sorted(self._known)

    async def list_access(self, namespaces: Sequence[str]) -> list[Key]:
        """List the objects of the workers' identity; returns the sessions whose objects are not as they were applied.

        Raises KubeError.
        """
        changed = {(ref.namespace, ref.name) for ref in await self._applier.list(namespaces)}
        named = (names.lease, names.session_account)
        return [key for key in self.known() if any((key.namespace, name(key.name)) in changed for name in named)]

    def granted(self) -> list[Key]:
        """Return the sessions that waited for a start slot and now have one, each once."""
        return self._throttle.starts.granted()

    async def look_at_policy(self) -> list[Key]:
        """Check whether the admission policy is in force; returns the sessions to reconcile because that changed."""
        return self.known() if await self._policy.news() else []

    async def _reconcile(self, key: Key) -> float | Rest | None:
        raw = await self._watched.get(Ref(names.SESSION_KIND, key.namespace, key.name))
        self._known.add(key)
        if raw is None:
            self._known.discard(key)
            self._late.pop(key, None)
            self._faults.pop(key, None)
            self._observer.forget(key.namespace, key.name)
            self._throttle.forget(key)
            self._metrics.forget(key)
            self._executor.forget(key.namespace, key.name)
            self._reporter.forget(key.namespace, key.name)
            await self._report_store(key, None, None)
            await self._sweep(key)
            await self._rights.retire(key.namespace)
            return None
        observed = await self._observer.observe(raw)
        for _ in range(PASSES):
            wanted = self._executor.wanted(observed)
            steps = plan.plan(observed, wanted)
            observed, steps = await self._throttle.permit(key, observed, steps)
            built = await self._executor.build(observed, steps)
            if self._unsettled(observed, built):
                observed = built
                continue
            return await self._end(key, built, wanted, steps)
        raise AssertionError(f"session {key} does not settle")

    @staticmethod
    def _unsettled(observed: Observed, built: Observed) -> bool:
        """Return whether a new plan is needed after objects were created, or rejected during a deletion."""
        made = observed.pod is None and built.pod is not None
        refused = built.session.deleting and observed.refusal is None and built.refusal is not None
        return made or refused

    def _say_fault(self, key: Key, error: Exception) -> None:
        """Log a fault of the operator, once per session, without values, which can be secret."""
        self._metrics.failed()
        if self._faults.get(key) != (told := essentials.place(error)):
            self._faults[key] = told
            frames = "".join(traceback.format_tb(error.__traceback__))
            log.error("not judged: session=%s/%s fault=%r\n%s", key.namespace, key.name, told, frames)

    async def _fall_back(self, key: Key, problem: Problem) -> float | Rest:
        def permit(observed: Observed, steps: plan.Plan) -> tuple[Observed, plan.Plan]:
            return self._throttle.permit_essentials(key, observed, steps)

        ref = Ref(names.SESSION_KIND, key.namespace, key.name)
        return await self._fallback.serve(ref, problem, permit)

    async def _end(self, key: Key, observed: Observed, wanted: Wanted | None, steps: plan.Plan) -> float | Rest | None:
        """Report, then delete what the plan gives up; returns the seconds until the next reconciliation."""
        late = self._late.get(key)
        told = observed if late is None else dataclasses.replace(observed, refusal=observed.refusal or late)
        try:
            again = await self._report(key, told, wanted, steps)
        except Refused as error:
            if error.asked.verb == STATUS:
                raise  # a rejected report cannot contain it
            self._late[key] = refusals.problem(error)
            return AT_ONCE if late is None else REFUSED_AGAIN_SECONDS
        if self._late.pop(key, None) is not None:
            return AT_ONCE
        if observed.refusal is not None:
            return _again(observed, observed.refusal)
        return min((seconds for seconds in (steps.look_again, again) if seconds is not None), default=None)

    async def _report(self, key: Key, observed: Observed, wanted: Wanted | None, steps: plan.Plan) -> float | None:
        """Report, and carry out what follows the report; returns the seconds until what is left must be reported."""
        reported = await self._reporter.report(observed, wanted)
        own = reported.own
        leaving = [step for step in steps.actions if isinstance(step, plan.DeletePod)]
        ready = {item["type"]: item["status"] for item in own["conditions"]}[ConditionType.READY]
        healthy = ready == ConditionStatus.TRUE and not leaving
        self._throttle.saw(key, observed, Phase(own["phase"]), healthy=healthy)
        self._metrics.saw(key, _seen(own["phase"], observed.session.report))
        remote = observed.session.spec.auth.remote
        says, problem = status.worker_says(observed, Phase(own["phase"]))
        await self._report_store(
            key,
            None if remote is None else Key(key.namespace, remote.store),
            StoreReport(key.name, problem) if says else None,
        )
        last = observed.session.last.store
        await self._rights.retire(key.namespace, {None if remote is None else remote.store, last})
        session = dataclasses.replace(observed.session, resource_version=reported.version)
        for step in steps.actions:
            # After the report: the status must contain the facts of the pod before it is deleted.
            await removal.remove(self._executor, self._reporter, session, step)
        return reported.again

    async def _report_store(self, session: Key, store: Key | None, report: StoreReport | None) -> None:
        if self._on_store_report is not None:
            await self._on_store_report(session, store, report)

    async def _sweep(self, key: Key) -> None:
        """Delete the pods of a deleted session; the garbage collector does so too, but later."""
        pods = (
            (names.pod(key.name), parse_pod),
            (names.move_pod(key.name), parse_pod),
            (names.purge_pod(key.name), parse_purge_pod),
        )
        for name, parse in pods:
            ref = Ref("Pod", key.namespace, name)
            found = await self._watched.get(ref)
            if found is None:
                continue
            pod = parse(found, key.name, None)
            if pod.ownership is Ownership.PREDECESSOR and not pod.deleting:
                await self._kube.delete(ref, uid=pod.uid)
                log.info("pod deleted: session=%s/%s why='the session is gone'", key.namespace, key.name)


def _again(observed: Observed, refusal: Problem) -> float | Rest:
    """Return when to retry; without a pod only a change by the user can make a difference earlier."""
    if refusal.reason is Reason.REPLACING:
        return PREDECESSOR_AGAIN_SECONDS
    pods = (observed.pod, observed.purge_pod, observed.move_pod)
    return REFUSED_AGAIN_SECONDS if any(pods) else Rest(REFUSED_AGAIN_SECONDS)


def _seen(phase: str, report: Report | None) -> metrics.Seen:
    if report is None:
        return metrics.Seen(phase, None, 0)
    return metrics.Seen(phase, report.saved_at, report.link_attempts)
