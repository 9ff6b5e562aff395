"""Make the golden log and archives of the present format: run once for each format, commit the result."""

import json
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from component.workers import home_at  # noqa: E402  the path comes first
from simulator.testing import running_simulator  # noqa: E402
from whatsapp_worker.repository.records import FORMAT_VERSION  # noqa: E402

OWNER = {
    "host": "golden-host",
    "bootId": "00000000-0000-0000-0000-000000000000",
    "pid": 1,
    "startTime": 1.0,
    "dataPath": "/golden",
}


def main() -> None:
    """Link, save, receive a message, stop, start and kill: claim, generation, generation, release, claim."""
    target = HERE / f"format-{FORMAT_VERSION}" / "RemoteAuth-golden"
    if target.exists():
        raise SystemExit(f"{target} exists; golden files are never made anew")
    with (
        tempfile.TemporaryDirectory() as folder,
        running_simulator(sync_bytes=8000, sync_s=0.1) as simulator,
        home_at(pathlib.Path(folder) / "home", simulator) as home,
    ):
        home.client_id = "golden"
        worker, device = home.linked()
        home.news(device, "golden")
        worker.stop()
        again = home.start()
        again.wait("ready")
        again.kill()
        for part in ("log", "archives"):
            shutil.copytree(home.session / part, target / part)
    for path in (target / "log").glob("*.json"):
        record = json.loads(path.read_text()) | {"owner": OWNER}
        path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
