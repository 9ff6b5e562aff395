"""A whole session on each store: linked, saved, everything lost but the store, back without a QR code."""

import pathlib
import shutil
from collections.abc import Mapping

import pytest

from component.conftest import MakeHome
from component.stores import servers
from component.stores.conftest import MakePlace, Place
from component.workers import Home, Worker
from whatsapp_session import worker_config


def environment(place: Place, **more: str) -> dict[str, str]:
    config = worker_config.WorkerConfig(
        store=place.address,
        store_secrets=str(place.settings.secrets) if place.settings.secrets else None,
        allow_unfenced=place.settings.allow_unfenced,
    )
    return worker_config.to_env(config) | more


def start(home: Home, env: Mapping[str, str]) -> Worker:
    flags = ("--client-id", home.client_id, "--data-path", str(home.data), "--log-level", "debug")
    return home.run("--auth", "remote", *flags, env=env)


def survives(home: Home, env: Mapping[str, str]) -> None:
    """Link, lose everything but the store, and come back without a code; logs are as full as they can be."""
    first = start(home, env)
    device = home.link(first)
    first.wait("saved")
    first.kill()
    home.wait_for_browsers_to_end()
    shutil.rmtree(home.data)
    again = start(home, env)
    again.wait("ready")
    assert not again.all("qr")
    home.assert_whole(device)
    assert home.simulator.admin.counts().get("two_browsers", 0) == 0
    assert again.stop() == 0
    assert "ended code=0" in again.log.read_text()


@pytest.mark.parametrize("kind", ["s3", "mongodb"])
def test_a_login_survives_the_loss_of_all_but_its_store_and_no_log_tells_what_is_in_it(
    home: Home, make_place: MakePlace, kind: str
) -> None:
    place = make_place(kind)
    survives(home, environment(place))
    assert place.settings.secrets is not None
    secrets = {path.name: path.read_text().strip() for path in place.settings.secrets.iterdir()}
    for worker in home.started:
        text = worker.log.read_text()
        assert [name for name, secret in secrets.items() if secret in text] == []
        for told in ("Signature=", "PK\\x03\\x04", "Default/", "whatsapp_chunks"):
            assert told not in text, "requests and their bodies are nobody's business"


@pytest.mark.parametrize("kind", ["sqlite", "sqlite-simple"])
def test_a_login_survives_in_a_store_of_somebody_elses_making(
    home: Home, installed: pathlib.Path, tmp_path: pathlib.Path, kind: str
) -> None:
    place = Place(f"{kind}:{tmp_path / 'sessions.db'}")
    env = environment(place, PYTHONPATH=str(installed), WHATSAPP_STORE_ALLOW_UNFENCED="true")
    survives(home, env)


def test_a_store_that_is_down_at_the_start_is_waited_for_and_shows_no_code(
    make_home: MakeHome, tmp_path: pathlib.Path
) -> None:
    home = make_home()
    with servers.s3_server(tmp_path / "server") as server:
        client = server.client()
        client.create_bucket(Bucket=servers.BUCKET)
        client.close()
        port = server.port
        env = environment(Place(server.address(servers.BUCKET))) | {
            "WHATSAPP_STORE_SECRETS": str(servers.write_s3_secrets(tmp_path / "secrets"))
        }
        first = start(home, env)
        device = home.link(first)
        first.wait("saved")
        first.kill()
        home.wait_for_browsers_to_end()
        shutil.rmtree(home.data)
    again = start(home, env)
    again.wait("fault", seconds=120, reason="StoreUnavailable")
    assert not again.all("qr")
    with servers.s3_server(tmp_path / "server", port):
        again.wait("ready", seconds=120)
        assert not again.all("qr")
        home.assert_whole(device)
        assert again.stop() == 0
