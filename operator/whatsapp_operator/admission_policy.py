"""Look whether the admission policy is in force that says what of its own session a worker may write."""

from enum import StrEnum
from typing import Any, Final

from whatsapp_kube.errors import Refused
from whatsapp_kube.requests import Ref
from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Kube
from whatsapp_session import names

Manifest = dict[str, Any]

TRUSTED_SECONDS: Final = 15.0
"""How long a policy that was in force is trusted without looking."""
MISSED_SECONDS: Final = 5.0
"""How long one that was not is not looked for again: all sessions ask at once then."""


class AdmissionPolicy(StrEnum):
    """Whether a worker may start without the policy."""

    REQUIRED = "Required"
    UNCHECKED = "Unchecked"


class Policy:
    """The policy as it was seen last."""

    def __init__(self, kube: Kube, clock: Clock, *, required: bool = True) -> None:
        self.required = required
        self._kube = kube
        self._clock = clock
        self._seen: tuple[float, bool] | None = None
        self._told = {True}
        """What sessions were told since all of them were told the same."""

    @property
    def missing(self) -> bool:
        """Whether it was not in force when it was looked at last."""
        return self._seen is not None and not self._seen[1]

    async def in_force(self, namespace: str, *, afresh: bool = False) -> bool:
        """Return whether policy and binding deny in a namespace; ``afresh`` asks the API server in any case."""
        now = self._clock.monotonic()
        if self._seen is None or afresh or now - self._seen[0] >= (MISSED_SECONDS if self.missing else TRUSTED_SECONDS):
            self._seen = now, await self._look()
            self._told.add(self._seen[1])
        return self._seen[1] and namespace not in names.UNCOVERED_NAMESPACES

    async def news(self) -> bool:
        """Ask the API server; returns whether some session was told otherwise, so that all must be looked at."""
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
            return False  # what may not be looked at is not known to be there
        return policy is not None and binding is not None and _denies(policy, binding)


def _denies(policy: Manifest, binding: Manifest) -> bool:
    spec, rules = binding["spec"], policy["spec"]
    conditions = rules.get("matchConditions") or ()
    return (
        rules.get("failurePolicy") == "Fail"
        # An earlier version's knows only the accounts that workers shared.
        and all(names.SESSION_ACCOUNT_PREFIX in item["expression"] for item in conditions)
        and spec.get("policyName") == names.POLICY_NAME
        and "Deny" in spec.get("validationActions", ())
        and "matchResources" not in spec
    )
