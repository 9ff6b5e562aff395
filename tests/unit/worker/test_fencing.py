"""Whatever writers do, and whatever answers are lost: nobody publishes after another's claim."""

import contextlib
import itertools

from hypothesis import given
from hypothesis import strategies as st

from whatsapp_worker import errors, log, records
from whatsapp_worker.stores import memory

WRITERS = 3
FAULTS = ("none", "lost request", "lost answer", "lost answer and silence")


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
    st.tuples(st.integers(0, WRITERS - 1), st.sampled_from(["claim", "publish"]), st.sampled_from(FAULTS)), max_size=40
)


@given(STEPS)
def test_every_generation_is_of_the_newest_claims_writer(steps: list[tuple[int, str, str]]) -> None:
    store = memory.MemoryStore()
    writers = [Writer(store, number) for number in range(WRITERS)]
    said_saved: list[tuple[int, int]] = []
    for who, what, fault in steps:
        writer = writers[who]
        fail_next(store, fault)
        try:
            if what == "claim":
                writer.claim()
            elif writer.publish():
                said_saved.append((who, writer.journal.head))
        except errors.Superseded:
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
