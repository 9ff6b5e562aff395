"""Every state of the ownership model keeps the promises of the protocol; without any one rule one of them breaks."""

from dataclasses import replace

import pytest

from scenes.ownership_model import ALIVE, Broken, Model, Phase, Rules, World, tick

LATEST = 12
"""Ticks and steps within which a new owner runs: an expired Lease, a claim, a wait."""


def test_never_do_two_browsers_run_nor_is_a_save_published_by_an_owner_of_yesterday() -> None:
    reached = Model().search()
    assert len(reached) > 1000
    phases = {tuple(pod.phase for pod in world.pods) for world in reached}
    assert (Phase.FROZEN, Phase.RUNNING) in phases, "B runs while A stands still"
    assert (Phase.RUNNING, Phase.WAITING) in phases, "A runs while B waits"


def test_a_foreign_take_over_is_safe_but_for_the_written_exception() -> None:
    reached = Model(Rules(foreign=True)).search()
    both = [world for world in reached if all(pod.phase is Phase.RUNNING for pod in world.pods)]
    assert both, "an owner that cannot reach the store misses it"
    assert all(world.missed for world in both)


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("lease_before_claim", "a stray worker fences a healthy one"),
        ("claim_needs_a_fresh_lease", "two browsers run"),
        ("wait_after_claim", "two browsers run"),
        ("freeze_without_witness", "two browsers run"),
        ("one_witness_is_enough", "a running owner is frozen while one witness answers"),
        ("count_from_before_the_request", "two browsers run"),
        ("newer_claim_ends", "two browsers run"),
        ("publish_is_fenced", "a save is published over the new owner's claim"),
        ("forced_is_not_terminated", "two browsers run"),
        ("claim_before_launch", "two browsers run"),
        ("prompt_watchdog", "two browsers run"),
    ],
)
def test_without_any_one_rule_a_promise_breaks(rule: str, what: str) -> None:
    with pytest.raises(Broken, match=what):
        Model(replace(Rules(), **{rule: False})).search()


def comes_up(model: Model, world: World) -> bool:
    """Return whether B runs in the end if both witnesses answer it, and A does nothing any more."""
    for _ in range(LATEST):
        if world.pods[1].phase is Phase.RUNNING:
            return True
        useful = ("takes the Lease", "claims", "launches", "sees a newer claim", "starts", "starts over")
        found = [after for name, after in model.acts(world, 1) if name in useful]
        frozen = [after for name, after in model.acts(world, 0) if name == "is frozen"]
        world = (frozen or found or [tick(world)])[0]
    return world.pods[1].phase is Phase.RUNNING


def test_a_new_owner_runs_as_soon_as_both_witnesses_answer() -> None:
    model = Model()
    for world in model.search():
        if world.pods[1].phase not in ALIVE:
            assert comes_up(model, world), world


def test_a_lease_that_may_not_be_taken_keeps_a_new_owner_out() -> None:
    model = Model(Rules(expired_lease_may_be_taken=False))
    stuck = [world for world in model.search() if world.pods[1].phase is Phase.STARTING and not comes_up(model, world)]
    assert stuck
