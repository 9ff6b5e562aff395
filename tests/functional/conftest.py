"""One API server for all functional tests, the rendered manifests on it, and operators that run in this process."""

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from deploy.local.native import control_plane
from functional.callers import Caller, wait
from functional.pairs import Pair, running
from functional.world import Place, World
from whatsapp_operator import app, options, rollout

INSTALL = Path(__file__).parents[2] / "deploy" / "install.yaml"
OPERATOR_NAMESPACE, OPERATOR_ACCOUNT = "whatsapp-operator", "whatsapp-session-operator"
IMAGE = "whatsapp-session-worker:test"

Operator = Callable[..., AbstractContextManager[None]]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A control plane with what `kubectl apply -f deploy/install.yaml` makes."""
    with installed(tmp_path_factory.mktemp("control-plane"), INSTALL) as made:
        yield made


@contextmanager
def installed(directory: Path, manifests: Path, *, controllers: bool = False) -> Iterator[World]:
    """A control plane with what `kubectl apply` makes of a file."""
    with control_plane.running(directory, controllers=controllers) as plane:
        context = ssl.create_default_context(cafile=str(plane.api.authority))
        context.load_cert_chain(plane.api.certificate, plane.api.key)
        made = World(plane, Caller(plane.server, context), context)
        install(made, manifests)
        yield made


def install(world: World, manifests: Path) -> None:
    """Apply a file with the definitions in it, or a newer one over it."""
    kubectl(world, "apply", "--server-side", "-f", str(manifests))
    kubectl(world, "wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")


def kubectl(world: World, *arguments: str) -> str:
    """Run kubectl as the administrator; returns what it printed."""
    command = [str(world.plane.kubectl), "--kubeconfig", str(world.plane.kubeconfig), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
    return done.stdout


@pytest.fixture
def place(world: World) -> Iterator[Place]:
    """A namespace of the test's own; its sessions and pods go with the test, so that no operator serves them on."""
    made = world.namespace()
    yield made
    made.empty()


@pytest.fixture(scope="session")
def start(world: World, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """Start an operator with the rights of the chart's service account, and no others."""
    return starting(world, tmp_path_factory)


def starting(world: World, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """Return what starts operators of a world."""

    @contextmanager
    def running(**changes: object) -> Iterator[None]:
        token = world.token(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)
        file = world.kubeconfig(tmp_path_factory.mktemp("operator"), token)
        # Nothing runs here, so that every pod starts for ever: pacing has its own tests.
        defaults = {"worker_image": IMAGE, "kubeconfig": str(file), "limits": rollout.Limits(starting=1000)}
        chosen = options.Options(**(defaults | changes))  # type: ignore[arg-type]  # a test's keywords
        flags = app.Flags(stop=threading.Event(), ready=threading.Event())
        failures: list[BaseException] = []

        def main() -> None:
            try:
                asyncio.run(app.run(chosen, flags))
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=main, name="operator")
        thread.start()
        try:
            wait(lambda: flags.ready.is_set() or failures, "the operator to be ready")
            assert not failures, failures
            yield
        finally:
            flags.stop.set()
            thread.join(30)
        assert not thread.is_alive(), "the operator did not stop within 30 s"
        assert not failures, failures

    return running


@pytest.fixture(scope="module")
def operator(start: Operator) -> Iterator[None]:
    """The operator that the tests of a file share."""
    with start():
        yield


@pytest.fixture(scope="module")
def pair(world: World, operator: None) -> Pair:
    """Two workers of one namespace, under the operator of a file."""
    return running(world)
