"""Apply desired objects, unless the same was applied recently."""

from typing import Any, Final

from whatsapp_kube.requests import Ref, ref_of
from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Kube
from whatsapp_session import names

Manifest = dict[str, Any]
CHECK_AGAIN_SECONDS: Final = 540.0
"""Seconds during which an applied object is not applied again; less than the period of ``resync``."""


class Applier:
    """Remember which objects were applied, and when."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube
        self._clock = clock
        self._applied: dict[Ref, tuple[float, Manifest]] = {}

    def trusted(self, manifest: Manifest) -> bool:
        """Return whether exactly this manifest was applied recently."""
        then, before = self._applied.get(ref_of(manifest), (0.0, None))
        return before == manifest and self._clock.monotonic() - then < CHECK_AGAIN_SECONDS

    async def apply(self, manifest: Manifest, *, afresh: bool = False) -> Manifest | None:
        """Apply a manifest; returns the object, None if nothing was sent. ``afresh`` always sends."""
        if not afresh and self.trusted(manifest):
            return None
        found = await self._kube.apply(manifest, manager=names.OPERATOR_MANAGER)
        self._applied[ref_of(manifest)] = (self._clock.monotonic(), manifest)
        return found

    def forget(self, ref: Ref) -> None:
        """Forget the objects that were applied under a name."""
        self._applied.pop(ref, None)
