"""The contract's resource shapes."""

import pytest

from whatsapp_session import session_spec


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("60s", 60), ("1h30m", 5400), ("0s", 0), ("1h1m1s", 3661)],
)
def test_a_duration_is_whole_seconds(text: str, seconds: int) -> None:
    assert session_spec.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "1.5h", "-5m", "5m ", "5mm", "PT5M"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(session_spec.SpecError, match="such as 5m"):
        session_spec.duration(text)


def test_an_empty_spec_is_remote_auth_with_the_default_store() -> None:
    parsed = session_spec.parse_session({})
    assert parsed.auth == session_spec.Auth(
        session_spec.Strategy.REMOTE_AUTH, session_spec.RemoteAuth(store="default"), None
    )
    assert (parsed.lease_duration, parsed.linking.timeout, parsed.client_id) == (60, 1800, None)


def test_no_spec_at_all_is_an_empty_spec() -> None:
    assert session_spec.parse_session(None) == session_spec.parse_session({})


def test_a_strategy_keeps_only_its_own_member() -> None:
    raw = {"auth": {"strategy": "LocalAuth", "localAuth": {"size": "2Gi"}, "remoteAuth": {"generations": 9}}}
    auth = session_spec.parse_session(raw).auth
    assert auth.remote is None
    assert auth.local == session_spec.LocalAuth(size="2Gi")


def test_every_field_of_remote_auth_is_read() -> None:
    raw = {
        "auth": {
            "strategy": "RemoteAuth",
            "remoteAuth": {
                "storeRef": {"name": "s3"},
                "backupSyncInterval": "2m",
                "generations": 5,
                "interop": "Never",
                "onDelete": "Delete",
            },
        }
    }
    assert session_spec.parse_session(raw).auth.remote == session_spec.RemoteAuth(
        "s3", 120, 5, session_spec.Interop.NEVER, session_spec.OnDelete.DELETE
    )


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"auth": {"strategy": "MagicAuth"}}, "spec.auth.strategy"),
        ({"operatingMode": "Paused"}, "spec.operatingMode"),
        ({"auth": "RemoteAuth"}, "spec.auth"),
        ({"linking": {"method": "Smoke"}}, "spec.linking.method"),
    ],
    ids=["strategy", "mode", "type", "method"],
)
def test_what_is_not_understood_names_the_field(raw: dict[str, object], field: str) -> None:
    with pytest.raises(session_spec.SpecError, match=field):
        session_spec.parse_session(raw)


def test_limits_are_sizes_in_bytes_and_none_by_default() -> None:
    given = session_spec.parse_session({"warnings": {"archiveSize": "500Mi", "memory": "2Gi"}}).warnings
    assert given == session_spec.Warnings(500 << 20, 2 << 30)
    assert session_spec.parse_session({}).warnings == session_spec.Warnings(0, 0)
    with pytest.raises(session_spec.SpecError, match="such as 500Mi"):
        session_spec.parse_session({"warnings": {"memory": "2G"}})
