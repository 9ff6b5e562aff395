"""Handle sessions that the operator cannot reconcile as usual: carry out the essential steps and report the problem."""

import dataclasses
import logging
from collections.abc import Callable
from typing import Any, Final

from whatsapp_kube.errors import KubeError, Refused
from whatsapp_kube.requests import Ref
from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Reader
from whatsapp_operator.observed.parsing import parse_essentials, parse_head, parse_session_resource
from whatsapp_operator.observed.state import Observed, Problem, Wanted
from whatsapp_operator.queue_schedule import Rest
from whatsapp_operator.session import essentials, plan, purge, removal
from whatsapp_operator.session.executor import Executor
from whatsapp_operator.session.observer import Observer
from whatsapp_operator.session.status_writer import Reporter

log = logging.getLogger(__name__)

Manifest = dict[str, Any]
AT_ONCE: Final = 0.0
Permit = Callable[[Observed, plan.Plan], tuple[Observed, plan.Plan]]
"""Removes the steps that must wait for their turn."""


class Fallback:
    """Reconcile sessions by ``essentials`` only."""

    def __init__(
        self, watched: Reader, observer: Observer, executor: Executor, reporter: Reporter, clock: Clock
    ) -> None:
        self._watched = watched
        self._observer = observer
        self._actor = executor
        self._reporter = reporter
        self._clock = clock

    async def serve(self, ref: Ref, problem: Problem, permit: Permit) -> float | Rest:
        """Reconcile a session as far as possible; returns the seconds until the next time. Raises KubeError."""
        raw = await self._watched.get(ref)
        if raw is None:
            return AT_ONCE  # it has been deleted meanwhile; its remains are removed elsewhere
        try:
            observed, wanted = await self._understood(raw)
        except Refused:
            await self._reporter.stall(raw, problem)
            return Rest(essentials.LOOK_AGAIN_SECONDS)
        now = self._clock.now().timestamp()
        steps = essentials.steps(observed, wanted)
        observed, steps = permit(observed, steps)
        built = await self._actor.build(observed, steps)
        last = [step for step in steps.actions if isinstance(step, purge.ReleaseSession)]
        for step in steps.actions:
            # Before the report, which the API server may reject. After the release the session may not exist any more.
            if step not in last:
                await removal.remove(self._actor, self._reporter, built.session, step)
        told = essentials.told(built, wanted, problem)
        version = await self._reporter.stall(raw, told, essentials.own_parts(built, now))
        session = dataclasses.replace(built.session, resource_version=version)
        if built.pod is None and session.status.get("session"):
            session = await self._reporter.clear(session)
        for release in last:
            await removal.remove(self._actor, self._reporter, session, release)
        again = steps.look_again or essentials.LOOK_AGAIN_SECONDS
        waits = again < essentials.LOOK_AGAIN_SECONDS or any((built.pod, built.purge_pod, built.move_pod))
        # Without a pod only a change by the user can make a difference earlier.
        return again if waits else Rest(again)

    async def _understood(self, raw: Manifest) -> tuple[Observed, Wanted | None]:
        """Return what can be observed of a session, and its desired pod as far as it is known."""
        for parse in (parse_session_resource, parse_essentials):
            try:
                observed = await self._observer.observe(raw, parse)
                return observed, self._actor.wanted(observed)
            except KubeError:
                raise
            except Exception:  # the caller reports it
                log.debug("not understood: by=%s", parse.__name__)
        return await self._observer.observe(raw, parse_head), None
