"""Whatever writers do, and whatever answers are lost: nobody publishes after another's claim."""

import contextlib
import itertools
from collections.abc import Iterable

from hypothesis import example, given
from hypothesis import strategies as st

from whatsapp_worker import errors
from whatsapp_worker.repository import log, records
from whatsapp_worker.stores import memory

WRITERS = 3
FAULTS = ("none", "lost request", "lost answer", "lost answer and silence", "late request")
LANDINGS = (0, 1, 2, 3, 4)
"""Before which call of a step a late request arrives, 0 for none of them."""


class LateStore(memory.MemoryStore):
    """A store whose network holds a request back and delivers it when everybody has given it up."""

    def __init__(self) -> None:
        super().__init__()
        self.late = False
        self._held: dict[str, bytes] = {}

    def create(self, name: str, content: Iterable[bytes]) -> None:
        if self.late:
            self.late = False
            self._held[name] = b"".join(content)
            raise errors.StoreUnavailable("no answer in time")
        super().create(name, content)

    def newest_writer(self) -> int:
        """Return the number of the writer of the newest record."""
        name = max(name for name in self.contents if "/log/" in name)
        return records.decode(self.contents[name], name).owner.pid

    def land_at(self, call: int) -> None:
        """Deliver what is held back before this call of the next ones, whatever else fails then."""
        calls = itertools.count(1)
        before = self.fail

        def fail(verb: str, name: str) -> None:
            if next(calls) == call:
                self.contents = self._held | self.contents  # one whose name was taken meanwhile changes nothing
                self._held.clear()
            before(verb, name)

        self.fail = fail


class Writer:
    """One worker: it claims, then publishes until it is told that it is superseded."""

    def __init__(self, store: memory.MemoryStore, number: int) -> None:
        nonces = itertools.count()
        ids = log.Ids(nonce=lambda: f"{number}-{next(nonces)}")
        self.journal = log.SessionLog(store, "RemoteAuth", records.Owner(host=f"host-{number}", pid=number), ids)
        self.number = number
        self.believes = False

    def claim(self) -> None:
        self.journal.newest()
        self.believes = False
        self.journal.append(records.Claim(60))
        self.believes = True

    def look(self) -> None:
        """Ask as a running worker does now and then."""
        if self.believes and not self.journal.still_head():
            raise errors.Superseded("a later record stands there")

    def publish(self) -> bool:
        """Return whether the store's answer lets this writer say that it is saved."""
        if not self.believes:
            return False
        self.journal.settle()
        number = self.journal.last_number() + 1
        archive = f"RemoteAuth/archives/{number:08d}-{self.number}.zip"
        self.journal.append(records.Generation(number, archive, "d", 1, "c", "b", "w", f"h{self.number}", "t", "u"))
        return self.journal.still_head()


def fail_next(store: memory.MemoryStore, fault: str) -> None:
    def before(verb: str, name: str) -> None:
        if verb == "create" and fault == "lost request":
            store.fail = lambda verb, name: None
            raise errors.StoreUnavailable("the request was lost")

    def silent(verb: str, name: str) -> None:
        store.fail = lambda verb, name: None
        raise errors.StoreUnavailable("silence")

    def after(verb: str, name: str) -> None:
        store.after = lambda verb, name: None
        if fault == "lost answer and silence":
            store.fail = silent
        if fault.startswith("lost answer"):
            raise errors.StoreUnavailable("the answer was lost")

    store.fail, store.after = before, after


STEPS = st.lists(
    st.tuples(
        st.integers(0, WRITERS - 1),
        st.sampled_from(["claim", "publish", "look"]),
        st.sampled_from(FAULTS),
        st.sampled_from(LANDINGS),
    ),
    max_size=40,
)


def landing(at: int) -> list[tuple[int, str, str, int]]:
    return [(0, "claim", "none", 0), (0, "publish", "late request", 0), (0, "publish", "none", at)]


@given(STEPS)
@example([*landing(0)[:2], (0, "look", "none", 1), (0, "publish", "none", 0)])
@example([*landing(0)[:2], (0, "look", "none", 2)])
@example(landing(2))
@example(landing(3))
@example(landing(4))
def test_every_generation_is_of_the_newest_claims_writer(steps: list[tuple[int, str, str, int]]) -> None:
    store = LateStore()
    writers = [Writer(store, number) for number in range(WRITERS)]
    said_saved: list[tuple[int, int]] = []
    for who, what, fault, landing in steps:
        writer = writers[who]
        fail_next(store, fault)
        store.late = fault == "late request"
        store.land_at(landing)
        try:
            if what == "claim":
                writer.claim()
            elif what == "look":
                writer.look()
            elif writer.publish():
                said_saved.append((who, writer.journal.head))
        except errors.Superseded:
            assert store.newest_writer() != who, f"writer {who} fenced itself"
            writer.believes = False
        except errors.StoreUnavailable:
            pass
        store.fail = store.after = lambda verb, name: None
    check(store, said_saved)


def check(store: memory.MemoryStore, said_saved: list[tuple[int, int]]) -> None:
    reader = log.SessionLog(store, "RemoteAuth", records.Owner(host="reader"))
    with contextlib.suppress(StopIteration):
        reader.newest()
    found = list(reader.back(reader.head))[::-1]
    assert [record.slot for record in found] == list(range(1, len(found) + 1)), "no hole"
    claimer, numbers = None, []
    for record in found:
        match record.body:
            case records.Claim():
                claimer = record.owner
            case records.Generation(number):
                assert record.owner == claimer, f"slot {record.slot} was published past another's claim"
                numbers.append(number)
            case _:
                raise AssertionError("nothing else was written")
    assert numbers == list(range(1, len(numbers) + 1)), "numbers go up by one"
    for who, slot in said_saved:
        record = found[slot - 1]
        assert isinstance(record.body, records.Generation)
        assert record.owner.pid == who, "what was said to be saved stands in the log"
