"""A model of who may run a session: claim, Lease, freeze and publish, small enough to visit every state.

Two pods, ``A`` and ``B``, one Lease, one log. Time passes in ticks. Whatever a pod can do, it may also not do: so a
network that is cut, a process that hangs and an answer that is late are all in the model. Only the watchdog is prompt:
no tick passes while a freeze is due. A read of the log has three moments (sent, seen by the store, answered), between
which anything can happen.

The protocol is a set of rules. ``Rules`` leaves one out, to show that the search then finds what goes wrong.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

P: Final = 2
"""Ticks after which a browser without a witness is frozen."""
WAIT: Final = P + 1
"""Ticks that a new owner waits after its claim: P, and a margin."""
EXPIRED: Final = 2
"""Ticks after which a Lease that has not moved may be taken."""


class Phase(StrEnum):
    """What a pod does."""

    GONE = "gone"
    STARTING = "starting"
    LEASED = "leased"
    """It holds the Lease, and has not claimed."""
    WAITING = "waiting"
    RUNNING = "running"
    FROZEN = "frozen"


ALIVE: Final = (Phase.RUNNING, Phase.FROZEN)


@dataclass(frozen=True, slots=True)
class Read:
    """A read of the log that is on its way."""

    age: int = 0
    newer: bool | None = None
    """Whether the store saw a newer claim; None if the request has not arrived."""


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod; ages are ticks, at most P."""

    phase: Phase = Phase.GONE
    renewed: int = P
    """Since the last successful renewal of the Lease was sent."""
    read: int = P
    """Since the last successful read of the log was sent."""
    left: int = 0
    """Ticks left to wait after the claim."""
    pending: Read | None = None


@dataclass(frozen=True, slots=True)
class World:
    """One state of everything."""

    pods: tuple[Pod, Pod]
    holder: int | None = 0
    """Who holds the Lease."""
    unmoved: int = 0
    """Ticks since the Lease was written."""
    head: int = 0
    """Who has the newest claim in the log."""
    released: bool = False
    """Whether a release follows that claim."""
    forced: int | None = None
    """The pod that the operator has force-deleted last."""
    missed: bool = False
    """Whether A renewed its Lease after the newest claim, which is not its own: the written exception. An owner that
    renews its Lease and cannot reach the store misses a foreign take-over."""


START: Final = World((Pod(Phase.RUNNING, 0, 0), Pod()))


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of the protocol; each can be left out."""

    lease_before_claim: bool = True
    claim_needs_a_fresh_lease: bool = True
    wait_after_claim: bool = True
    freeze_without_witness: bool = True
    one_witness_is_enough: bool = True
    count_from_before_the_request: bool = True
    newer_claim_ends: bool = True
    publish_is_fenced: bool = True
    forced_is_not_terminated: bool = True
    claim_before_launch: bool = True
    prompt_watchdog: bool = True
    expired_lease_may_be_taken: bool = True
    foreign: bool = False
    """Whether B is in another cluster, and takes over because a person said so: it has no part in the Lease."""


class Broken(Exception):  # noqa: N818  what the search is for
    """A promise was broken; the message says which."""


@dataclass(slots=True)
class Model:
    """The states that can be reached under some rules."""

    rules: Rules = field(default_factory=Rules)

    def search(self) -> set[World]:
        """Visit every state that can be reached; raises Broken with the way to the first that breaks a promise."""
        came: dict[World, tuple[World, str] | None] = {START: None}
        waiting = deque([START])
        while waiting:
            world = waiting.popleft()
            for name, after in self.steps(world):
                if after in came:
                    continue
                came[after] = world, name
                waiting.append(after)
                if self._both_run(after):
                    raise Broken(f"two browsers run: {_way(came, after)}")
        return set(came)

    def _both_run(self, world: World) -> bool:
        first, second = world.pods
        if not first.phase is second.phase is Phase.RUNNING:
            return False
        return not (self.rules.foreign and world.missed)

    def steps(self, world: World) -> Iterator[tuple[str, World]]:
        """Yield everything that can happen next."""
        for who in (0, 1):
            yield from ((f"{'AB'[who]} {name}", after) for name, after in self.acts(world, who))
        if world.holder is not None and world.unmoved >= EXPIRED:
            yield "the operator force-deletes the holder's pod", replace(world, holder=None, forced=world.holder)
        if not (self.rules.prompt_watchdog and any(map(self._freeze_due, world.pods))):
            yield "a tick", tick(world)

    def acts(self, world: World, who: int) -> Iterator[tuple[str, World]]:
        """Yield everything that one pod, or its watchdog, can do."""
        pod = world.pods[who]
        match pod.phase:
            case Phase.GONE:
                yield "starts", _with(world, who, Pod(Phase.STARTING))
            case Phase.STARTING:
                yield from self._take_lease(world, who)
                foreign = self.rules.foreign and who == 1
                if not self.rules.lease_before_claim or foreign:
                    if not foreign and world.holder not in (None, who) and world.unmoved < EXPIRED:
                        raise Broken("a stray worker fences a healthy one")
                    yield "claims", self._claimed(world, who)
            case Phase.LEASED:
                yield from self._renews(world, who)
                if pod.renewed < P or not self.rules.claim_needs_a_fresh_lease:
                    yield "claims", self._claimed(world, who)
                if world.holder != who or pod.renewed >= P:
                    yield "starts over", _with(world, who, Pod(Phase.STARTING))
                if not self.rules.claim_before_launch:
                    yield "launches", _with(world, who, replace(pod, phase=Phase.RUNNING))
            case Phase.WAITING:
                yield from self._renews(world, who)
                if pod.left == 0 and world.head == who:
                    yield "launches", _with(world, who, replace(pod, phase=Phase.RUNNING, read=0))
                if world.head != who:
                    yield "sees a newer claim", _with(world, who, Pod())
            case _:
                yield from self._owns(world, who)

    def _take_lease(self, world: World, who: int) -> Iterator[tuple[str, World]]:
        expired = world.unmoved >= EXPIRED and self.rules.expired_lease_may_be_taken
        if world.holder in (None, who) or expired:
            leased = _with(world, who, Pod(Phase.LEASED, renewed=0))
            yield "takes the Lease", replace(leased, holder=who, unmoved=0)

    def _claimed(self, world: World, who: int) -> World:
        before = world.pods[world.head]
        ended = world.head == who or world.released or before.phase is Phase.GONE
        if not self.rules.forced_is_not_terminated and world.forced == world.head:
            ended = True
        left = 0 if ended or not self.rules.wait_after_claim else WAIT
        pod = replace(world.pods[who], phase=Phase.WAITING, left=left, read=0)
        return replace(_with(world, who, pod), head=who, released=False, missed=world.missed and world.head == who)

    def _owns(self, world: World, who: int) -> Iterator[tuple[str, World]]:
        pod = world.pods[who]
        yield from self._renews(world, who)
        yield from self._reads(world, who, pod)
        if pod.phase is Phase.RUNNING:
            if self._freeze_due(pod):
                if min(pod.renewed, pod.read) < P:
                    raise Broken("a running owner is frozen while one witness answers")
                yield "is frozen", _with(world, who, replace(pod, phase=Phase.FROZEN))
            self._publish(world, who)
            stopped = replace(_with(world, who, Pod()), released=world.released or world.head == who)
            yield "stops", stopped
        yield "is killed", _with(world, who, Pod())

    def _renews(self, world: World, who: int) -> Iterator[tuple[str, World]]:
        if world.holder == who:
            pod = world.pods[who]
            phase = Phase.RUNNING if pod.phase is Phase.FROZEN else pod.phase
            renewed = _with(world, who, replace(pod, phase=phase, renewed=0))
            missed = world.missed or (self.rules.foreign and world.head != who)
            yield "renews the Lease", replace(renewed, unmoved=0, missed=missed)

    def _reads(self, world: World, who: int, pod: Pod) -> Iterator[tuple[str, World]]:
        match pod.pending:
            case None:
                yield "asks for the log", _with(world, who, replace(pod, pending=Read()))
            case Read(age, None):
                arrived = Read(age, world.head != who)
                yield "is heard by the store", _with(world, who, replace(pod, pending=arrived))
            case Read(age, newer):
                counted = age if self.rules.count_from_before_the_request else 0
                if newer and self.rules.newer_claim_ends:
                    yield "is superseded", _with(world, who, Pod())
                else:
                    phase = Phase.RUNNING if counted < P else pod.phase
                    seen = replace(pod, phase=phase, read=min(pod.read, counted), pending=None)
                    yield "reads the log", _with(world, who, seen)

    def _publish(self, world: World, who: int) -> None:
        if world.head != who and not self.rules.publish_is_fenced:
            raise Broken("a save is published over the new owner's claim")

    def _freeze_due(self, pod: Pod) -> bool:
        if pod.phase is not Phase.RUNNING or not self.rules.freeze_without_witness:
            return False
        silent = (pod.renewed >= P, pod.read >= P)
        return all(silent) if self.rules.one_witness_is_enough else any(silent)


def tick(world: World) -> World:
    """Let time pass; ages beyond what matters are not told apart."""
    pods = tuple(
        replace(
            pod,
            renewed=min(P, pod.renewed + 1),
            read=min(P, pod.read + 1),
            left=max(0, pod.left - 1),
            pending=None if pod.pending is None else replace(pod.pending, age=min(P, pod.pending.age + 1)),
        )
        for pod in world.pods
    )
    first, second = pods
    return replace(world, pods=(first, second), unmoved=min(EXPIRED, world.unmoved + 1))


def _with(world: World, who: int, pod: Pod) -> World:
    first, second = world.pods
    return replace(world, pods=(pod, second) if who == 0 else (first, pod))


def _way(came: dict[World, tuple[World, str] | None], end: World) -> str:
    steps: list[str] = []
    at = came[end]
    while at is not None:
        steps.append(at[1])
        at = came[at[0]]
    return "; ".join(reversed(steps))
