"""Parse the Lease and the Node of a worker that may no longer run. Input never makes it raise.

A Lease has expired when its last renewal is older than its duration, by the API server's clock alone: the server
writes the time of the renewal into ``managedFields``, and its answers bear the present time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from whatsapp_session import timestamps
from whatsapp_session.untrusted import integer, mapping, mappings, sequence, text

MARGIN_SECONDS: Final = 2.0
"""Added to a Lease's duration, because both times are whole seconds."""
DURATION_SECONDS: Final = 60
"""Duration of a Lease that has none."""
OUT_OF_SERVICE: Final = "node.kubernetes.io/out-of-service"
"""Taint by which a person or a controller declares that nothing runs on a node any more."""
_UNREACHABLE: Final = "node.kubernetes.io/unreachable"


class NodeHealth(Enum):
    """What the API server knows of a node."""

    ANSWERS = auto()
    """Its kubelet reports, so it ends the containers of deleted pods."""
    UNREACHABLE = auto()
    """Its kubelet has not reported for a while; its containers may still run."""
    GONE = auto()
    """Its Node object does not exist."""
    OUT_OF_SERVICE = auto()
    """It bears the taint out-of-service."""

    @property
    def lost(self) -> bool:
        """Whether nobody ends the containers of the node's deleted pods."""
        return self is not NodeHealth.ANSWERS

    @property
    def off(self) -> bool:
        """Whether a person or a controller has declared that nothing runs there any more."""
        return self in (NodeHealth.GONE, NodeHealth.OUT_OF_SERVICE)


@dataclass(frozen=True, slots=True)
class HeldLease:
    """Who holds a Lease, and for how many more seconds if it is not renewed."""

    holder: str
    seconds_left: float

    @property
    def expired(self) -> bool:
        """Whether nobody holds it, or its holder has not renewed it in time."""
        return self.holder == "" or self.seconds_left <= 0.0


@dataclass(frozen=True, slots=True)
class WorkerContact:
    """The result of a check whether a worker still runs."""

    lease: HeldLease
    node: NodeHealth = NodeHealth.ANSWERS
    """Only read after the Lease has expired."""
    pinned_by: str | None = None
    """Name of a PVC of the pod that one node at a time may use; only read of a lost node."""


def held_lease(raw: Mapping[str, Any] | None, now: float) -> HeldLease:
    """Parse a Lease, None if it does not exist, at a time (seconds since the epoch) of the API server."""
    spec = mapping(mapping(raw).get("spec"))
    duration = max(1, integer(spec.get("leaseDurationSeconds"), DURATION_SECONDS))
    renewed = _renewed(mapping(raw), spec)
    return HeldLease(text(spec.get("holderIdentity")), renewed + duration + MARGIN_SECONDS - now)


def _renewed(raw: Mapping[str, Any], spec: Mapping[str, Any]) -> float:
    """Return when the API server took the newest renewal; without its record, what the holder wrote."""
    entries = mappings(mapping(raw.get("metadata")).get("managedFields"))
    written = [entry for entry in entries if "f:renewTime" in mapping(mapping(entry.get("fieldsV1")).get("f:spec"))]
    read = [timestamps.seconds(entry.get("time")) for entry in written]
    times = [time for time in read if time is not None]
    return max(times) if times else timestamps.seconds(spec.get("renewTime")) or 0.0


def node_health(raw: Mapping[str, Any] | None) -> NodeHealth:
    """Parse a Node, None if it does not exist."""
    if raw is None:
        return NodeHealth.GONE
    taints = {text(taint.get("key")) for taint in mappings(mapping(raw.get("spec")).get("taints"))}
    if OUT_OF_SERVICE in taints:
        return NodeHealth.OUT_OF_SERVICE
    conditions = mappings(mapping(raw.get("status")).get("conditions"))
    unheard = any(item.get("type") == "Ready" and item.get("status") == "Unknown" for item in conditions)
    return NodeHealth.UNREACHABLE if unheard or _UNREACHABLE in taints else NodeHealth.ANSWERS


def pinned_by(pvcs: Iterable[tuple[str, Mapping[str, Any] | None]]) -> str | None:
    """Return the first of these PVCs that one node at a time may use, None if there is none.

    A PVC that cannot be read counts as one.
    """
    for name, raw in pvcs:
        modes = set(map(text, sequence(mapping(mapping(raw).get("spec")).get("accessModes"))))
        if not modes & {"ReadWriteMany", "ReadOnlyMany"}:
            return name
    return None
