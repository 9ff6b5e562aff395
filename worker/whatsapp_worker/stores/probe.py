"""Look whether a store does what the worker relies on: who wins, what is read, listed and deleted. Calls block."""

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Sequence

from whatsapp_session import early_stop
from whatsapp_worker import errors, stores
from whatsapp_worker.stores import filesystem, four_verbs

ROUNDS = 3
WRITERS = 4
Say = Callable[[str], None]


def check(store: stores.Backend, say: Say, allow_unfenced: bool = False) -> None:
    """Probe the store in a folder of this check's own, which is removed; ``say`` is told a line for each probe.

    Raises StoreUnfenced if several writers win one name and nobody accepted that, StoreUnavailable for anything else
    that is wrong.
    """
    folder = f"check-{secrets.token_hex(8)}"
    if isinstance(store, four_verbs.UnfencedStore):
        _told(say, "save, extract, delete", lambda: store.probe(folder))
        say("create: not exclusive, accepted by allowUnfenced")
        return
    try:
        _probe(store, folder, say, allow_unfenced)
    finally:
        if isinstance(store, filesystem.FilesystemStore):
            store.remove_folder(folder)


def _probe(store: stores.Store, folder: str, say: Say, allow_unfenced: bool) -> None:
    try:
        _told(say, "create", lambda: _create(store, folder, allow_unfenced))
        _told(say, "read", lambda: _read(store, folder))
        _told(say, "list", lambda: _list(store, folder))
        _told(say, "delete", lambda: _delete(store, folder))
    except (errors.WorkerError, early_stop.Stopped):
        _tidy(store, folder)
        raise


def _told(say: Say, what: str, probe: Callable[[], str]) -> None:
    begun = time.monotonic()
    found = probe()
    say(f"{what}: {found} ({(time.monotonic() - begun) * 1000:.0f} ms)")


def _create(store: stores.Store, folder: str, allow_unfenced: bool) -> str:
    names = [f"{folder}/{number}" for number in range(ROUNDS)]
    most = max(len(race(store, name, [_content(name)] * WRITERS)) for name in names)
    if most == 1:
        return f"exclusive, one of {WRITERS} writers won in each of {ROUNDS} rounds"
    if most == 0:
        raise errors.StoreUnavailable("no writer could create a name in the store")
    if not allow_unfenced:
        raise errors.StoreUnfenced(
            f"{most} of {WRITERS} writers won the same name, so two workers could run one session: "
            "use another store, or accept it with allowUnfenced"
        )
    return f"not exclusive ({most} of {WRITERS} writers won), accepted by allowUnfenced"


def race(store: stores.Store, name: str, contents: Sequence[bytes]) -> list[int]:
    """Let a thread for each content create one name at once; return the positions of who won.

    Raises what went wrong besides AlreadyExists.
    """
    won: list[int] = []
    failed: list[Exception] = []
    start = threading.Barrier(len(contents))

    def write(me: int) -> None:
        start.wait()
        try:
            store.create(name, [contents[me]])
            won.append(me)
        except errors.AlreadyExists:
            pass
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(me,)) for me in range(len(contents))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return won


def _content(name: str) -> bytes:
    return f"written by whatsapp-worker store check: {name}".encode()


def _read(store: stores.Store, folder: str) -> str:
    name = f"{folder}/0"
    try:
        whole = b"".join(store.read(name))
    except errors.NotFound:
        raise errors.StoreUnavailable("the store does not return what the check wrote") from None
    if whole != _content(name):
        raise errors.StoreUnavailable("the store returned other bytes than the check wrote")
    return "what was written before is read"


def _list(store: stores.Store, folder: str) -> str:
    wanted = [stores.Entry(f"{folder}/{number}", len(_content(f"{folder}/{number}"))) for number in range(ROUNDS)]
    found = list(store.list(f"{folder}/"))
    if found != wanted:
        raise errors.StoreUnavailable(f"the store lists {len(found)} of {len(wanted)} names, or wrong sizes")
    return f"{len(found)} names with their sizes"


def _delete(store: stores.Store, folder: str) -> str:
    for number in range(ROUNDS):
        store.delete(f"{folder}/{number}")
    try:
        store.read(f"{folder}/0")
    except errors.NotFound:
        return "what was deleted is gone"
    raise errors.StoreUnavailable("the store still returns what the check deleted")


def _tidy(store: stores.Store, folder: str) -> None:
    with contextlib.suppress(errors.WorkerError):  # what went wrong first is told
        for number in range(ROUNDS):
            store.delete(f"{folder}/{number}")
