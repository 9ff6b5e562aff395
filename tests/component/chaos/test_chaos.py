"""Random faults over real sessions; the package's docstring says what must be true of them."""

import contextlib
import http.client
import os
import pathlib
import random
import time

from component.chaos import faults, scene
from component.workers import wait
from functional.callers import ApiError
from simulator import server
from simulator.testing import running_simulator

SOAK = bool(os.environ.get("WSO_SOAK"))
SMALL, LARGE = scene.Size(3, 15, "30s"), scene.Size(20, 60, "60s")
COUNT = 12
MINUTES = float(os.environ.get("WSO_CHAOS_MINUTES", "30"))
PATIENCE = 400.0
NO_ANSWER = (ApiError, OSError, http.client.HTTPException)


def played(whole: scene.Scene, plan: list[faults.Planned]) -> list[str]:
    """Let the faults of a plan strike and pass; returns what was done and when."""
    acts = [(each.at, each.fault.strike, each) for each in plan]
    acts += [(each.at + each.lasts, each.fault.restore, each) for each in plan]
    done: list[str] = []
    begun = time.monotonic()
    for at, act, each in sorted(acts, key=lambda one: one[0]):
        scene.watch(whole, at - (time.monotonic() - begun))
        done.append(f"{time.monotonic() - begun:6.1f} s  {'begin' if act is each.fault.strike else 'end  '} {each}")
        print(done[-1], flush=True)
        with contextlib.suppress(*NO_ANSWER):  # what needs an API server that does not answer does not happen
            act(whole, each.session)
        whole.home.simulator.admin.write(each.session, "4917012345678", f"at {at:.1f} s")
    return done


def test_no_fault_costs_a_login_or_lets_two_browsers_run(tmp_path: pathlib.Path, seed: int) -> None:
    size = LARGE if SOAK else SMALL
    chance = random.Random(f"{seed} chaos")
    with (
        running_simulator(
            server.Options(heartbeat_s=15.0 if SOAK else 5.0), sync_bytes=300_000, sync_s=0.3
        ) as simulator,
        scene.running(tmp_path, simulator, size) as whole,
    ):
        whole.create()
        for name in whole.names():
            whole.link(name)
        plan = faults.schedule(chance, whole.names(), COUNT, SOAK)
        while SOAK and plan[-1].at < MINUTES * 60:
            plan = faults.schedule(random.Random(f"{seed} chaos"), whole.names(), len(plan) + 10, SOAK)
        done = played(whole, plan)
        faults.end_all(whole)
        log = "\n".join([f"seed {seed}", *done])
        for name in whole.names():

            def settled(name: str = name) -> bool:
                scene.watch(whole, 0)
                with contextlib.suppress(*NO_ANSWER):
                    return whole.settled(name) == ""
                return False

            def open_points(name: str = name) -> str:
                return f"{name}: {whole.settled(name)}\n{whole.told(name)}\n{log}"

            wait(settled, open_points, PATIENCE)
            device = whole.devices[name]
            assert len(simulator.admin.devices(name)) == 1, f"{name} was linked again\n{log}"
            report = simulator.admin.verify(device)
            assert report["ok"], f"{name}: {report}\n{log}"
        assert whole.two_browsers() == 0, log
