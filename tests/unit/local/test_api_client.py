"""The few calls that the cluster makes to its own API server."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.local.errors import LocalClusterError
from deploy.local.native import api_client

NOWHERE = Path("/nowhere")


@dataclass(frozen=True, slots=True)
class Answers(api_client.Api):
    """An API server that answers as it is told, one status after the other."""

    statuses: list[int] = field(default_factory=list)

    def request(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[int, bytes]:
        return self.statuses.pop(0), b'{"message": "so it is"}'


def answers(*statuses: int) -> Answers:
    return Answers("https://127.0.0.1:1", NOWHERE, NOWHERE, NOWHERE, list(statuses))


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_client, "PAUSE", 0.0)


@pytest.mark.parametrize("busy", [0, 429, 500, 503, 504])
def test_a_server_that_is_too_busy_is_asked_again(busy: int) -> None:
    server = answers(busy, busy, 201)
    server.apply("/x", {})
    assert server.statuses == []


def test_a_refusal_is_said_at_once() -> None:
    server = answers(422, 201)
    with pytest.raises(LocalClusterError, match="refused /x with 422: so it is"):
        server.apply("/x", {})
    assert server.statuses == [201]


def test_a_server_that_stays_busy_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_client, "RETRY_SECONDS", -1.0)
    with pytest.raises(LocalClusterError, match="with 503"):
        answers(503, 201).apply("/x", {})
