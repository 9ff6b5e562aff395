"""However the demo ends, the processes that it started end with it, and one sentence says why."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.demo import __main__, local_demo, prefetch
from deploy.demo.console import Console, DemoError
from deploy.local.__main__ import main
from deploy.local.build import images
from deploy.local.errors import LocalClusterError
from deploy.local.native import processes
from simulator import client

NOBODY = client.Admin("http://127.0.0.1:9")
SLEEPS = "import time; time.sleep(600)"


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the file in which a worker that says nothing writes its pid."""
    program = tmp_path / "whatsapp-worker"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    return tmp_path / "pid"


def ended(pid: Path) -> bool:
    """Return whether the worker was started and runs no longer."""
    return processes.start_time(int(pid.read_text())) is None


def started(pid: Path) -> bool:
    """Wait for the worker's pid; return whether it runs."""
    processes.wait(lambda: pid.exists() and bool(pid.read_text()), 20, lambda: "the worker's start")
    return not ended(pid)


@pytest.mark.parametrize("error", [KeyboardInterrupt, DemoError, client.RefusedError(409, "gone", "no such code")])
def test_a_worker_ends_with_the_step_that_waits_for_its_code(
    silent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException | type[BaseException]
) -> None:
    def wait_for(self: local_demo.Worker, event: str, **fields: str) -> None:
        assert started(silent)
        raise error

    monkeypatch.setattr(local_demo.Worker, "wait_for", wait_for)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        local_demo.LocalDemo(Console(io.StringIO()))._steps(tmp_path, NOBODY, [])
    assert ended(silent)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (KeyboardInterrupt(), 130, "interrupted; "),
        (DemoError("waited 90 s without success for qr"), 1, "the demo failed: waited 90 s without success for qr"),
        (client.RefusedError(409, "gone", "no such code"), 1, "the demo failed: gone: no such code"),
        (client.WaitedInVainError("waited 30 s for a device"), 1, "the demo failed: waited 30 s for a device"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_line_says_how_the_demo_ended(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    sentence: str,
) -> None:
    def run(self: local_demo.LocalDemo) -> None:
        raise error

    monkeypatch.setattr(local_demo.LocalDemo, "run", run)
    assert __main__.main(["try"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(sentence)


def test_what_is_being_built_for_part_2_ends_with_part_1(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    builder = f"import os, subprocess, sys; open({str(pid)!r}, 'w').write(str(os.getpid())); {SLEEPS}"
    command = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {builder!r}])"]
    with prefetch.Prefetch(command):
        assert started(pid)
    processes.wait(lambda: ended(pid), 20, lambda: "the builder's end")


def test_a_builder_that_ignores_its_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "GRACE_SECONDS", 0.1)
    pid = tmp_path / "pid"
    command = ["sh", "-c", f"trap '' TERM; echo $$ > {pid}; while :; do sleep 1; done"]
    with prefetch.Prefetch(command):
        assert started(pid)
    assert ended(pid)


def test_the_sentence_of_a_preparation_that_failed_is_told() -> None:
    command = ["sh", "-c", "echo Building etcd failed.; exit 1"]
    with (
        prefetch.Prefetch(command) as preparation,
        pytest.raises(LocalClusterError, match=r"^Building etcd failed\.$"),
    ):
        preparation.wait()
    with prefetch.Prefetch(["true"]) as preparation:
        preparation.wait()


def test_a_preparation_says_its_failure_on_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def directory(store: object, tool: str) -> Path:
        raise LocalClusterError(f"Building {tool} failed.")

    monkeypatch.setattr(prefetch.binaries, "directory", directory)
    monkeypatch.setattr(prefetch.signal, "signal", lambda number, handler: None)
    assert prefetch.main() == 1
    assert capsys.readouterr().out == "Building kubernetes failed.\n"


@pytest.mark.parametrize(
    ("main", "line"),
    [(__main__.main, ["run"]), (main, ["prepare"]), (main, ["prepare", "--background"])],
    ids=["demo", "test-e2e", "test"],
)
def test_somebody_who_may_not_run_a_node_hears_it_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    main: object,
    line: list[str],
) -> None:
    assert callable(main)
    monkeypatch.setenv("WSO_PROVIDER", "native")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("something was started"))
    monkeypatch.setattr(images, "build", lambda store: pytest.fail("something was built"))
    assert main(line) == 1
    assert "A local node needs root" in capsys.readouterr().err
