"""Samples of what is observed of a store."""

import dataclasses
from typing import Any

from scenes.operator import samples
from whatsapp_operator.observed.state import Ownership, Problem
from whatsapp_operator.store import plan
from whatsapp_operator.store.observed import Check, CheckPod, ObservedStore, Verdict
from whatsapp_session.conditions import Reason

Manifest = dict[str, Any]


GOOD = Verdict(True, Reason.STORE_ANSWERED, "the store answered the check")


BAD = Verdict(False, Reason.STORE_UNAVAILABLE, "the bucket does not exist")


DOWN = Problem(Reason.STORE_UNAVAILABLE, "no answer")


def check(verdict: Verdict = GOOD, **more: Any) -> Check:
    """Return a check that ended at noon."""
    values: dict[str, Any] = {
        "time": samples.NOON, "generation": 1, "template_hash": "hash", "pod_uid": "old", "failures": 0
    }  # fmt: skip
    return Check(verdict, **(values | more))


def check_of(**more: Any) -> CheckPod:
    """Return a check's pod, made at noon."""
    values: dict[str, Any] = {
        "uid": "new",
        "ownership": Ownership.OURS,
        "deleting": False,
        "template_hash": "hash",
        "verdict": None,
        "problem": None,
    }
    return CheckPod(**(values | more))


def observed(**more: Any) -> ObservedStore:
    """Return an observation of the sample store."""
    return ObservedStore(samples.store(), **more)


def aged(found: ObservedStore, seconds: float) -> ObservedStore:
    """Return an observation of which the operator has known all for so long."""
    return dataclasses.replace(found, ages=dict.fromkeys(plan.facts(found), seconds))
