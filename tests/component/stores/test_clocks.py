"""A machine whose clock is wrong by days: stores that can serve it do, and those that refuse it say by how much."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping

import pytest

from component.stores import servers
from component.stores.conftest import MakePlace, Place
from scenes import fronts, wrong_clock
from simulator import tls
from whatsapp_session import worker_config
from whatsapp_session.conditions import ExitCode

COMMAND = str(pathlib.Path(sys.executable).with_name("whatsapp-worker"))
WRONG = {"-26 h": (-26 * wrong_clock.HOUR, "26 hours behind"), "+3 d": (3 * wrong_clock.DAY, "3 days ahead of")}


def check(place: Place, ahead: float, network: pathlib.Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `whatsapp-worker store check` on a machine whose clock is ahead by so many seconds."""
    secrets = place.settings.secrets
    config = worker_config.WorkerConfig(
        store=place.address, store_secrets=str(secrets) if secrets else None, store_network=str(network or "") or None
    )
    told: Mapping[str, str] = {**os.environ, **worker_config.to_env(config), **wrong_clock.environment(ahead)}
    return subprocess.run(
        [COMMAND, "store", "check"], env=told, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("ahead", [ahead for ahead, _ in WRONG.values()], ids=WRONG.keys())
@pytest.mark.parametrize("kind", ["filesystem", "mongodb"])
def test_a_store_without_dates_serves_whatever_the_clock_says(make_place: MakePlace, kind: str, ahead: float) -> None:
    done = check(make_place(kind), ahead)
    # Not its other output: with libfaketime threads of the MongoDB client end at their first time.sleep.
    assert (done.returncode, "the store passed the check" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(("ahead", "words"), WRONG.values(), ids=WRONG.keys())
def test_s3_refuses_the_signature_and_says_by_how_much(make_place: MakePlace, ahead: float, words: str) -> None:
    done = check(make_place("s3"), ahead)
    assert done.returncode == ExitCode.STORE_REFUSED
    assert "StoreUnavailable" in done.stderr
    assert f"the clock of this machine is {words} the store's" in done.stderr


def test_s3_serves_a_clock_that_is_a_little_wrong(make_place: MakePlace) -> None:
    assert check(make_place("s3"), -600.0).returncode == 0


@pytest.mark.parametrize(
    ("days", "words"), [(-4, "4 days behind"), (200, "200 days ahead of")], ids=["not yet valid", "expired"]
)
@pytest.mark.parametrize("kind", ["s3", "mongodb"])
def test_tls_refuses_the_certificate_and_says_by_how_much(
    request: pytest.FixtureRequest, make_place: MakePlace, tmp_path: pathlib.Path, kind: str, days: int, words: str
) -> None:
    server = request.getfixturevalue({"s3": "s3_server", "mongodb": "mongo_server"}[kind])
    identity, place = tls.identity(), make_place(kind)  # valid from yesterday, for 90 days
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "ca.crt").write_bytes(identity.certificate)
    with fronts.with_tls(server.port, identity) as port:
        if kind == "s3":
            address = place.address.replace(f"http://127.0.0.1:{server.port}", f"https://127.0.0.1:{port}")
            place = Place(address, place.settings)
        else:
            servers.write_mongo_secrets(tmp_path / "mongo-secrets", f"{server.uri(port)}?tls=true")
        done = check(place, days * wrong_clock.DAY, tmp_path / "network")
    assert done.returncode == ExitCode.STORE_REFUSED
    if kind == "mongodb":  # whose protocol has no Date header: the certificate's dates are all that is known
        words = {-4: "at least 3 days behind", 200: "at least 110 days ahead of"}[days]
    assert f"the clock of this machine is {words} the store's" in done.stderr
