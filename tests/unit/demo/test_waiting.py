"""What is waited for is asked again when the server was too busy to answer, and what is wrong is said at once."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from deploy.demo import console, kubectl


def telling(answers: Iterable[str | Exception]) -> Callable[[], str | None]:
    """Return a probe that gives, or raises, one answer after the other."""
    left = iter(answers)

    def probe() -> str | None:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer or None

    return probe


@pytest.mark.parametrize("error", [console.BusyError("TLS handshake timeout"), ConnectionResetError()], ids=str)
def test_a_probe_that_was_not_answered_is_made_again(error: Exception) -> None:
    assert console.wait_for("news", telling([error, "", error, "news"]), 30, interval=0) == "news"


def test_what_was_answered_last_is_told_when_the_time_is_over() -> None:
    busy = console.BusyError("etcdserver: request timed out")
    with pytest.raises(console.DemoError, match="without success for news; the last answer was: etcdserver") as told:
        console.wait_for("news", telling([busy]), timeout=-1)
    assert told.value.__cause__ is busy
    with pytest.raises(console.DemoError, match=r"without success for news$"):
        console.wait_for("news", telling([""]), timeout=-1)


@pytest.mark.parametrize("error", [console.DemoError("not found"), AssertionError("a code")], ids=repr)
def test_what_is_wrong_is_not_waited_for(error: Exception) -> None:
    with pytest.raises(type(error)) as told:
        console.wait_for("news", telling([error]), timeout=30)
    assert told.value is error


def failing(folder: Path, said: str) -> kubectl.Kubectl:
    """Return a kubectl that fails with these words."""
    program = folder / "kubectl"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\nsomething before\n{said}\nEND\nexit 1\n")
    program.chmod(0o755)
    return kubectl.Kubectl(program, folder / "kubeconfig")


@pytest.mark.parametrize(
    ("said", "busy"),
    [
        ("Unable to connect to the server: net/http: TLS handshake timeout", True),
        ("The connection to the server 192.0.2.1:6443 was refused - did you specify the right host or port?", True),
        ("Error from server: etcdserver: request timed out", True),
        ("error: read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer", True),
        ("Error from server (TooManyRequests): the server has received too many requests", True),
        ("Error from server (Timeout): the server was unable to return a response in the time allotted", True),
        ('Error from server (NotFound): pods "x" not found', False),
        ('Error from server (Forbidden): pods "x" is forbidden: exceeded quota', False),
        ("error: timed out waiting for the condition on whatsappsessions/support", False),
    ],
)
def test_a_kubectl_that_was_not_answered_says_so(tmp_path: Path, said: str, busy: bool) -> None:
    with pytest.raises(console.DemoError) as told:
        failing(tmp_path, said).run("get", "pods")
    assert str(told.value) == f"kubectl get: {said}"
    assert isinstance(told.value, console.BusyError) is busy
