"""The chart as helm renders it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from deploy.local import cache
from deploy.local.build import binaries

ROOT = Path(__file__).parents[2]


CHART = ROOT / "charts" / "whatsapp-session-operator"


Manifest = dict[str, Any]


def helm(*arguments: str) -> str:
    """Run helm; returns what it printed."""
    program = binaries.program(cache.locate(), "helm")
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def render(values: Manifest) -> list[Manifest]:
    """Render the chart with values."""
    more = [f"--set-json={name}={json.dumps(value)}" for name, value in values.items()]
    text = helm("template", "release", str(CHART), "--namespace", "here", "--kube-version", "1.30.0", *more)
    return [item for item in yaml.safe_load_all(text) if item]
