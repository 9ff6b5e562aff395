"""What an uninstalled operator leaves can be deleted."""

import asyncio
from typing import Any

import pytest

from fakes.kube import FakeKube
from scenes.operator import samples
from whatsapp_kube.errors import Conflict
from whatsapp_kube.requests import Ref, ref_of
from whatsapp_operator import app, finalizer_cleanup, options
from whatsapp_operator.manifests import purge_pod, worker_pod
from whatsapp_session import names

Manifest = dict[str, Any]
SESSION = Ref(names.SESSION_KIND, samples.NAMESPACE, samples.NAME)
STORE = Ref(names.STORE_KIND, samples.NAMESPACE, "default")


@pytest.fixture
def kube() -> FakeKube:
    """A cluster with a held session and a held store."""
    made = FakeKube()
    for manifest in (samples.session_resource(), samples.store_resource()):
        ours = finalizer_cleanup.FINALIZERS[manifest["kind"]]
        made.put(manifest | {"metadata": manifest["metadata"] | {"finalizers": [ours, "of/others"]}})
    return made


def finalizers(kube: FakeKube) -> list[list[str]]:
    """Return the finalizers of both."""
    return [kube.objects[ref]["metadata"]["finalizers"] for ref in (SESSION, STORE)]


def test_ours_go_and_those_of_others_stay(kube: FakeKube) -> None:
    assert asyncio.run(finalizer_cleanup.release(kube, ())) == 2
    assert finalizers(kube) == [["of/others"], ["of/others"]]
    assert asyncio.run(finalizer_cleanup.release(kube, ())) == 0


def test_other_namespaces_are_left_alone(kube: FakeKube) -> None:
    assert asyncio.run(finalizer_cleanup.release(kube, ("elsewhere",))) == 0
    assert asyncio.run(finalizer_cleanup.release(kube, ("elsewhere", samples.NAMESPACE))) == 2


def test_a_purge_that_waits_for_its_store_is_stopped_before_its_session_goes(kube: FakeKube) -> None:
    session, store = samples.session(), samples.store()
    purge = kube.put(purge_pod.purge_pod(session, store, samples.DEFAULTS))
    worker = kube.put(worker_pod.pod(session, store, samples.DEFAULTS))
    asyncio.run(finalizer_cleanup.release(kube, ("elsewhere",)))
    assert ref_of(purge) in kube.objects
    asyncio.run(finalizer_cleanup.release(kube, (samples.NAMESPACE,)))
    assert ref_of(purge) not in kube.objects
    assert ref_of(worker) in kube.objects
    changes = [call for call in kube.calls if call.startswith(("delete", "finalize"))]
    assert changes == [
        "delete Pod/wapurge-support",
        "finalize WhatsAppSession/support",
        "finalize SessionStore/default",
    ]


def test_a_session_whose_worker_still_reports_is_read_again(kube: FakeKube) -> None:
    def report(number: int) -> None:
        if kube.calls[number].startswith("finalize") and not reported:
            reported.append(number)
            kube.touch(SESSION, lambda session: session.update(status={"session": {}}))

    reported: list[int] = []
    kube.before_call = report
    assert asyncio.run(finalizer_cleanup.release(kube, ())) == 2
    assert reported


def test_a_session_that_changes_all_the_while_is_an_error(kube: FakeKube) -> None:
    kube.before_call = lambda number: kube.touch(SESSION, lambda session: None)
    with pytest.raises(Conflict, match="keeps changing"):
        asyncio.run(finalizer_cleanup.release(kube, ()))


def test_the_command_is_parsed() -> None:
    chosen = options.parse(["release-finalizers", "--namespace=a", "--namespace=b", "--context=c"], {})
    assert (chosen.command, chosen.namespaces, chosen.context) == ("release-finalizers", ("a", "b"), "c")
    assert app.main(["release-finalizers", "--kubeconfig=/does/not/exist"]) == 2
