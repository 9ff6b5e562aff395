"""Give each worker the rights on its own session, and remove the wider rights of earlier versions."""

import logging
from collections.abc import Iterable
from typing import Any, Final

from whatsapp_kube.errors import Refused
from whatsapp_kube.requests import Ref, ref_of
from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Listing, items
from whatsapp_operator.manifests import metadata, rbac
from whatsapp_operator.observed.state import Observed, Ownership, Pod, Problem, Session
from whatsapp_operator.session.applier import Applier
from whatsapp_session import names
from whatsapp_session.conditions import Reason

log = logging.getLogger(__name__)

Manifest = dict[str, Any]
ADOPT_SECONDS: Final = 10.0
"""Seconds to wait for the garbage collector, which usually acts at once. A later one sees the new owner,
because it checks again before it deletes."""
AGAIN_SECONDS: Final = 15.0
"""Seconds until the next check of a RoleBinding of an earlier version that a worker still needs."""


class Rights:
    """Apply ServiceAccounts, Roles and RoleBindings, and remember which are done."""

    def __init__(self, kube: Listing, applier: Applier, clock: Clock) -> None:
        self._kube = kube
        self._applier = applier
        self._clock = clock
        self._waits: dict[Ref, float] = {}
        """Times since which sessions have waited for the garbage collector."""
        self._granted: dict[tuple[str, str], str] = {}
        """UID of the pod of each session whose rights come from the session's Role."""
        self._old: dict[tuple[str, str | None], float] = {}
        """Time of the next check of the RoleBinding of a namespace and store; infinity if it grants none."""

    async def grant(self, observed: Observed, *, afresh: bool = False) -> Problem | None:
        """Apply the rights of the session's worker; returns why that must wait, None if it is done."""
        pod = _worker(observed)
        for manifest in rbac.access(observed.session, observed.store, pod):
            if not afresh and self._applier.trusted(manifest):
                continue
            if pod is None:
                # An existing pod was created after its account. Without one the garbage collector may still delete
                # objects of a deleted namesake, and could delete them right after they got a new owner.
                waits = await self._predecessors(observed.session, ref_of(manifest))
                if waits is not None:
                    return waits
            await self._applier.apply(manifest, afresh=True)
        if pod is not None:
            self._granted[observed.session.namespace, observed.session.name] = pod.uid
        return None

    async def _predecessors(self, session: Session, ref: Ref) -> Problem | None:
        if not self._applier.may_have_other_owner(ref, session.uid):
            self._waits.pop(ref, None)
            return None
        found = await self._kube.get(ref)
        if found is None or not metadata.others(found, session):
            self._waits.pop(ref, None)
            return None
        now = self._clock.monotonic()
        since = self._waits.setdefault(ref, now)
        if now - since < ADOPT_SECONDS or "deletionTimestamp" in found["metadata"]:
            return _waits(ref)
        return None

    def forget(self, namespace: str, session: str) -> None:
        """Forget a deleted session."""
        self._granted.pop((namespace, session), None)
        for kind in ("ServiceAccount", "Role", "RoleBinding"):
            self._waits.pop(Ref(kind, namespace, names.session_account(session)), None)

    async def retire(self, namespace: str, stores: Iterable[str | None] = ()) -> None:
        """Empty the RoleBindings of earlier versions in a namespace, once each worker has its own Role.

        They gave the workers of a store rights on all sessions of the namespace. ``stores`` are checked in addition.
        """
        for store in stores:
            self._old.setdefault((namespace, store), 0.0)
        now = self._clock.monotonic()
        for place, store in [key for key, due in self._old.items() if key[0] == namespace and due <= now]:
            try:
                over = await self._retired(place, store)
            except Refused as error:
                log.warning("rights not taken away: namespace=%s store=%s error=%s", place, store, error)
                over = False
            self._old[place, store] = float("inf") if over else now + AGAIN_SECONDS

    async def _retired(self, namespace: str, store: str | None) -> bool:
        binding = rbac.emptied(namespace, store)
        found = await self._kube.get(ref_of(binding))
        if found is None or not found.get("subjects"):
            return True
        if found["roleRef"] != binding["roleRef"]:
            return True  # foreign
        workers = {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_COMPONENT: names.COMPONENT_WORKER}
        for pod in await items(self._kube, "Pod", namespace, workers):
            uses = pod["spec"].get("serviceAccountName") == binding["metadata"]["name"]
            if uses and pod["metadata"]["uid"] not in self._granted.values():
                return False
        await self._kube.apply(binding, manager=names.OPERATOR_MANAGER)
        log.info("rights taken away: binding=%s/%s why='each worker has its own'", namespace, ref_of(binding).name)
        return True


def _worker(observed: Observed) -> Pod | None:
    pod = observed.pod
    return pod if pod is not None and pod.ownership is Ownership.OURS else None


def _waits(ref: Ref) -> Problem:
    text = f"the {ref.kind} {ref.name} of a deleted session of the same name is removed by the garbage collector first"
    return Problem(Reason.REPLACING, text)
