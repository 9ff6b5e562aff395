"""Apply what is wanted, unless it was applied a while ago and nothing of it has changed since."""

from typing import Any, Final

from whatsapp_kube.requests import Ref, ref_of
from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Kube
from whatsapp_session import names

Manifest = dict[str, Any]
CHECK_AGAIN_SECONDS: Final = 540.0
"""How long what was applied is trusted without looking: less than the time between two looks of ``resync``."""


class Applier:
    """Remember what was applied, and when."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube
        self._clock = clock
        self._applied: dict[Ref, tuple[float, Manifest]] = {}

    def trusted(self, manifest: Manifest) -> bool:
        """Return whether exactly this was applied a while ago."""
        then, before = self._applied.get(ref_of(manifest), (0.0, None))
        return before == manifest and self._clock.monotonic() - then < CHECK_AGAIN_SECONDS

    async def apply(self, manifest: Manifest, *, afresh: bool = False) -> Manifest | None:
        """Apply; returns what is there now, None if nothing was sent. ``afresh`` sends in any case."""
        if not afresh and self.trusted(manifest):
            return None
        found = await self._kube.apply(manifest, manager=names.OPERATOR_MANAGER)
        self._applied[ref_of(manifest)] = (self._clock.monotonic(), manifest)
        return found

    def forget(self, ref: Ref) -> None:
        """Forget what was applied under a name."""
        self._applied.pop(ref, None)
