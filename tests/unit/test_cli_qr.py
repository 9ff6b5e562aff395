"""The qr command, driven by a fake cluster and a clock that never waits."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from whatsapp_cli import app, view
from whatsapp_cli.errors import NotFoundError

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeSessions:
    """Answers each get with the next resource, then with the last again."""

    def __init__(self, answers: Sequence[view.Resource]) -> None:
        self._answers = list(answers)
        self.wishes: list[tuple[str, str, datetime]] = []

    @property
    def namespace(self) -> str:
        return "bots"

    def get(self, name: str) -> view.Resource:
        if not self._answers:
            raise NotFoundError(f"session bots/{name} not found")
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def wish(self, name: str, wish: str, now: datetime) -> None:
        self.wishes.append((name, wish, now))

    def list(self, namespace: str | None) -> list[view.Resource]:
        return list(self._answers)


def _session(**session: Any) -> view.Resource:
    return {"metadata": {"name": "support"}, "status": {"session": session}}


def _awaiting(code: str) -> view.Resource:
    expires = (START + timedelta(hours=1)).isoformat()
    return _session(state="AwaitingLink", qr={"code": code, "expiresAt": expires, "attempt": 1})


def _run(answers: Sequence[view.Resource], **flags: Any) -> tuple[int, str]:
    return _follow(FakeSessions(answers), **flags)


def _follow(sessions: FakeSessions, **flags: Any) -> tuple[int, str]:
    arguments = argparse.Namespace(**({"name": "support", "once": False, "text": True, "timeout": None} | flags))
    out: list[str] = []
    ticks = iter(range(1000))
    command = app.QrCommand(sessions, arguments, out.append)
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
    assert "not linked in time" in out


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
    assert out.endswith("asked for a new code\na\n")
    assert sessions.wishes == [("support", "relink", START + timedelta(seconds=1))]


def test_a_missing_session_is_an_error() -> None:
    with pytest.raises(NotFoundError):
        _run([])


@pytest.mark.parametrize("argv", [[], ["qr"], ["frobnicate"], ["qr", "support", "--timeout", "soon"]])
def test_a_wrong_command_line_exits_with_two(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        app.main(argv)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
