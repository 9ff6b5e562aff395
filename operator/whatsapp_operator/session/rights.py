"""Give each worker the rights that it needs on its own session, and end those that earlier versions gave to many."""

import logging
from collections.abc import Iterable
from typing import Any, Final

from whatsapp_kube.errors import Refused
from whatsapp_kube.requests import Ref, ref_of
from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Listing
from whatsapp_operator.manifests import metadata, rbac
from whatsapp_operator.observed.state import Observed, Ownership, Pod, Problem, Session
from whatsapp_operator.session.applier import Applier
from whatsapp_session import names
from whatsapp_session.conditions import Reason

log = logging.getLogger(__name__)

Manifest = dict[str, Any]
ADOPT_SECONDS: Final = 10.0
"""So long the garbage collector is waited for, which acts within moments. If it comes later, it sees the new owner,
because it looks once more before it deletes."""
AGAIN_SECONDS: Final = 15.0
"""How soon a binding of an earlier version is looked at again that some worker still needs."""


class Rights:
    """Accounts, Roles and bindings, as far as they were seen to."""

    def __init__(self, kube: Listing, applier: Applier, clock: Clock) -> None:
        self._kube = kube
        self._applier = applier
        self._clock = clock
        self._waits: dict[Ref, float] = {}
        """Since when the garbage collector is waited for."""
        self._granted: dict[tuple[str, str], str] = {}
        """UID of the pod of each session that has its rights by the session's Role."""
        self._old: dict[tuple[str, str | None], float] = {}
        """When to look again at the binding of a namespace and store; infinity when it grants nothing any more."""

    async def grant(self, observed: Observed, *, afresh: bool = False) -> Problem | None:
        """See to what the session's worker needs; returns why that must wait, None if it need not."""
        pod = _worker(observed)
        for manifest in rbac.access(observed.session, observed.store, pod):
            if not afresh and self._applier.trusted(manifest):
                continue
            if pod is None:
                # A pod that is there was made after its account. Else the garbage collector may be about to delete what
                # a session of the same name has left, and might delete it just after it has got a new owner.
                waits = await self._predecessors(observed.session, ref_of(manifest))
                if waits is not None:
                    return waits
            await self._applier.apply(manifest, afresh=True)
        if pod is not None:
            self._granted[observed.session.namespace, observed.session.name] = pod.uid
        return None

    async def _predecessors(self, session: Session, ref: Ref) -> Problem | None:
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
        """Forget what was made for a session that is gone."""
        self._granted.pop((namespace, session), None)
        for kind in ("ServiceAccount", "Role", "RoleBinding"):
            ref = Ref(kind, namespace, names.session_account(session))
            self._applier.forget(ref)
            self._waits.pop(ref, None)

    async def retire(self, namespace: str, stores: Iterable[str | None] = ()) -> None:
        """Empty the bindings of earlier versions in a namespace, once each worker has its rights by its own Role.

        They let the workers of a store reach every session of the namespace. ``stores`` adds to what is looked at.
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
            return True  # somebody else's
        workers = {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_COMPONENT: names.COMPONENT_WORKER}
        for pod in await self._kube.items("Pod", namespace, workers):
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
