"""Remove the steps of a plan that must wait: starts, replacements and restarts are limited."""

import dataclasses
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from whatsapp_operator.clock import Clock
from whatsapp_operator.observed import requests
from whatsapp_operator.observed.state import Observed, Problem
from whatsapp_operator.restart_backoff import Restarts
from whatsapp_operator.rollout import Limits, Pace
from whatsapp_operator.session import move, plan, purge, status, termination
from whatsapp_operator.session.executor import Executor
from whatsapp_operator.session.pod_startup import not_running
from whatsapp_operator.start_slots import Queued, Stage, Starts
from whatsapp_session.conditions import Phase, Reason

K = TypeVar("K", bound=Hashable)

_CREATES: Final = plan.CreatePod | purge.CreatePurgePod | move.CreateMovePod
_COMING_UP: Final = frozenset({Phase.STARTING, Phase.RESTORING})
AGAIN: Final = Problem(
    Reason.START_QUEUED,
    "the pod waits, because the user requested several starts of this session in a short time; the operator carries"
    " out the newest request within 5 minutes",
)


class Throttle(Generic[K]):
    """Limit the steps of all sessions together."""

    def __init__(self, limits: Limits, group: Callable[[K], Hashable], executor: Executor, clock: Clock) -> None:
        self._clock = clock
        self._executor = executor
        self._replacements: Pace[K] = Pace(limits)
        self._restarts: Restarts[K] = Restarts()
        self._queued: set[K] = set()
        self.starts: Starts[K] = Starts(limits.starting, group)
        """Start slots; metrics read them too."""

    async def permit(self, key: K, observed: Observed, steps: plan.Plan) -> tuple[Observed, plan.Plan]:
        """Remove steps that must wait, and deletions of pods that the API server would not accept again."""
        self._queued.discard(key)
        if any(isinstance(step, _CREATES) for step in steps.actions):
            return self._permit_start(key, observed, steps, early=termination.lifted_early(observed))
        replacing = [step for step in steps.actions if isinstance(step, plan.DeletePod) and step.replaces]
        if not replacing or observed.pod is None:
            return observed, steps
        stays = tuple(step for step in steps.actions if step not in replacing)
        if replacing[0].paced:
            return await self._permit_upgrade(key, observed, steps, stays)
        postponed = self._postponed(key, observed, stays)
        if postponed is not None:
            return observed, postponed
        refusal = await self._executor.refusal(observed)
        if refusal is not None:
            return dataclasses.replace(observed, refusal=refusal), plan.Plan(stays)
        self._restarts.did(key, self._asked(observed), self._clock.monotonic())
        return observed, steps

    def permit_essentials(self, key: K, observed: Observed, steps: plan.Plan) -> tuple[Observed, plan.Plan]:
        """Do the same for a session with a fault, which only starts on request."""
        self._queued.discard(key)
        if any(isinstance(step, _CREATES) for step in steps.actions):
            return self._permit_start(key, observed, steps, early=observed.session.last.end_time is not None)
        restarts = [s for s in steps.actions if isinstance(s, plan.DeletePod) and s.reason is Reason.REPLACING]
        if restarts:
            stays = tuple(step for step in steps.actions if step not in restarts)
            postponed = self._postponed(key, observed, stays)
            if postponed is not None:
                return observed, postponed
            self._restarts.did(key, self._asked(observed), self._clock.monotonic())
        return observed, steps

    def saw(self, key: K, observed: Observed, phase: Phase, *, healthy: bool) -> None:
        """Record the state of a session after its reconciliation: progress of its pod, and whether it is healthy."""
        self._replacements.saw(key, healthy=healthy)
        if key not in self._queued:
            self.starts.saw(key, _stage(observed, phase), self._clock.monotonic())

    def forget(self, key: K) -> None:
        """Forget a deleted session."""
        self._replacements.forget(key)
        self._restarts.forget(key)
        self._queued.discard(key)
        self.starts.forget(key, self._clock.monotonic())

    def _postponed(self, key: K, observed: Observed, stays: tuple[plan.Action, ...]) -> plan.Plan | None:
        """Return the steps for a restart that comes too soon after the last one, None if it may happen now."""
        left = self._restarts.wait(key, self._asked(observed), self._clock.monotonic())
        if left <= 0 or observed.pod is None:
            return None
        return plan.Plan((*stays, plan.Postpone(observed.pod.uid)), left)

    def _permit_start(self, key: K, observed: Observed, steps: plan.Plan, *, early: bool) -> tuple[Observed, plan.Plan]:
        now = self._clock.monotonic()
        holds = tuple(s for s in steps.actions if isinstance(s, purge.HoldSession | purge.HoldStore))
        asked = self._asked(observed) if early else None
        left = self._restarts.wait(key, asked, now) if early else 0.0
        if left > 0:
            return dataclasses.replace(observed, waits=AGAIN), plan.Plan(holds, left)
        queued = self.starts.ask(key, now)
        if queued is not None:
            self._queued.add(key)
            told = dataclasses.replace(observed, waits=_in_line(queued, self.starts.limit))
            return told, plan.Plan(holds, queued.look_again)
        if early:
            self._restarts.did(key, asked, now)
        return observed, steps

    async def _permit_upgrade(
        self, key: K, observed: Observed, steps: plan.Plan, stays: tuple[plan.Action, ...]
    ) -> tuple[Observed, plan.Plan]:
        wait = plan.Plan(stays, self._replacements.turn())
        node = None if observed.pod is None else observed.pod.node
        if not self._replacements.may_replace(key, node):
            return observed, wait
        refusal = await self._executor.refusal(observed)
        if refusal is not None:
            return dataclasses.replace(observed, refusal=refusal), plan.Plan(stays)
        if not self._replacements.may_replace(key, node):
            # Another session took the place during the request.
            return observed, wait
        if status.is_healthy(observed):
            # A session that was unhealthy before does not halt the upgrade if it stays unhealthy.
            self._replacements.replace(key, node)
        return observed, steps

    def _asked(self, observed: Observed) -> Hashable:
        """Return what distinguishes one replacement that the user requests from the next."""
        wanted = self._executor.wanted(observed)
        return None if wanted is None else wanted.template_hash, requests.newest_start(observed.session)


def _in_line(queued: Queued, limit: int) -> Problem:
    """Return the message for a waiting session, without its exact place, which would change with each start."""
    place = "and is the next of its namespace"
    if queued.ahead:
        place = f"behind at most {10 ** len(str(queued.ahead))} others of its namespace"
    text = (
        f"the pod waits for a start slot, {place}: the operator starts at most {limit} pods at a time, and namespaces"
        " take turns. No action is needed; the chart value worker.pacing.maxStarting sets the limit"
    )
    return Problem(Reason.START_QUEUED, text)


def _stage(observed: Observed, phase: Phase) -> Stage:
    pod = observed.pod
    if phase in _COMING_UP:
        return Stage.PENDING if pod is None or pod.running_since is None else Stage.RUNNING
    others = [pod for pod in (observed.purge_pod, observed.move_pod) if pod is not None and not pod.deleting]
    pending = any(pod.phase == "Pending" and not_running(pod).phase is Phase.STARTING for pod in others)
    return Stage.PENDING if pending else Stage.NONE
