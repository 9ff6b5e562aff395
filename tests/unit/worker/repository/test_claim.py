"""A worker's claim and its release; requests are in tests of the core, races in `test_races`."""

import pathlib

import pytest

from scenes.worker.archives import Place
from whatsapp_worker import errors
from whatsapp_worker.core import operator_notes
from whatsapp_worker.repository import claim, fencing, records


def test_what_could_not_be_released_can_still_be_saved(tmp_path: pathlib.Path) -> None:
    place = Place(tmp_path)
    claimer = claim.Claimer(place.journal, place.store, claim.Asked())
    claimer.claim()

    def silent(verb: str, name: str) -> None:
        raise errors.StoreUnavailable("down")

    place.store.fail = silent
    with pytest.raises(errors.StoreUnavailable):
        claimer.release()
    place.store.fail = lambda verb, name: None
    assert place.publish().slot == place.journal.head


def test_a_log_that_moves_on_at_each_attempt_is_given_up(tmp_path: pathlib.Path) -> None:
    place = Place(tmp_path)
    others = [0]

    def faster(head: records.Record | None) -> claim.Terms:
        place.journal.append(records.Claim(60))
        others[0] += 1
        place.journal.head -= 1  # as another process that was faster
        return claim.Terms(fencing.ClaimEvidence())

    with pytest.raises(errors.StoreUnavailable):
        claim.claim(place.journal, place.store, faster)
    assert others[0] > 10


def test_nothing_is_claimed_under_a_lease_that_another_pod_may_have_taken(tmp_path: pathlib.Path) -> None:
    place, notes = Place(tmp_path), [operator_notes.Notes(expired=True)]
    before = place.journal.newest()
    claimer = claim.Claimer(place.journal, place.store, claim.Asked(lambda: notes[-1]))
    with pytest.raises(errors.LeaseExpired):
        claimer.claim()
    assert place.journal.newest() == before
    notes.append(operator_notes.Notes())
    assert claimer.claim().record.slot == place.journal.head
