"""The command kubectl-whatsapp against a real API server and the operator."""

import subprocess
import sys
from pathlib import Path

import pytest

from functional.callers import wait
from functional.world import Place, World

pytestmark = pytest.mark.usefixtures("operator")


def command(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command to its end."""
    program = Path(sys.executable).parent / "kubectl-whatsapp"
    line = [str(program), *arguments, "--kubeconfig", str(world.plane.kubeconfig)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


def test_a_session_is_listed_with_its_phase(world: World, place: Place) -> None:
    place.session("support")
    place.wait_phase("support", "Pending", "StoreNotFound")
    listed = command(world, "list", "-n", place.name)
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.splitlines()[1].split()[:3] == [place.name, "support", "Pending"]


def test_a_missing_session_is_said_in_one_sentence(world: World, place: Place) -> None:
    done = command(world, "qr", "nobody", "-n", place.name)
    assert done.returncode == 1
    assert done.stderr.startswith(f"kubectl-whatsapp: session {place.name}/nobody not found")
    assert "Traceback" not in done.stderr


def test_asking_for_the_code_of_an_expired_link_starts_the_session_again(world: World, place: Place) -> None:
    place.store()
    place.session("support")
    worker = place.wait_worker("support")
    worker.bind()
    worker.ends(0, "QRExpired", "nobody scanned", phase="Succeeded")
    place.wait_phase("support", "LinkExpired", "QRExpired")
    worker.vanishes()
    wait(lambda: "podUID" not in place.status("support")["worker"], "the pod's end to be seen")
    asked = command(world, "qr", "support", "-n", place.name, "--timeout", "3")
    assert "requested a new code" in asked.stdout, asked.stderr
    place.wait_worker("support")
