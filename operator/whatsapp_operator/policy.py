"""Look whether the admission policy is in force without which workers get no rights."""

from typing import Any, Final

from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Kube, Ref
from whatsapp_session import names

Manifest = dict[str, Any]

TRUSTED_SECONDS: Final = 15.0
"""How long a policy that was in force is trusted without looking; rights outlive it for about this long."""
MISSED_SECONDS: Final = 5.0
"""How long one that was not is not looked for again: all sessions ask at once then."""


class Policy:
    """The policy as it was seen last."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube
        self._clock = clock
        self._seen: tuple[float, bool] | None = None

    async def in_force(self, *, afresh: bool = False) -> bool:
        """Return whether policy and binding are there and deny; ``afresh`` asks the API server in any case."""
        now = self._clock.monotonic()
        if self._seen is not None and not afresh:
            then, force = self._seen
            if now - then < (TRUSTED_SECONDS if force else MISSED_SECONDS):
                return force
        policy = await self._kube.get(Ref("ValidatingAdmissionPolicy", "", names.POLICY_NAME))
        binding = await self._kube.get(Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME))
        force = policy is not None and binding is not None and _denies(policy, binding)
        self._seen = now, force
        return force


def _denies(policy: Manifest, binding: Manifest) -> bool:
    spec = binding["spec"]
    return (
        policy["spec"].get("failurePolicy") == "Fail"
        and spec.get("policyName") == names.POLICY_NAME
        and "Deny" in spec.get("validationActions", ())
        and "matchResources" not in spec
    )
