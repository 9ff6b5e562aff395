"""Check whether the admission policy, which limits what a worker may write, is in force."""

from enum import StrEnum
from typing import Any, Final

from whatsapp_kube.errors import Refused
from whatsapp_kube.requests import Ref
from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Kube
from whatsapp_session import names

Manifest = dict[str, Any]

TRUSTED_SECONDS: Final = 15.0
"""Seconds during which a policy that was in force is not checked again."""
MISSED_SECONDS: Final = 5.0
"""Seconds during which a missing policy is not checked again, because then all sessions ask at once."""


class AdmissionPolicy(StrEnum):
    """Whether a worker may start without the policy."""

    REQUIRED = "Required"
    UNCHECKED = "Unchecked"


class Policy:
    """The last known state of the policy."""

    def __init__(self, kube: Kube, clock: Clock, *, required: bool = True) -> None:
        self.required = required
        self._kube = kube
        self._clock = clock
        self._seen: tuple[float, bool] | None = None
        self._told = {True}
        """Answers given to sessions since all of them were last reconciled."""

    @property
    def missing(self) -> bool:
        """Whether it was not in force at the last check."""
        return self._seen is not None and not self._seen[1]

    async def in_force(self, namespace: str, *, afresh: bool = False) -> bool:
        """Return whether policy and binding apply to a namespace; ``afresh`` always asks the API server."""
        now = self._clock.monotonic()
        if self._seen is None or afresh or now - self._seen[0] >= (MISSED_SECONDS if self.missing else TRUSTED_SECONDS):
            self._seen = now, await self._look()
            self._told.add(self._seen[1])
        return self._seen[1] and namespace not in names.UNCOVERED_NAMESPACES

    async def news(self) -> bool:
        """Ask the API server; returns whether the answer changed, so that all sessions must be reconciled."""
        force = await self.in_force("", afresh=True)
        changed, self._told = self._told != {force}, {force}
        return changed

    async def _look(self) -> bool:
        try:
            policy = await self._kube.get(Ref("ValidatingAdmissionPolicy", "", names.POLICY_NAME))
            binding = await self._kube.get(Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME))
        except Refused:
            if self.required:
                raise
            return False  # without the right to read it, the policy counts as missing
        return policy is not None and binding is not None and _denies(policy, binding)


def _denies(policy: Manifest, binding: Manifest) -> bool:
    spec, rules = binding["spec"], policy["spec"]
    conditions = rules.get("matchConditions") or ()
    return (
        rules.get("failurePolicy") == "Fail"
        # The policy of an earlier version only applies to shared accounts.
        and all(names.SESSION_ACCOUNT_PREFIX in item["expression"] for item in conditions)
        and spec.get("policyName") == names.POLICY_NAME
        and "Deny" in spec.get("validationActions", ())
        and "matchResources" not in spec
    )
