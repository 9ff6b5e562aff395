"""What ends the operator is said in one sentence, and never by a traceback."""

import contextlib
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from functional.callers import wait
from functional.conftest import INSTALL, OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, install, installed, kubectl
from functional.world import Place, World
from whatsapp_session import names

PATIENCE = 60


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A control plane of these tests' own, because they take definitions and rights away."""
    with installed(tmp_path_factory.mktemp("ending"), INSTALL) as made:
        yield made


class Process:
    """The command, as a pod runs it."""

    def __init__(self, world: World, directory: Path, *more: str) -> None:
        file = world.kubeconfig(directory, world.token(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT))
        program = Path(sys.executable).parent / "whatsapp-operator"
        line = [str(program), "run", "--worker-image=worker:1", f"--kubeconfig={file}", *more]
        self._log = directory / "log"
        with self._log.open("wb") as sink:
            self.running = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)

    @property
    def said(self) -> str:
        return self._log.read_text()

    def ends(self, code: int) -> str:
        """Wait for the end and return the last line."""
        wait(lambda: self.running.poll() is not None, lambda: f"the operator to end; it says {self.said}", PATIENCE)
        assert self.running.returncode == code, self.said
        assert "Traceback" not in self.said
        last = self.said.splitlines()[-1]
        assert last.startswith("whatsapp-operator: ")
        return last

    def close(self) -> None:
        self.running.kill()
        self.running.wait()


def test_a_port_that_is_taken_is_named(world: World, tmp_path: Path) -> None:
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with contextlib.closing(Process(world, tmp_path, f"--health-port={port}")) as process:
            last = process.ends(2)
    assert f"the port {port} for probes and metrics cannot be opened" in last
    assert os.strerror(errno.EADDRINUSE) in last
    assert "--health-port" in last


@pytest.mark.parametrize("plural", [names.SESSION_PLURAL, names.STORE_PLURAL])
def test_a_definition_that_is_deleted_is_named(world: World, place: Place, tmp_path: Path, plural: str) -> None:
    with contextlib.closing(Process(world, tmp_path)) as process:
        place.session("support")
        place.wait_phase("support", "Pending", "StoreNotFound")
        place.store()
        place.wait_worker("support")
        kubectl(world, "delete", "crd", f"{plural}.{names.GROUP}")
        try:
            last = process.ends(1)
        finally:
            install(world, INSTALL)
    assert f"{plural}.{names.GROUP} was deleted" in last
    assert "install the chart again" in last


def test_rights_that_are_missing_at_the_start_are_named(world: World, tmp_path: Path) -> None:
    kubectl(world, "delete", "clusterrolebinding", OPERATOR_ACCOUNT)
    try:
        wait(lambda: not allowed(world), "the server to know that the rights are gone")
        with contextlib.closing(Process(world, tmp_path)) as process:
            last = process.ends(1)
    finally:
        install(world, INSTALL)
    assert "the operator may not read the CustomResourceDefinition" in last
    assert "upgrade the chart" in last


def allowed(world: World) -> bool:
    """Return whether the operator's account may read the definitions."""
    account = f"system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR_ACCOUNT}"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": account,
            "resourceAttributes": {
                "group": "apiextensions.k8s.io",
                "resource": "customresourcedefinitions",
                "name": f"{names.SESSION_PLURAL}.{names.GROUP}",
                "verb": "get",
            },
        },
    }
    answer = world.admin.send("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])
