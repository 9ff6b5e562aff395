"""Whether a process that a test made is gone."""

import psutil


def has_ended(process: psutil.Process) -> bool:
    """Tell whether a process is gone, or waits only for its parent to notice; it may go between two looks."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
