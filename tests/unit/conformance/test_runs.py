"""A scenario in which the library's process dies by its own fault is tried again, and the table says so."""

import pathlib

import pytest

from conformance import peer, scenarios
from conformance.scenarios import Observation


def place(attempt: int) -> peer.Place:
    return peer.Place(pathlib.Path(), "", pathlib.Path(str(attempt)))


def dies(times: int) -> list[str]:
    """Run a scenario that dies so often first; returns its words and the places it was run in."""
    seen: list[str] = []

    def run(where: peer.Place) -> Observation:
        seen.append(str(where.directory))
        if len(seen) <= times:
            raise peer.DiedError("gone")
        return Observation("fine", {})

    return [scenarios.persistently(run, place).words, *seen]


def test_each_attempt_has_a_place_of_its_own_and_the_deaths_are_told() -> None:
    assert dies(0) == ["fine", "1"]
    assert dies(2) == ["fine (after it had died or hung 2x)", "1", "2", "3"]
    with pytest.raises(peer.DiedError):
        dies(3)


def test_what_is_wrong_otherwise_is_not_tried_again() -> None:
    def run(_: peer.Place) -> Observation:
        raise peer.SilentError("no qr")

    with pytest.raises(peer.SilentError):
        scenarios.persistently(run, place)
