"""Kubeconfig files with embedded certificates and keys."""

import base64
import json
from pathlib import Path

from deploy.local.native import pki


def content(name: str, server: str, authority: pki.Authority, file: str) -> str:
    """Return a kubeconfig for the identity that was issued as `file`; JSON, which is YAML too."""
    cluster = {"server": server, "certificate-authority-data": _data(authority.certificate)}
    user = {
        "client-certificate-data": _data(authority.certificate_of(file)),
        "client-key-data": _data(authority.key_of(file)),
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": file, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": file}}],
            "current-context": name,
        },
        indent=1,
    )


def write(path: Path, text: str) -> Path:
    """Write a kubeconfig that only its owner can read; return its path."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)
    return path


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
