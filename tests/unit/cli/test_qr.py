"""The qr command, driven by a fake cluster and a clock that never waits."""

import argparse
import io
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from whatsapp_cli import kube, main, view
from whatsapp_cli.errors import CliError, ClusterError, NotFoundError, SilentError

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeSessions:
    """Answers each get with the next resource, or raises the next error; then with the last again."""

    def __init__(self, answers: Sequence[view.Resource | CliError]) -> None:
        self._answers = list(answers)
        self.refusals: list[CliError] = []
        self.requests: list[tuple[str, str, datetime]] = []

    @property
    def namespace(self) -> str:
        return "bots"

    def get(self, name: str) -> view.Resource:
        if not self._answers:
            raise NotFoundError(f"session bots/{name} not found")
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, CliError):
            raise answer
        return answer

    def request(self, name: str, request: str, now: datetime) -> None:
        if self.refusals:
            raise self.refusals.pop()
        self.requests.append((name, request, now))

    def list(self, namespace: str | None) -> list[view.Resource]:
        return [answer for answer in self._answers if not isinstance(answer, CliError)]


def _session(**session: Any) -> view.Resource:
    return {"metadata": {"name": "support"}, "status": {"session": session}}


def _awaiting(code: str) -> view.Resource:
    expires = (START + timedelta(hours=1)).isoformat()
    return _session(state="AwaitingLink", qr={"code": code, "expiresAt": expires, "attempt": 1})


def _run(answers: Sequence[view.Resource | CliError], **flags: Any) -> tuple[int, str]:
    return _follow(FakeSessions(answers), **flags)


def _follow(sessions: FakeSessions, **flags: Any) -> tuple[int, str]:
    arguments = argparse.Namespace(**({"name": "support", "once": False, "text": True, "timeout": None} | flags))
    out: list[str] = []
    ticks = iter(range(1000))
    command = main.QrCommand(sessions, arguments, out.append)
    code = command.run(lambda: START + timedelta(seconds=next(ticks)), lambda _: None)
    return code, "".join(out)


def test_each_new_code_is_written_once_and_the_command_ends_when_linked() -> None:
    linked = _session(state="Connected", account={"id": "49***89@c.us"})
    code, out = _run([_awaiting("a"), _awaiting("a"), _awaiting("b"), linked])
    assert code == 0
    assert out == "a\nb\nsupport is linked (account 49***89@c.us)\n"


def test_once_ends_after_the_first_code() -> None:
    assert _run([_awaiting("a"), _awaiting("b")], once=True) == (0, "a\n")


def test_a_timeout_ends_the_wait_with_an_error_code() -> None:
    code, out = _run([_awaiting("a")], timeout=3.0)
    assert code == 1
    assert "--timeout" in out


def test_a_drawn_code_has_a_quiet_zone_and_a_caption() -> None:
    _, out = _run([_awaiting("2@generated")], once=True, text=False)
    assert "█" in out
    assert "valid for" in out
    assert "2@generated" not in out


@pytest.mark.parametrize("phase", ["LinkExpired", "LoggedOut"])
def test_an_expired_link_is_asked_for_again_once(phase: str) -> None:
    expired = {"metadata": {"name": "support"}, "status": {"phase": phase}}
    sessions = FakeSessions([expired, expired, _awaiting("a")])
    code, out = _follow(sessions, once=True)
    assert code == 0
    assert out.endswith("requested a new code\na\n")
    assert sessions.requests == [("support", "relink", START + timedelta(seconds=1))]


def test_a_missing_session_is_an_error() -> None:
    with pytest.raises(NotFoundError):
        _run([])


AWAY = SilentError("the API server cannot be reached")
LINKED = _session(state="Connected", account={"id": "49***89@c.us"})


def test_a_server_that_is_silent_for_a_moment_is_asked_again_and_that_is_said_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out = _run([_awaiting("a"), AWAY, AWAY, _awaiting("a"), AWAY, LINKED])
    assert code == 0
    assert out == "a\nsupport is linked (account 49***89@c.us)\n"
    assert capsys.readouterr().err == "kubectl-whatsapp: the API server cannot be reached; retrying for 30 s\n" * 2


def test_a_server_that_stays_silent_ends_the_command() -> None:
    sessions = FakeSessions([_awaiting("a"), *[AWAY] * 31, LINKED])
    with pytest.raises(SilentError):
        _follow(sessions)
    assert _run([_awaiting("a"), *[AWAY] * 30, LINKED])[0] == 0


def test_a_server_that_never_answered_is_not_waited_for() -> None:
    with pytest.raises(SilentError):
        _run([AWAY, LINKED])


def test_a_refusal_is_not_waited_for() -> None:
    with pytest.raises(ClusterError):
        _run([_awaiting("a"), ClusterError("the API server refused access"), LINKED])


def test_a_timeout_counts_while_the_server_is_silent() -> None:
    assert _run([_awaiting("a"), AWAY], timeout=3.0)[0] == 1


def test_a_new_code_is_asked_for_until_the_server_has_heard_it() -> None:
    expired = {"metadata": {"name": "support"}, "status": {"phase": "LinkExpired"}}
    sessions = FakeSessions([expired, expired, expired, _awaiting("a")])
    sessions.refusals = [AWAY]
    assert _follow(sessions, once=True)[0] == 0
    assert len(sessions.requests) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, ClusterError), (409, ClusterError), (429, SilentError), (500, SilentError), (503, SilentError)],
)
def test_an_answer_that_asks_for_patience_is_no_refusal(status: int, error: type[CliError]) -> None:
    assert type(kube.failure("session bots/support", status, "why")) is error


@pytest.mark.parametrize("argv", [[], ["qr"], ["frobnicate"], ["qr", "support", "--timeout", "soon"]])
def test_a_wrong_command_line_exits_with_two(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(argv)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_code_that_no_qr_code_can_hold_is_told_and_the_next_one_drawn() -> None:
    answers = [_awaiting("x" * 4096), _awaiting("2@one"), _session(state="Connected", account={"id": "me"})]
    code, out = _run(answers, text=False)
    assert code == 0
    assert "has 4096 characters, more than a QR code can hold" in out
    assert "Linked devices > Link a device" in out
    assert _run(answers[:1], text=False, once=True)[0] == 1


def test_a_complaint_of_the_server_is_printed_without_control_characters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(target: object) -> FakeSessions:
        raise ClusterError("no\x1b[2J")

    monkeypatch.setattr(kube, "ClusterSessions", refuse)
    assert main.main(["list"]) == 1
    assert capsys.readouterr().err == "kubectl-whatsapp: no\\x1b[2J\n"


def test_a_name_that_the_terminal_cannot_show_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    main._write("Zoë\n")
    assert stream.buffer.getvalue() == b"Zo\\xeb\n"  # type: ignore[attr-defined]  # it is the BytesIO above
