"""Operator and plug-in: a stop at any moment of the start ends with the code of a stop, and never with a traceback."""

import contextlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from functional.conftest import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE
from functional.world import World
from scenes.stops import HAS_ENDED, SIGNALS, Start, assert_quiet, moments

Reached = Callable[[str], bool]


@pytest.mark.parametrize(
    ("command", "reached", "as_asked"),
    [
        (["whatsapp-operator", "run", "--worker-image=worker:1"], lambda said: "started:" in said, True),
        (["whatsapp-operator", "release-finalizers"], lambda said: HAS_ENDED in said, False),
        (["kubectl-whatsapp", "list", "-A"], lambda said: HAS_ENDED in said, False),
    ],
    ids=["operator", "finalizers", "plug-in"],
)
def test_a_command_that_is_stopped_while_it_starts_says_so_by_its_exit_code(
    world: World, tmp_path: Path, command: list[str], reached: Reached, as_asked: bool
) -> None:
    file = world.kubeconfig(tmp_path, world.token(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT))
    line = [*command, f"--kubeconfig={file}"]
    with contextlib.closing(Start.of(line, tmp_path / "log")) as first:
        whole = first.until(reached)
    chance = random.Random(f"{os.environ.get('WSO_SEED', '1')} {command}")
    for number in SIGNALS:
        for moment in moments(chance, whole * 1.2):
            with contextlib.closing(Start.of(line, tmp_path / "log")) as start:
                # Python gives signals back to the system at its very end; what ended by then has its own code.
                usual = (0,) if as_asked else (128 + number, 0, 1, -number)
                assert start.stopped(number, moment) in usual, f"{number!r} after {moment:.2f} s: {start.said}"
                assert_quiet(start.said)
