"""The command can be stopped from its first moment."""

import signal
import subprocess
import sys

import pytest

HEAVY = ("playwright", "boto3", "pymongo", "aiohttp", "whatsapp_worker.cli.run")
STARTING = """
import signal, sys, types
from whatsapp_worker.cli import main
app = types.ModuleType("whatsapp_worker.cli.run")

def busy_with_imports():
    print("up", flush=True)
    signal.pause()

app.main = busy_with_imports
sys.modules["whatsapp_worker.cli.run"] = sys.modules["whatsapp_worker.cli"].run = app
sys.argv = ["whatsapp-worker", *sys.argv[1:]]
main.main()
"""


def test_nothing_heavy_is_imported_before_a_signal_can_be_heard() -> None:
    code = f"import sys, whatsapp_worker.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_a_session_imports_no_library_that_only_another_way_to_run_needs() -> None:
    others = ("aiohttp", "prometheus_client", "segno", "boto3", "pymongo", "whatsapp_worker.cli.store_commands")
    code = f"import sys, whatsapp_worker.cli.run; print([name for name in {others} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "code"), [(["run"], 0), (["store", "purge"], 143)], ids=["worker", "command on a store"]
)
def test_a_worker_that_is_stopped_while_it_starts_has_stopped(arguments: list[str], code: int) -> None:
    command = [sys.executable, "-c", STARTING, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starting:
        assert starting.stdout is not None
        assert starting.stdout.readline() == "up\n"
        starting.send_signal(signal.SIGTERM)
        assert starting.wait(60) == code
