"""A writer is killed at every step of claim, publish and copy: no save is lost, and the store mends itself."""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from component.stores.conftest import MakePlace, Place
from component.stores.writing import SESSION, Writer
from whatsapp_worker import stores
from whatsapp_worker.stores import filesystem, mongo, registry, s3

TESTS = pathlib.Path(__file__).parents[2]
SOAK = os.environ.get("WSO_SOAK")
STRIDE = 3
"""A short run kills at every third step on a server, which one of three is a matter of the run's seed."""
AFTER = 1_000_000
"""Number of the writer that comes after the crash, so that it is nobody's successor."""


class Victims:
    """The process that forks the writers."""

    def __init__(self, place: Place, folder: pathlib.Path, size: int) -> None:
        self._size = size
        secrets = str(place.settings.secrets) if place.settings.secrets else "-"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "component.stores.killed", place.address, secrets, str(folder)],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def kill_at(self, step: int) -> str:
        """Let a writer die at a step; returns "killed", or "ended STEPS"."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(step, step, self._size, file=self._process.stdin, flush=True)
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(60)


@contextlib.contextmanager
def victims(place: Place, folder: pathlib.Path, size: int) -> Iterator[Victims]:
    made = Victims(place, folder, size)
    try:
        yield made
    finally:
        made.close()


def steps(kind: str, seed: int) -> Iterator[int]:
    """Return the steps to die at."""
    if kind == "filesystem" or SOAK:
        return itertools.count(1)
    return itertools.count(1 + seed % STRIDE, STRIDE)


def leftovers(store: stores.Backend) -> list[str]:
    """Return what the store holds that no name shows: temporary files, uploads in parts, chunks and notes of them."""
    if isinstance(store, filesystem.FilesystemStore):
        helpers = (f".{SESSION}.zip.sources", f".{SESSION}.zip.lock")
        return [path.name for path in store.directory.rglob(".*") if path.is_file() and path.name not in helpers]
    if isinstance(store, s3.S3Store):
        where = {"Prefix": store.where.prefix}
        uploads = store._server.ask("uploads", "list_multipart_uploads", **where).get("Uploads", ())
        objects = store._server.ask("objects", "list_objects_v2", **where)["Contents"]
        shown = tuple(store.where.key(f"{SESSION}{path}") for path in ("/log/", "/archives/", ".zip"))
        return [each["Key"] for each in (*uploads, *(one for one in objects if not one["Key"].startswith(shown)))]
    assert isinstance(store, mongo.MongoStore)
    db = store._server.database()
    named = [found["upload"] for found in db["whatsapp_names"].find({"upload": {"$exists": True}})]
    files = [found["_id"] for found in db[f"whatsapp-{SESSION}.files"].find({})]
    chunks = [found["_id"] for found in db["whatsapp_chunks"].find({}, {"_id": 1})]
    return [
        *(each for each in chunks if each.partition("/")[0] not in named),
        *(str(each) for each in db[f"whatsapp-{SESSION}.chunks"].distinct("files_id") if each not in files),
        *(f"note {found['name']}" for found in db["whatsapp_uploads"].find({})),
    ]


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("filesystem", 2_000_000),
        ("s3", 2_000_000),
        ("mongodb", 2_000_000),
        pytest.param("s3", 40_000_000, marks=pytest.mark.soak),
    ],
)
def test_a_writer_killed_at_any_step_costs_nothing_that_was_saved(
    make_place: MakePlace, tmp_path: pathlib.Path, seed: int, kind: str, size: int
) -> None:
    place = make_place(kind)
    folder = tmp_path / "writers"
    folder.mkdir()
    store = registry.open_store(place.address, place.settings)
    first = Writer(store, AFTER, folder)
    first.claim()
    saved = first.publish(b"saved before")
    before = (saved.number, b"saved before")
    with victims(place, folder, size) as killer:
        for step in steps(kind, seed):
            said = killer.kill_at(step)
            if said.startswith("ended"):
                break
            assert said == "killed", said
            before = mended(store, step, folder, before)
    assert step > 15, "there were steps to die at"


def mended(store: stores.Backend, step: int, folder: pathlib.Path, before: tuple[int, bytes]) -> tuple[int, bytes]:
    """See that a start after the crash finds what was saved, and leaves the store in order; returns what is saved."""
    after = Writer(store, AFTER + step, folder)
    after.claim()
    generation, content = after.restore()
    if content != before[1]:
        assert int.from_bytes(content[:4], "big") == step, "only the victim's own save may have come between"
        assert generation.number == before[0] + 1
    else:
        assert generation.number == before[0]
    after.kept.sweep()
    assert after.orphans() == [], f"step {step}"
    assert after.copy.follow(generation, edge=True) is None
    after.copy_matches(generation)
    assert leftovers(store) == [], f"step {step}"
    goes_on = after.publish(f"after {step}".encode())
    return goes_on.number, f"after {step}".encode()
