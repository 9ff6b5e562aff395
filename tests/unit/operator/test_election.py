"""One of several operators leads, whatever is stopped, delayed or has a wrong clock."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.kube import FakeKube
from scenes.operator.cluster import run
from whatsapp_kube.errors import Conflict, Unreachable
from whatsapp_kube.requests import Ref
from whatsapp_operator import election, leadership
from whatsapp_operator.election import GIVE_UP_SECONDS, LEASE_SECONDS, RENEW_SECONDS
from whatsapp_operator.errors import LeadershipLost, OperatorError

LEASE = Ref("Lease", "operators", "whatsapp-session-operator")
LAPTOP = Ref("Lease", "default", "whatsapp-session-operator")
Manifest = dict[str, Any]


@dataclass
class Machine:
    """Operators on one API server; the monotonic clock is a test's, the wall clock is wrong."""

    kube: FakeKube = field(default_factory=FakeKube)
    time: float = 1000.0
    meanwhile: Callable[[], None] = lambda: None
    """What else happens while an operator sleeps."""

    def operator(self, name: str, lease: Ref = LEASE, namespaces: tuple[str, ...] = ()) -> leadership.Leadership:
        """Return an operator that lets time pass when it sleeps."""
        return leadership.Leadership(self.kube, election.Candidate(lease, name, namespaces), self, self.sleep)

    def now(self) -> datetime:
        """Return a time that decides nothing."""
        return datetime.fromtimestamp(-3 * self.time, UTC)

    def monotonic(self) -> float:
        """Return seconds."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds
        self.meanwhile()

    def down(self, down: bool) -> None:
        """Let the API server answer, or not."""

        def fail(_: int) -> None:
            raise Unreachable(0, "the API server does not answer")

        self.kube.before_call = fail if down else lambda _: None


def holder(machine: Machine, lease: Ref = LEASE) -> str:
    """Return who holds the Lease."""
    return election.held_by(machine.kube.objects[lease])


def test_one_leads_and_the_other_follows_when_it_no_longer_renews() -> None:
    machine = Machine()
    one, another = machine.operator("one"), machine.operator("another")
    run(one.acquire())
    assert one.leads()
    start = machine.time
    run(another.acquire())
    assert (one.leads(), another.leads(), holder(machine)) == (False, True, "another")
    assert machine.time - start <= LEASE_SECONDS + RENEW_SECONDS


def test_one_that_renews_leads_for_ever() -> None:
    machine = Machine()
    one, another = machine.operator("one"), machine.operator("another")
    run(one.acquire())
    for _ in range(100):
        run(machine.sleep(RENEW_SECONDS))
        run(one._try(takes=False))
        run(another._try())
        assert (one.leads(), another.leads()) == (True, False)
    assert machine.kube.objects[LEASE]["spec"]["leaseTransitions"] == 0


def test_one_that_leaves_lets_the_other_lead_at_once() -> None:
    machine = Machine()
    one, another = machine.operator("one"), machine.operator("another")
    run(one.acquire())
    run(one.release())
    start = machine.time
    run(another.acquire())
    assert machine.time == start
    run(one.release())
    assert holder(machine) == "another", "it takes nothing away that it does not have"


def test_an_outage_of_the_api_server_ends_nothing_but_the_requests() -> None:
    machine = Machine()
    one = machine.operator("one")
    run(one.acquire())
    seam = leadership.LeaderKube(machine.kube, one.leads)
    machine.down(True)
    for _ in range(90):
        run(machine.sleep(RENEW_SECONDS))
        run(one._try(takes=False))
    machine.down(False)
    with pytest.raises(Unreachable):
        run(seam.get(LEASE))
    run(one._try(takes=False))
    assert run(seam.get(LEASE)) is not None


def test_one_that_was_stopped_while_the_other_took_over_gives_up() -> None:
    machine = Machine()
    one, another = machine.operator("one"), machine.operator("another")
    run(one.acquire())
    run(another.acquire())
    run(another.release())
    with pytest.raises(LeadershipLost):
        run(one.keep())
    assert not one.leads()


STEPS = st.lists(st.tuples(st.sampled_from(["reads", "writes", "waits"]), st.integers(0, 2), st.floats(0.1, 12)))


@given(STEPS)
def test_never_two_lead_however_their_requests_are_delayed(steps: list[tuple[str, int, float]]) -> None:
    machine = Machine()
    candidates = [election.Candidate(LEASE, name) for name in ("a", "b", "c")]
    pending: list[tuple[election.Write, bool, float] | None] = [None] * len(candidates)
    for step, number, seconds in steps:
        candidate = candidates[number]
        match step:
            case "waits":
                machine.time += seconds
            case "reads":
                found = run(machine.kube.get(LEASE))
                decided = candidate.step(found, machine.time, "now")
                pending[number] = None if isinstance(decided, election.Wait) else (decided, found is None, machine.time)
            case _:
                write(machine, candidate, pending[number])
                pending[number] = None
        assert sum(one.leads(machine.time) for one in candidates) <= 1


def write(machine: Machine, candidate: election.Candidate, pending: tuple[election.Write, bool, float] | None) -> None:
    """Let a request arrive, long after it was sent."""
    if pending is None:
        return
    decided, creates, sent = pending
    try:
        if creates:
            run(machine.kube.create(decided.manifest))
        else:
            run(machine.kube.apply(decided.manifest, manager="any"))
    except Conflict:
        return
    candidate.wrote(sent)


@pytest.mark.parametrize(
    ("ours", "theirs", "lives", "refused"),
    [
        ((), (), True, True),
        ((), (), False, False),
        (("a", "b"), (), True, True),
        (("a", "b"), ("b", "c"), True, True),
        (("a", "b"), ("c",), True, False),
        ((), ("c",), True, True),
    ],
)
def test_an_operator_of_another_installation_is_refused_where_it_lives(
    ours: tuple[str, ...], theirs: tuple[str, ...], lives: bool, refused: bool
) -> None:
    machine = Machine()
    deployed, laptop = machine.operator("deployed", LEASE, theirs), machine.operator("laptop", LAPTOP, ours)
    run(deployed.acquire())
    run(laptop.acquire())
    if lives:
        machine.meanwhile = lambda: asyncio.run(renewed(deployed))
    if not refused:
        run(laptop.refuse_others())
        return
    with pytest.raises(OperatorError, match=r"deployed.*operators/whatsapp-session-operator.*--namespace"):
        run(laptop.refuse_others())


async def renewed(operator: leadership.Leadership) -> None:
    """Renew once."""
    await operator._try(takes=False)


def test_the_leadership_ends_before_another_can_begin() -> None:
    assert GIVE_UP_SECONDS < LEASE_SECONDS
    assert LEASE_SECONDS + 2 * RENEW_SECONDS < 15
