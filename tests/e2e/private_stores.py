"""Stores as companies have them: TLS with a private authority, and a proxy with a login on the way to S3."""

import base64
import contextlib
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import yaml

from e2e.local_cluster import LocalCluster
from e2e.store_servers import MONGO_PORT, S3_PORT, StoreServers
from scenes import fronts
from simulator import tls

Manifest = dict[str, Any]
_LOGIN, _WRITTEN = "bot:p@ss word", "bot:p%40ss%20word"


def address_for_pods(cluster: LocalCluster) -> str:
    """Return the address of this machine at which the cluster's pods and its API server reach it."""
    (entry,) = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"]
    server = urlsplit(entry["cluster"]["server"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((server.hostname or "", server.port or 443))
        return str(probe.getsockname()[0])


@dataclass(frozen=True, slots=True)
class PrivateStores:
    """The test's servers of S3 and MongoDB behind TLS and a proxy that this machine serves."""

    servers: StoreServers
    identity: tls.Identity
    host: str
    s3_port: int
    mongo_port: int
    proxy: fronts.Proxy

    def s3(self, bucket: str) -> Manifest:
        """Return the spec of a SessionStore in a bucket, through the proxy."""
        spec = self.servers.s3(bucket, f"https://{self.host}:{self.s3_port}")
        return {**spec, "caBundle": _AUTHORITY, "proxySecretRef": {"name": "store-proxy", "key": "url"}}

    def mongodb(self, database: str) -> Manifest:
        """Return the spec of a SessionStore in a database; the authority is in a Secret here."""
        authority = {"secretKeyRef": {"name": "store-proxy", "key": "authority"}}
        return {**self.servers.mongodb(database), "caBundle": authority}

    def objects(self, namespace: str) -> list[Manifest]:
        """Return the Secrets and the ConfigMap that these specs name."""
        s3_login, _ = self.servers.secrets(namespace)
        uri = f"mongodb://{self.host}:{self.mongo_port}/?tls=true"
        url = f"http://{_WRITTEN}@{self.host}:{self.proxy.port}"
        authority = self.identity.certificate.decode()
        return [
            s3_login,
            _secret(namespace, "mongodb-login", {"uri": uri}),
            _secret(namespace, "store-proxy", {"url": url, "authority": authority}),
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "company-ca", "namespace": namespace},
                "data": {"ca.crt": authority},
            },
        ]


_AUTHORITY = {"configMapKeyRef": {"name": "company-ca", "key": "ca.crt"}}


def _secret(namespace: str, name: str, data: Mapping[str, str]) -> Manifest:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": encoded,
    }


@contextlib.contextmanager
def running(servers: StoreServers, host: str) -> Iterator[PrivateStores]:
    """Serve TLS and proxy on an address that pods reach, while the block runs."""
    identity = tls.identity([host])
    with (
        fronts.with_tls(S3_PORT, identity, servers.s3_address, host) as s3,
        fronts.with_tls(MONGO_PORT, identity, servers.mongo_address, host) as mongo,
        fronts.http_proxy(_LOGIN, host) as proxy,
    ):
        yield PrivateStores(servers, identity, host, s3, mongo, proxy)


def unique(word: str) -> str:
    """Return a name of a bucket or a database that no other test has."""
    return f"{word}-{secrets.token_hex(4)}"
