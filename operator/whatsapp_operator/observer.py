"""Read everything that a decision about one session rests on."""

from typing import Any

from whatsapp_operator import purging
from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Kube, Ref
from whatsapp_operator.observed import Observed, Pod, Session, Store
from whatsapp_operator.parsing import parse_pod, parse_purge_pod, parse_session_resource, parse_store_resource
from whatsapp_session import names

Manifest = dict[str, Any]
POLICY_CHECK_SECONDS = 30.0
"""How long a policy that was in force is trusted without looking."""


class Observer:
    """Look at a session, its pod, its store and the admission policy."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube
        self._clock = clock
        self._policy_seen: float | None = None

    async def observe(self, raw: Manifest) -> Observed:
        """Return the observation for a session as the API server returned it. Raises SpecError."""
        session = parse_session_resource(raw)
        found = await self._kube.get(Ref("Pod", session.namespace, names.pod(session.name)))
        pod = None if found is None else parse_pod(found, session.name, session.uid)
        purge_pod = await self._purge_pod(session)
        policy = pod is not None or session.deleting or await self._policy_in_force()
        return Observed(session, pod, await self._store(session), policy=policy, purge_pod=purge_pod)

    async def _purge_pod(self, session: Session) -> Pod | None:
        if not (session.deleting and purging.held(session)):
            return None
        found = await self._kube.get(Ref("Pod", session.namespace, names.purge_pod(session.name)))
        return None if found is None else parse_purge_pod(found, session.name, session.uid)

    async def _store(self, session: Session) -> Store | None:
        remote = session.spec.auth.remote
        if remote is None:
            return None
        raw = await self._kube.get(Ref(names.STORE_KIND, session.namespace, remote.store))
        return None if raw is None else parse_store_resource(raw)

    async def _policy_in_force(self) -> bool:
        now = self._clock.monotonic()
        if self._policy_seen is not None and now - self._policy_seen < POLICY_CHECK_SECONDS:
            return True
        policy = await self._kube.get(Ref("ValidatingAdmissionPolicy", "", names.POLICY_NAME))
        binding = await self._kube.get(Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME))
        force = policy is not None and binding is not None and _denies(policy, binding)
        self._policy_seen = now if force else None
        return force


def _denies(policy: Manifest, binding: Manifest) -> bool:
    spec = binding["spec"]
    return (
        policy["spec"].get("failurePolicy") == "Fail"
        and spec.get("policyName") == names.POLICY_NAME
        and "Deny" in spec.get("validationActions", ())
        and "matchResources" not in spec
    )
