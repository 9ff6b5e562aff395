"""Install the Debian packages of `debian_packages.txt` that are missing."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import LocalClusterError

LIST = Path(__file__).parent / "debian_packages.txt"


@dataclass(frozen=True, slots=True)
class Package:
    """A package, the command (or file) that shows that it is installed, and its use."""

    name: str
    brings: str
    use: str

    @property
    def present(self) -> bool:
        return Path(self.brings).exists() if self.brings.startswith("/") else shutil.which(self.brings) is not None


def parse(text: str) -> list[Package]:
    """Return the packages of a list: three columns per line, # begins a comment."""
    lines = (line.split("#")[0].split() for line in text.splitlines())
    return [Package(*words) for words in lines if words]


def ensure(*uses: str) -> None:
    """Install the packages that are missing for these uses; LocalClusterError names them where that is impossible."""
    wanted = [package for package in parse(LIST.read_text()) if package.use in uses]
    missing = [package.name for package in wanted if not package.present]
    if not missing:
        return
    by_hand = f"apt-get install --no-install-recommends {' '.join(missing)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LocalClusterError(
            f"Packages are missing: run `{by_hand}` as root, or install the equivalent of your system."
        )
    print(f"==> installing {' '.join(missing)}", file=sys.stderr, flush=True)
    _apt("update", "--quiet")
    _apt("install", "--quiet", "--yes", "--no-install-recommends", *missing)
    if absent := [package.name for package in wanted if not package.present]:
        raise LocalClusterError(f"{' '.join(absent)} cannot be installed: run `{by_hand}` to see the reason.")


def _apt(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", *arguments], env=environment, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise LocalClusterError(f"`apt-get {' '.join(arguments)}` failed: read its messages above.")
