"""Locks between processes: one holder at a time, and a dead holder holds nothing."""

import subprocess
import sys
from pathlib import Path

from deploy.local import file_lock

HOLD = "import sys; from pathlib import Path; from deploy.local import file_lock\n"
HOLD += "with file_lock.exclusive(Path(sys.argv[1]), 'x'):\n    print('held', flush=True)\n    sys.stdin.read()"


def test_a_lock_is_not_given_twice_and_is_free_when_its_holder_was_killed(
    tmp_path: Path,
) -> None:
    repository = Path(file_lock.__file__).parents[2]
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with file_lock.attempt(tmp_path, "x") as held:
            assert not held
        with file_lock.attempt(tmp_path, "y") as held:
            assert held
        holder.kill()
        holder.wait()
        with file_lock.attempt(tmp_path, "x") as held:
            assert held
