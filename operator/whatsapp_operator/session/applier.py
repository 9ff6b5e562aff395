"""Apply the objects of sessions (ServiceAccount, Role, RoleBinding, Lease), unless the API server has them already.

The operator lists these objects at its start and in each round of ``resync``, and remembers a digest of what it has
applied to each, by the object's ``managedFields``. A reconciliation compares its manifests with the digests: it sends
nothing if they are equal, also after a restart.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from whatsapp_kube import managed_fields
from whatsapp_kube.errors import Refused
from whatsapp_kube.requests import Ref, ref_of
from whatsapp_operator.kube import Listing
from whatsapp_session import names

log = logging.getLogger(__name__)

Manifest = dict[str, Any]
KINDS: Final = ("ServiceAccount", "Role", "RoleBinding", "Lease")
LABELS: Final = {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_COMPONENT: names.COMPONENT_WORKER}


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of an object."""

    digest: int
    """Digest of the fields that the operator has applied."""
    owners: tuple[str, ...]
    """UIDs of its owners."""
    deleting: bool
    number: int
    """Number of the last request of the ``Applier`` about it; a list does not replace what is newer than itself."""


class Applier:
    """Apply objects, and remember what the API server has."""

    def __init__(self, kube: Listing) -> None:
        self._kube = kube
        self._known: dict[Ref, _Known] = {}
        self._complete: set[str] = set()
        """Kinds of which all objects are known."""
        self._requests = 0

    def trusted(self, manifest: Manifest) -> bool:
        """Return whether the API server has exactly this, as far as is known."""
        known, digest = self._known.get(ref_of(manifest)), _digest(managed_fields.of_manifest(manifest))
        return known is not None and not known.deleting and known.digest == digest

    def may_have_other_owner(self, ref: Ref, uid: str) -> bool:
        """Return whether an object of this name may exist that belongs to another owner or is being deleted."""
        known = self._known.get(ref)
        if known is None:
            return ref.kind not in self._complete
        return known.deleting or (bool(known.owners) and uid not in known.owners)

    async def apply(self, manifest: Manifest, *, afresh: bool = False) -> Manifest | None:
        """Apply a manifest; returns the object, None if nothing was sent. ``afresh`` always sends."""
        if not afresh and self.trusted(manifest):
            return None
        found = await self._kube.apply(manifest, manager=names.OPERATOR_MANAGER)
        # Not of the answer: where admission changes a field each time, it would never be equal to the manifest.
        self._keep(ref_of(manifest), found, _digest(managed_fields.of_manifest(manifest)))
        return found

    async def read(self, ref: Ref) -> None:
        """Read one object, so that ``apply`` sends it again if it is not as it was applied."""
        found = await self._kube.get(ref)
        if found is None:
            self._known.pop(ref, None)
        else:
            self._keep(ref, found)

    async def list(self, namespaces: Sequence[str]) -> set[Ref]:
        """List all objects in these namespaces (none: all); returns those that are not as they were applied.

        Where the operator has no right to list, as with the roles of an earlier chart, it applies everything again.
        Raises KubeError for other errors.
        """
        changed: set[Ref] = set()
        for kind in KINDS:
            try:
                for namespace in namespaces or ("",):
                    changed |= await self._list(kind, namespace)
            except Refused as error:
                log.warning("all objects of the kind %s are applied again: %s", kind, error)
                self._complete.discard(kind)
                self._known = {ref: known for ref, known in self._known.items() if ref.kind != kind}
            else:
                self._complete.add(kind)
        return changed

    async def _list(self, kind: str, namespace: str) -> set[Ref]:
        started = self._requests
        before = {ref for ref in self._known if ref.kind == kind and namespace in ("", ref.namespace)}
        listed: set[Ref] = set()
        changed: set[Ref] = set()
        async for page in self._kube.pages(kind, namespace, LABELS):
            for item in page:
                ref = ref_of(item)
                listed.add(ref)
                known = self._known.get(ref)
                if known is not None and known.number > started:
                    continue
                self._keep(ref, item)
                if known is not None and known.digest != self._known[ref].digest:
                    changed.add(ref)
        for ref in before - listed:
            if self._known[ref].number <= started:
                del self._known[ref]
                changed.add(ref)
        return changed

    def _keep(self, ref: Ref, found: Mapping[str, Any], digest: int | None = None) -> None:
        self._requests += 1
        metadata = found["metadata"]
        self._known[ref] = _Known(
            _digest(managed_fields.applied(found, names.OPERATOR_MANAGER)) if digest is None else digest,
            tuple(owner["uid"] for owner in metadata.get("ownerReferences") or ()),
            "deletionTimestamp" in metadata,
            self._requests,
        )


def _digest(fields: Mapping[str, Any]) -> int:
    return hash(json.dumps(fields, sort_keys=True))
