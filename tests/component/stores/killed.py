"""A writer's process that is killed at a chosen step of claim, sweep, publish and copy.

``python -m component.stores.killed ADDRESS SECRETS FOLDER`` reads ``STEP NUMBER SIZE`` a line and forks a writer for
each, which dies by SIGKILL at that step; it answers ``killed`` or, when the writer had fewer steps, ``ended STEPS``. A
step is the beginning or the end of a call to the store, or one of the first, a middle and the last chunk of an upload.
"""

from __future__ import annotations

import datetime
import os
import pathlib
import signal
import sys
from collections.abc import Iterable, Iterator

from component.stores.writing import Writer
from whatsapp_worker import stores
from whatsapp_worker.stores import registry

CHUNKS_THAT_COUNT = frozenset({0, 1, 40, 41})


class Killing:
    """A store that kills its process at step ``at``; it has what the real one has."""

    visibility = 0.0

    def __init__(self, real: stores.Backend, at: int) -> None:
        assert isinstance(real, stores.Copies)
        self._real = real
        self._copies: stores.Copies = real
        self._at = at
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    def create(self, name: str, content: Iterable[bytes]) -> None:
        self.step()
        self._real.create(name, self._counted(content))
        self.step()

    def _counted(self, content: Iterable[bytes]) -> Iterator[bytes]:
        for number, chunk in enumerate(content):
            if number in CHUNKS_THAT_COUNT:
                self.step()
            yield chunk
        self.step()

    def read(self, name: str) -> Iterator[bytes]:
        self.step()
        return self._real.read(name)

    def list(self, prefix: str) -> Iterator[stores.Entry]:
        self.step()
        return self._real.list(prefix)

    def delete(self, name: str) -> None:
        self.step()
        self._real.delete(name)
        self.step()

    def sweep(self, prefix: str) -> None:
        self.step()
        if isinstance(self._real, stores.Sweeps):
            self._real.sweep(prefix)
        self.step()

    def stat_copy(self, session: str) -> stores.Copy | None:
        self.step()
        return self._copies.stat_copy(session)

    def put_copy(
        self, name: str, session: str, uploaded: datetime.datetime, replaces: stores.Copy | None
    ) -> stores.Copy:
        self.step()
        made = self._copies.put_copy(name, session, uploaded, replaces)
        self.step()
        return made

    def read_copy(self, session: str) -> Iterator[bytes]:
        return self._copies.read_copy(session)

    def delete_copy(self, session: str) -> None:
        self._copies.delete_copy(session)


def live(store: stores.Backend, at: int, number: int, folder: pathlib.Path, size: int) -> int:
    """Be the writer; returns how many steps it had."""
    killing = Killing(store, at)
    writer = Writer(killing, number, folder)
    writer.claim()
    writer.kept.sweep()
    writer.publish(content(number, size))
    return killing.steps


def content(number: int, size: int) -> bytes:
    """Return what writer ``number`` saves: bytes that do not compress."""
    return number.to_bytes(4, "big") + os.urandom(size)


def main() -> None:
    """Fork a writer a line."""
    address, secrets, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    settings = stores.Settings(pathlib.Path(secrets) if secrets != "-" else None)
    registry.open_store(address, settings)  # what it imports is there for all; no connection is made
    for line in sys.stdin:
        at, number, size = (int(word) for word in line.split())
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            steps = live(registry.open_store(address, settings), at, number, folder, size)
            os.write(writing, str(steps).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as stream:
            said = stream.read()
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if killed else f"ended {said}" if said else f"failed {status}", flush=True)


if __name__ == "__main__":
    main()
