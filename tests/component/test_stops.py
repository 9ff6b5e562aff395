"""A stop at any moment of the start: the code of a stop, no traceback. One of a whole process group still saves."""

import contextlib
import os
import pathlib
import random
import shutil
import signal

import pytest

from component.workers import Home
from scenes.stops import SIGNALS, Start, assert_quiet, moments


def test_a_worker_that_is_stopped_while_it_starts_has_stopped(home: Home, chance: random.Random) -> None:
    remote = ["--auth", "remote", "--store", f"file:{home.store}", "--data-path", str(home.data)]
    arguments = [f"--browser-arg={argument}" for argument in home.simulator.browser_args()]
    command = ["whatsapp-worker", "run", *remote, "--events", "json", *arguments]
    home.root.mkdir()
    with contextlib.closing(Start.of(command, home.root / "log")) as first:
        whole = first.until(lambda said: '"AwaitingLink"' in said)
        assert first.stopped(signal.SIGINT, 0) == 0
    for number in SIGNALS:
        for moment in moments(chance, whole * 1.2):
            with contextlib.closing(Start.of(command, home.root / "log")) as start:
                assert start.stopped(number, moment) == 0, f"{number!r} after {moment:.2f} s: {start.said}"
                assert_quiet(start.said)
            home.wait_for_browsers_to_end()
            shutil.rmtree(home.data, ignore_errors=True)


@pytest.mark.parametrize(
    "command",
    [
        ["store", "check", "--store", "file:{}/store"],
        ["store", "purge", "--store", "file:{}/store"],
        ["store", "import", "--store", "file:{}/store"],
        ["store", "copy", "--from", "file:{}/store", "--to", "file:{}/other"],
        ["--version"],
    ],
    ids=["check", "purge", "import", "copy", "version"],
)
def test_a_command_that_is_stopped_says_so_by_its_exit_code(
    command: list[str], tmp_path: pathlib.Path, chance: random.Random
) -> None:
    line = ["whatsapp-worker", *(word.format(tmp_path) for word in command)]
    with contextlib.closing(Start.of(line, tmp_path / "log")) as first:
        whole = first.until(lambda _: False)
        own = first.process.returncode
    for number in SIGNALS:
        for moment in moments(chance, whole):
            with contextlib.closing(Start.of(line, tmp_path / "log")) as start:
                # Python gives signals back to the system at its very end; what ended by then has its own code.
                assert start.stopped(number, moment) in (128 + number, own, -number), start.said
                assert_quiet(start.said)


def test_a_stop_of_the_whole_process_group_saves_as_one_of_the_worker_does(home: Home) -> None:
    worker, device = home.linked()
    home.news(device, "a step of the ratchet")
    os.killpg(worker.process.pid, signal.SIGTERM)
    assert worker.exit_code() == 0
    assert worker.all("saved", trigger="Shutdown"), worker
    assert not worker.all("fault"), worker
    assert home.kinds()[-1] == "release"
