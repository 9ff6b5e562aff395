"""Elect the operator that leads, by a Lease. Pure: time is an argument; ``leadership`` sends the requests.

* A candidate takes a Lease that nobody holds, or that has not changed for ``LEASE_SECONDS`` since it first saw this
  version. It never compares the times in the Lease with a clock, so wrong clocks do not matter.
* The leader renews every ``RENEW_SECONDS``. It leads until ``GIVE_UP_SECONDS`` after it *sent* its last successful
  renewal. This ends before another candidate can take the Lease, also if the leader was stopped meanwhile.
* Each write requires the version that was seen, so that only one of several candidates succeeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from whatsapp_kube.requests import Manifest, Ref
from whatsapp_session import names
from whatsapp_session.untrusted import integer, mapping, text

LEASE_SECONDS: Final = 10.0
RENEW_SECONDS: Final = 2.0
GIVE_UP_SECONDS: Final = 6.0
COMPONENT: Final = "operator"
SCOPE: Final = f"{names.GROUP}/watch-namespaces"
"""Annotation of the Lease: the namespaces that its operators serve, separated by commas; empty for all."""


@dataclass(frozen=True, slots=True)
class Write:
    """A Lease to create (without a resource version) or to update."""

    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Wait:
    """Another operator leads."""

    holder: str


@dataclass(slots=True)
class Candidate:
    """One operator in an election."""

    lease: Ref
    identity: str
    namespaces: tuple[str, ...] = ()
    _until: float | None = None
    """When its leadership ends, None if it does not lead."""
    _seen: tuple[str, float] | None = None
    """The version of the Lease that was seen last, and when it was first seen."""

    def leads(self, now: float) -> bool:
        """Return whether it leads."""
        return self._until is not None and now < self._until

    def step(self, found: Mapping[str, Any] | None, now: float, stamp: str) -> Write | Wait:
        """Return what to do about the Lease as it was just read; ``stamp`` is the time for people."""
        if found is None:
            self._seen = None
            return Write(self._manifest(None, stamp))
        version, holder = text(mapping(found.get("metadata")).get("resourceVersion")), held_by(found)
        if self._seen is None or self._seen[0] != version:
            self._seen = version, now
        if holder in ("", self.identity) or now - self._seen[1] >= LEASE_SECONDS:
            return Write(self._manifest(found, stamp))
        self._until = None
        return Wait(holder)

    def wrote(self, sent: float) -> None:
        """Record that the Lease was written by a request that was sent at this time."""
        self._until = sent + GIVE_UP_SECONDS

    def released(self, stamp: str) -> Manifest:
        """Give up leading; returns the Lease that says so."""
        self._until = None
        return self._body({"holderIdentity": "", "renewTime": stamp}, None)

    def _manifest(self, found: Mapping[str, Any] | None, stamp: str) -> Manifest:
        spec = mapping(None if found is None else found.get("spec"))
        own = held_by(found or {}) == self.identity
        changes = integer(spec.get("leaseTransitions"))
        written = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(LEASE_SECONDS),
            "acquireTime": text(spec.get("acquireTime")) if own else stamp,
            "renewTime": stamp,
            "leaseTransitions": changes if own or found is None else changes + 1,
        }
        return self._body(written, None if found is None else found["metadata"]["resourceVersion"])

    def _body(self, spec: Manifest, version: str | None) -> Manifest:
        labels = {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_COMPONENT: COMPONENT}
        metadata: Manifest = {"name": self.lease.name, "namespace": self.lease.namespace, "labels": labels}
        metadata["annotations"] = {SCOPE: ",".join(self.namespaces)}
        if version is not None:
            metadata["resourceVersion"] = version
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def held_by(found: Mapping[str, Any]) -> str:
    """Return the identity of the holder of a Lease, "" if nobody holds it."""
    return text(mapping(found.get("spec")).get("holderIdentity"))


def overlaps(found: Mapping[str, Any], namespaces: tuple[str, ...]) -> bool:
    """Return whether the operators of a Lease serve one of these namespaces (none: all)."""
    scope = text(mapping(mapping(found.get("metadata")).get("annotations")).get(SCOPE))
    theirs = {name for name in scope.split(",") if name}
    return not theirs or not namespaces or bool(theirs & set(namespaces))
