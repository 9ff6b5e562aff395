"""Whatever specification the API server takes: no traceback, never without a condition, and it can be deleted."""

import itertools
import json
import logging
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from functional.callers import ApiError, wait
from functional.conftest import Operator
from functional.world import World, session_manifest
from scenes.odd_specs import Maker
from whatsapp_session import names

Manifest = dict[str, Any]
COUNT = 500 if os.environ.get("WSO_SOAK") else 40
SEED = int(os.environ.get("WSO_SEED", "1"))
NAMESPACES = 4
KINDS = (names.SESSION_KIND, names.STORE_KIND)
PATIENCE = 120.0


@dataclass
class Heard(logging.Handler):
    """What the operator logged that only a mistake of its own explains."""

    mistakes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep errors and tracebacks."""
        if record.exc_info is not None or record.levelno >= logging.ERROR:
            self.mistakes.append(self.format(record))

    __hash__ = logging.Handler.__hash__


@contextmanager
def listening() -> Iterator[Heard]:
    """Hear what is logged meanwhile."""
    heard = Heard()
    logging.getLogger().addHandler(heard)
    try:
        yield heard
    finally:
        logging.getLogger().removeHandler(heard)


class Crowd:
    """Odd sessions and stores in a few namespaces; what the API server refuses is no part of it."""

    def __init__(self, world: World, seed: int) -> None:
        self.seed = seed
        self._chance = random.Random(seed)
        self._maker = Maker(self._chance)
        self.places = [world.namespace() for _ in range(NAMESPACES)]
        for place in self.places:
            place.store("archive", s3={"bucket": "archives"})
        self.specs: dict[tuple[str, str, str], Manifest] = {}
        self.refusals: list[str] = []

    def make(self, count: int) -> None:
        """Create objects until the API server has taken so many."""
        for number in itertools.count():
            if len(self.specs) == count:
                return
            assert number < 10 * count, f"the API server takes enough to show something: {self.refusals[-5:]}"
            kind, place = self._chance.choice((KINDS[0], KINDS[0], KINDS[1])), self._chance.choice(self.places)
            name = "default" if kind == KINDS[1] and number < NAMESPACES * 6 else f"odd-{number}"
            manifest = session_manifest(place.name, name, self._maker.spec(kind)) | {"kind": kind}
            manifest["metadata"] |= self._maker.metadata()
            if self._taken(lambda: place.admin.create(manifest)):  # noqa: B023  called at once
                self.specs[kind, place.name, name] = manifest["spec"]

    def change(self) -> None:
        """Change every third object again."""
        for (kind, namespace, name), spec in self.specs.items():
            if self._chance.random() < 0.3:
                self._maker.change(kind, spec)
                self._taken(lambda: self.places[0].admin.merge(kind, namespace, name, {"spec": spec}))  # noqa: B023

    def _taken(self, request: Any) -> bool:
        try:
            request()
        except ApiError as error:
            if error.status not in (400, 403, 409, 422):
                raise
            self.refusals.append(error.message)
            return False
        return True

    def there(self) -> dict[tuple[str, str, str], Manifest]:
        """Return the objects that are there."""
        found = {}
        for place in self.places:
            for kind in KINDS:
                for item in place.admin.items(kind, place.name):
                    found[kind, place.name, item["metadata"]["name"]] = item
        return found

    def silent(self) -> dict[tuple[str, str, str], Any]:
        """Return the objects that have no conditions for what is specified now."""
        return {key: item.get("spec") for key, item in self.there().items() if not _is_judged(item)}

    def delete(self) -> None:
        """Delete all, in any order."""
        keys = list(self.there())
        self._chance.shuffle(keys)
        for kind, namespace, name in keys:
            self.places[0].admin.delete(kind, namespace, name)

    def release(self) -> None:
        """Do what the conditions say of sessions that wait for a purge, which nothing here carries out."""
        for (kind, namespace, name), item in self.there().items():
            if kind == names.SESSION_KIND and names.FINALIZER_PURGE in item["metadata"].get("finalizers", ()):
                skip = {names.request_annotation("skip-purge"): item["metadata"]["deletionTimestamp"]}
                self.places[0].admin.merge(kind, namespace, name, {"metadata": {"annotations": skip}})


def _is_judged(item: Manifest) -> bool:
    status = item.get("status") or {}
    ready = [found for found in status.get("conditions") or () if found["type"] == "Ready" and found["message"]]
    return bool(ready) and status.get("observedGeneration") == item["metadata"]["generation"]


@pytest.fixture
def crowd(world: World) -> Iterator[Crowd]:
    """A crowd, whose pods and sessions go with the test."""
    print(f"seed: {SEED} (WSO_SEED={SEED} repeats this run)")
    made = Crowd(world, SEED)
    yield made
    for place in made.places:
        place.empty()


def test_odd_specifications_cost_no_traceback_and_all_have_conditions_and_go(crowd: Crowd, start: Operator) -> None:
    def shown(what: str) -> str:
        return f"seed {crowd.seed}: {what}: {json.dumps({'/'.join(key): spec for key, spec in crowd.silent().items()})}"

    with listening() as heard, start():
        crowd.make(COUNT)
        wait(lambda: not crowd.silent(), lambda: shown("no conditions"), PATIENCE)
        crowd.change()
        wait(lambda: not crowd.silent(), lambda: shown("no conditions after a change"), PATIENCE)
        crowd.delete()
        crowd.release()
        wait(lambda: not crowd.there(), lambda: f"seed {crowd.seed}: {sorted(crowd.there())} to go", PATIENCE)
    assert not heard.mistakes, f"seed {crowd.seed}: {heard.mistakes[0]}"
