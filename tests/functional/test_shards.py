"""Two releases of one name in two namespaces, each with namespaces of its own: neither disturbs the other."""

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.local import cache
from deploy.local.build import binaries
from deploy.local.native import control_plane
from functional.callers import Caller, wait
from functional.chart import CHART
from functional.world import Place, World
from whatsapp_session import names

RELEASE = "whatsapp-session-operator"
SHARDS = {"shard-a": "bots-a", "shard-b": "bots-b"}
"""The namespace that each release watches, by the namespace of the release."""
ONCE = ("crds.install=false", "clusterScoped.install=false")
"""Values of every release but the first."""
Manifest = dict[str, Any]


@dataclass
class Shards:
    """An API server with both releases, and their operators."""

    world: World
    directory: Path
    stack: ExitStack

    def helm(self, *arguments: str) -> None:
        """Run helm as the administrator."""
        program = str(binaries.program(cache.locate(), "helm"))
        command = [program, "--kubeconfig", str(self.world.plane.kubeconfig), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr

    def install(self, home: str, *values: str) -> None:
        """Install the release of a namespace; its workers have an image of their own, by which one knows them."""
        chosen = (f"watchNamespaces={{{SHARDS[home]}}}", f"worker.image.tag={home}", *values)
        settings = [part for value in chosen for part in ("--set", value)]
        self.helm("install", RELEASE, str(CHART), "--namespace", home, "--create-namespace", *settings)

    def start(self, home: str) -> "subprocess.Popen[bytes]":
        """Start the operator of a release as its Deployment says, with the rights of its account."""
        target = f"/apis/apps/v1/namespaces/{home}/deployments/{RELEASE}"
        pod = self.world.admin.send("GET", target)["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        place = self.directory / home
        place.mkdir(exist_ok=True)
        file = self.world.kubeconfig(place, self.world.token(home, pod["serviceAccountName"]))
        program = str(Path(sys.executable).with_name("whatsapp-operator"))
        more = ["--leader-elect-namespace", home, "--health-port=0", "--kubeconfig", str(file)]
        with (place / "log").open("ab") as log:
            process = subprocess.Popen([program, *container["args"], *more], stdout=log, stderr=log)
        self.stack.callback(end, process)
        return process

    def log(self, home: str) -> str:
        """Return what the operator of a release has logged."""
        return (self.directory / home / "log").read_text()

    def holder(self, home: str) -> str:
        """Return who leads in a release."""
        lease = self.world.admin.get("Lease", home, RELEASE) or {}
        return str(lease.get("spec", {}).get("holderIdentity") or "")

    def place(self, name: str) -> Place:
        """Make a namespace with a store."""
        self.world.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        made = Place(self.world, name)
        made.store()
        return made


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that the test started."""
    process.kill()
    process.wait()


@pytest.fixture
def shards(tmp_path: Path) -> Iterator[Shards]:
    """Both releases on an API server of their own, without operators."""
    with control_plane.running(tmp_path / "plane") as plane, ExitStack() as stack:
        context = ssl.create_default_context(cafile=str(plane.api.authority))
        context.load_cert_chain(plane.api.certificate, plane.api.key)
        made = Shards(World(plane, Caller(plane.server, context), context), tmp_path, stack)
        made.install("shard-a")
        made.install("shard-b", *ONCE)
        yield made


def served(shards: Shards, home: str, place: Place, session: str) -> None:
    """Wait until the operator of a release has created the pod of a session."""
    wait(lambda: place.pod(session), lambda: f"the pod of {session}; {shards.log(home)}")


def image(place: Place, session: str) -> str:
    """Return the tag of the image of a session's worker."""
    pod = place.pod(session)
    assert pod is not None
    return str(pod["spec"]["containers"][0]["image"]).rpartition(":")[2]


def test_two_releases_share_a_cluster_and_no_namespace(shards: Shards) -> None:
    bots = {home: shards.place(name) for home, name in SHARDS.items()}
    nobodys = shards.place("bots-of-nobody")
    nobodys.session("support")
    operators = {}
    for home, place in bots.items():
        place.session("support")
        operators[home] = shards.start(home)
    for home, place in bots.items():
        served(shards, home, place, "support")
        assert image(place, "support") == home
    holders = {shards.holder(home) for home in bots}
    assert len(holders - {""}) == 2, "each release has elected an operator of its own"
    assert nobodys.status("support") == {}

    end(operators["shard-b"])
    for place in bots.values():
        place.session("later")
    served(shards, "shard-a", bots["shard-a"], "later")
    assert bots["shard-b"].status("later") == {}, "nobody takes over the namespaces of another release"

    shards.helm("uninstall", RELEASE, "--namespace", "shard-b", "--no-hooks")
    bots["shard-a"].session("after")
    served(shards, "shard-a", bots["shard-a"], "after")


def test_both_releases_are_upgraded_and_their_policies_are_one(shards: Shards) -> None:
    for home, more in (("shard-a", ()), ("shard-b", ONCE)):
        settings = [part for value in (*more, "logLevel=debug") for part in ("--set", value)]
        shards.helm("upgrade", RELEASE, str(CHART), "--namespace", home, "--reuse-values", *settings)
    policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    found = [item["metadata"]["name"] for item in shards.world.admin.send("GET", policies)["items"]]
    assert names.POLICY_NAME in found
    bindings = shards.world.admin.send("GET", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")["items"]
    subjects = [
        (item["metadata"]["name"], item["subjects"][0]["namespace"])
        for item in bindings
        if item["metadata"]["name"].startswith(RELEASE)
    ]
    assert sorted(place for _, place in subjects) == ["shard-a", "shard-b"], json.dumps(subjects)
