"""The local cluster itself: a real node, and nothing left of it afterwards."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest

from deploy.demo.console import wait_for
from deploy.local.build import images
from deploy.local.native import addresses, cgroups, network, processes
from deploy.local.native.cluster import Native
from e2e.local_cluster import LocalCluster, start
from e2e.node_faults import Faults

NAMESPACE = "probe"
SERVE = """
import http.server, json, os, ssl, urllib.request
account = "/var/run/secrets/kubernetes.io/serviceaccount"
host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
request = urllib.request.Request(f"https://{host}:{port}/version")
request.add_header("Authorization", "Bearer " + open(account + "/token").read())
trust = ssl.create_default_context(cafile=account + "/ca.crt")
print("api server", json.load(urllib.request.urlopen(request, context=trust))["gitVersion"], flush=True)
with open("/data/index.html", "w") as page:
    page.write("hello from the volume")
os.chdir("/data")
http.server.ThreadingHTTPServer(("", 8080), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def manifests(node: str | None = None) -> str:
    """Return a namespace under the strictest pod security, a claim and a pod that serves a file from it."""
    selector = {} if node is None else {"nodeSelector": {"kubernetes.io/hostname": node}}
    container = {
        "name": "main",
        "image": images.IMAGES["operator"].reference,
        "imagePullPolicy": "Never",
        "command": ["python", "-c", SERVE],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod_spec = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "terminationGracePeriodSeconds": 1,
        **selector,
    }
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    claim_spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": "probe", "namespace": NAMESPACE, "labels": {"app": "probe"}}
    service_spec = {"selector": {"app": "probe"}, "ports": [{"port": 80, "targetPort": 8080}]}
    items = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": NAMESPACE},
            "spec": claim_spec,
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service_spec},
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def run_probe(local: LocalCluster, node: str | None = None) -> None:
    """Run the pod, perhaps on a certain node, and wait until it is ready."""
    local.import_archives(images.build(local.store, ["operator"]))
    local.kubectl.run("apply", "-f", "-", stdin=manifests(node))
    local.kubectl.run("wait", "pod/probe", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=240s", timeout=300)


@pytest.fixture(scope="module")
def probed(cluster: LocalCluster) -> Iterator[LocalCluster]:
    """Give the cluster with the pod in it."""
    run_probe(cluster)
    yield cluster
    cluster.kubectl.run("delete", "namespace", NAMESPACE, "--wait=false")


def test_a_pod_reaches_the_api_server_through_the_service_address_and_its_log_says_so(probed: LocalCluster) -> None:
    assert "api server v1." in probed.kubectl.run("logs", "probe", "-n", NAMESPACE)


def test_a_command_runs_in_a_pod_as_the_images_user(probed: LocalCluster) -> None:
    shown = probed.kubectl.run("exec", "probe", "-n", NAMESPACE, "--", "id")
    assert "uid=10001(whatsapp) gid=10001(whatsapp)" in shown


def test_the_root_filesystem_of_a_pod_cannot_be_written(probed: LocalCluster) -> None:
    command = probed.kubectl.command("exec", "probe", "-n", NAMESPACE, "--", "touch", "/opt/written")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Read-only file system" in done.stderr


def test_a_port_of_a_pod_is_forwarded_to_this_machine(probed: LocalCluster) -> None:
    with (
        probed.kubectl.port_forward("pod/probe", NAMESPACE, 8080) as url,
        urllib.request.urlopen(url, timeout=30) as answer,
    ):
        assert answer.read() == b"hello from the volume"


def test_a_pod_reaches_another_through_its_service(probed: LocalCluster) -> None:
    address = probed.kubectl.run("get", "service", "probe", "-n", NAMESPACE, "-o", "jsonpath={.spec.clusterIP}")
    # From the pod to itself through the service: the hairpin is the hardest case of a bridge.
    code = f"import urllib.request; print(urllib.request.urlopen('http://{address}', timeout=10).read().decode())"
    command = probed.kubectl.command("exec", "probe", "-n", NAMESPACE, "--", "python", "-c", code)

    def answer() -> str | None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout if done.returncode == 0 else None

    # kube-proxy follows a new service in its own time.
    assert "hello from the volume" in wait_for("the service to lead to the pod", answer, 60)


def test_a_pod_that_asks_for_privileges_is_refused(probed: LocalCluster) -> None:
    command = probed.kubectl.command("run", "root", "-n", NAMESPACE, "--image=x", "--privileged")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 'violates PodSecurity "restricted:latest"' in done.stderr


def test_a_killed_cluster_is_replaced_and_a_removed_one_leaves_nothing_behind(cluster: LocalCluster) -> None:
    """It runs beside the shared cluster, with two nodes: clusters do not collide, nor nodes."""
    name = "wso-clean"
    own = Native(cluster.store)
    local = start(name, nodes=2)
    try:
        second = local.cluster.nodes[1]
        run_probe(local, second)
        assert own.leaks(name), "a running cluster must be visible as leaks, or their absence proves nothing"
        faults = Faults.of(own, name)
        with faults.kubelet_stopped(second), faults.node_cut(second):
            _kill(own, name)
        assert own.find(name) is None
        began = time.monotonic()
        again = start(name, nodes=2)
        print(f"a new cluster of two nodes took {time.monotonic() - began:.0f} s")
        assert again.kubectl.run("get", "namespaces", "-o", "name").count(NAMESPACE) == 0
        run_probe(again, second)
    finally:
        own.down(name)
    assert own.leaks(name) == []
    assert not own.directory(name).exists()
    assert not network.exists(own.directory(name))
    assert not [path for top in cgroups.hierarchies() for path in top.glob(f"{addresses.link(own.directory(name))}*")]
    assert "True" in cluster.kubectl.run(
        "get", "nodes", "-o", 'jsonpath={.items[0].status.conditions[?(@.type=="Ready")].status}'
    )


def _kill(own: Native, name: str) -> None:
    """Kill the cluster's first process, as a crash would: its directory, link and control groups stay."""
    (first,) = processes.load(own.directory(name) / "init")
    processes.end([first], grace=0)
