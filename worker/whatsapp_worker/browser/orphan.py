"""End the browser that a killed worker left behind: its process is written down beside the profile. Calls block."""

import json
import pathlib

from whatsapp_worker.system import processes


def write_down(profile: pathlib.Path, browser: processes.Identity) -> None:
    """Remember which process runs on this profile."""
    _record(profile).write_text(json.dumps({"pid": browser.pid, "startTime": browser.start_time}))


def end(profile: pathlib.Path) -> None:
    """End what a killed worker left running on this profile, by pid and start time."""
    record = _record(profile)
    try:
        found = json.loads(record.read_text())
        processes.kill_tree(processes.Identity(int(found["pid"]), float(found["startTime"])))
    except (OSError, ValueError, KeyError):
        pass
    record.unlink(missing_ok=True)


def _record(profile: pathlib.Path) -> pathlib.Path:
    return profile.parent / f"{profile.name}.browser.json"
