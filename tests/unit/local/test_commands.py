"""Other programs: the real ones, and the fake that stands for them, keep the same contract."""

import pytest

from deploy.local.commands import SYSTEM, Commands
from deploy.local.errors import LocalClusterError
from fakes.commands import FakeCommands

BOTH = pytest.mark.parametrize("commands", [SYSTEM, FakeCommands()], ids=["real", "fake"])


@BOTH
def test_a_program_that_is_not_installed_is_not_found_and_fails(commands: Commands) -> None:
    assert commands.find("no-such-program") is None
    assert not commands.succeeds(["no-such-program", "info"])
    with pytest.raises(LocalClusterError, match=r"^listing nodes failed: .*no-such-program"):
        commands.output(["no-such-program", "ps"], "listing nodes")


def test_a_program_that_does_not_end_in_time_has_not_succeeded() -> None:
    assert not SYSTEM.succeeds(["sleep", "60"], timeout=0.1)
    assert SYSTEM.succeeds(["true"])


def test_a_program_gets_input_and_environment_and_its_output_is_returned() -> None:
    command = ["sh", "-c", "cat; printf %s $MARK"]
    assert SYSTEM.output(command, "printing", "input ", {"MARK": "mark"}) == "input mark"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo out; echo error >&2; exit 3", "building failed: error"),
        ("echo out; exit 3", "building failed: out"),
        ("exit 3", "building failed: exit code 3"),
    ],
)
def test_a_failure_is_explained_by_what_the_program_printed_last(script: str, message: str) -> None:
    with pytest.raises(LocalClusterError) as error:
        SYSTEM.output(["sh", "-c", script], "building")
    assert str(error.value) == message
