"""The servers of S3 and of MongoDB's wire protocol as pods: images from scratch, each with one static program in it."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import botocore.config

from deploy.demo.console import wait_for
from deploy.local.build import binaries, oci_archive
from e2e.local_cluster import LocalCluster

Manifest = dict[str, Any]
NAMESPACE = "store-servers"
ACCESS_KEY, SECRET_KEY, REGION = "testaccess", "test-secret-0123456789", "us-east-1"
S3_PORT, MONGO_PORT = 7070, 27017
_S3 = ("versitygw", S3_PORT, ["--quiet", "--region", REGION, "--port", f":{S3_PORT}", "posix", "/data"])
_MONGO = ("ferretdb", MONGO_PORT, ["-listen", f"0.0.0.0:{MONGO_PORT}", "-data", "/data"])


@dataclass(frozen=True, slots=True)
class StoreServers:
    """Both servers; the addresses of their services reach pods and this machine alike."""

    s3_address: str
    mongo_address: str

    def s3(self, bucket: str, endpoint: str | None = None) -> Manifest:
        """Return the spec of a SessionStore in a bucket."""
        return {
            "s3": {
                "bucket": bucket,
                "region": REGION,
                "endpoint": endpoint or f"http://{self.s3_address}:{S3_PORT}",
                "forcePathStyle": True,
                "credentialsSecretRef": {"name": "s3-login"},
            }
        }

    def mongodb(self, database: str) -> Manifest:
        """Return the spec of a SessionStore in a database."""
        return {"mongodb": {"uriSecretRef": {"name": "mongodb-login", "key": "uri"}, "database": database}}

    def secrets(self, namespace: str) -> list[Manifest]:
        """Return the Secrets that those specs name."""
        found = {
            "s3-login": {"accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET_KEY},
            "mongodb-login": {"uri": f"mongodb://{self.mongo_address}:{MONGO_PORT}/"},
        }
        return [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": namespace},
                "stringData": data,
            }
            for name, data in found.items()
        ]

    def bucket(self, name: str) -> None:
        """Make a bucket."""
        client = self._client()
        try:
            client.create_bucket(Bucket=name)
        finally:
            client.close()

    def records(self, bucket: str, session: str) -> list[Mapping[str, Any]]:
        """Return the records of a session's log, oldest first."""
        client = self._client()
        try:
            listed = client.list_objects_v2(Bucket=bucket, Prefix=f"{session}/log/").get("Contents", [])
            keys = sorted(item["Key"] for item in listed)
            return [json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]
        finally:
            client.close()

    def _client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=f"http://{self.s3_address}:{S3_PORT}",
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=botocore.config.Config(s3={"addressing_style": "path"}),
        )


def deploy(cluster: LocalCluster, scratch: Path) -> StoreServers:
    """Bring both servers into a cluster and wait until they serve."""
    for program, _, _ in (_S3, _MONGO):
        archive = scratch / f"{program}.tar"
        oci_archive.write(archive, _image(program), binaries.program(cluster.store, program))
        cluster.import_archives([archive])
    kubectl = cluster.kubectl
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    items: list[Manifest] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    ]
    for program, port, arguments in (_S3, _MONGO):
        items += [_pod(program, port, arguments), _service(program, port)]
    kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    for program, _, _ in (_S3, _MONGO):
        kubectl.run("wait", f"pod/{program}", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=120s", timeout=130)
    addresses = [
        kubectl.run("get", "service", program, "-n", NAMESPACE, "-o", "jsonpath={.spec.clusterIP}")
        for program, _, _ in (_S3, _MONGO)
    ]
    for address, (_, port, _) in zip(addresses, (_S3, _MONGO), strict=True):
        # Ready is the pod: kube-proxy leads its service's address there in its own time.
        wait_for(f"{address}:{port} to lead to its pod", partial(_reaches, address, port), timeout=60)
    return StoreServers(*addresses)


def _reaches(address: str, port: int) -> bool:
    with socket.create_connection((address, port), timeout=10):
        return True


def _image(program: str) -> str:
    return f"docker.io/library/wso-test-{program}:1"


def _pod(program: str, port: int, arguments: list[str]) -> Manifest:
    container = {
        "name": program,
        "image": _image(program),
        "imagePullPolicy": "Never",
        "args": arguments,
        "env": [
            {"name": "ROOT_ACCESS_KEY", "value": ACCESS_KEY},
            {"name": "ROOT_SECRET_KEY", "value": SECRET_KEY},
            {"name": "TMPDIR", "value": "/data"},
        ],
        "ports": [{"containerPort": port}],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    security = {
        "runAsNonRoot": True,
        "runAsUser": 65535,
        "fsGroup": 65535,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": program, "namespace": NAMESPACE, "labels": {"app": program}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": security,
            "containers": [container],
            "volumes": [{"name": "data", "emptyDir": {}}],
        },
    }


def _service(program: str, port: int) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": program, "namespace": NAMESPACE},
        "spec": {"selector": {"app": program}, "ports": [{"port": port}]},
    }
