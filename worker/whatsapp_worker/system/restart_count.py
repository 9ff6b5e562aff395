"""Count how often the container of this pod has been restarted, as the kubelet does, in the pod's temporary directory.

The operator tells by it which process wrote a report. A time cannot tell that: the clock of a node may be set between
the start of a container and the worker's first look at it.
"""

import pathlib
import tempfile


def file(pod_uid: str, directory: pathlib.Path | None = None) -> pathlib.Path:
    """Return where the starts of a pod are counted."""
    return (directory or pathlib.Path(tempfile.gettempdir())) / f"whatsapp-worker-{pod_uid}.starts"


def count(pod_uid: str, directory: pathlib.Path | None = None) -> int | None:
    """Count this start and return the number of starts before it; None if the directory cannot be used."""
    path = file(pod_uid, directory)
    try:
        before = _number(path)
        aside = path.with_suffix(".new")
        aside.write_text(str(before + 1), encoding="ascii")
        aside.replace(path)
    except OSError:
        return None
    return before


def _number(path: pathlib.Path) -> int:
    try:
        text = path.read_text(encoding="ascii")
    except (FileNotFoundError, UnicodeDecodeError):
        return 0
    return int(text) if text.isdecimal() and len(text) < 10 else 0
