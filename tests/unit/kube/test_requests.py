"""Requests to the API server, as they are sent."""

from typing import Any

import pytest

from whatsapp_kube import requests
from whatsapp_kube.requests import Ref, Request

POD = Ref("Pod", "bots", "wa-support")
LEASE: dict[str, Any] = {"kind": "Lease", "metadata": {"namespace": "bots", "name": "wa-support"}}
SESSION: dict[str, Any] = {"kind": "WhatsAppSession", "metadata": {"namespace": "bots", "name": "support"}}
PODS, LEASES = "/api/v1/namespaces/bots/pods", "/apis/coordination.k8s.io/v1/namespaces/bots/leases"
SESSIONS = "/apis/whatsapp-operator.dev/v1alpha1/namespaces/bots/whatsappsessions"


@pytest.mark.parametrize(
    ("request_", "method", "target", "kind"),
    [
        pytest.param(requests.get(POD), "GET", f"{PODS}/wa-support", "json", id="get"),
        pytest.param(requests.get(Ref("Namespace", "", "bots")), "GET", "/api/v1/namespaces/bots", "json", id="no ns"),
        pytest.param(requests.items("Pod", ""), "GET", "/api/v1/pods", "json", id="list all"),
        pytest.param(
            requests.items("Pod", "bots", {"a": "b", "c": "d"}, 500, "on"),
            "GET",
            f"{PODS}?limit=500&labelSelector=a%3Db%2Cc%3Dd&continue=on",
            "json",
            id="list some",
        ),
        pytest.param(requests.create(LEASE, dryRun="All"), "POST", f"{LEASES}?dryRun=All", "json", id="create"),
        pytest.param(requests.replace(LEASE), "PUT", f"{LEASES}/wa-support", "json", id="replace"),
        pytest.param(
            requests.apply(SESSION, manager="me", subresource="status"),
            "PATCH",
            f"{SESSIONS}/support/status?fieldManager=me&force=true",
            "apply-patch+yaml",
            id="apply a status",
        ),
        pytest.param(requests.merge(POD, {}), "PATCH", f"{PODS}/wa-support", "merge-patch+json", id="merge"),
        pytest.param(requests.delete(POD), "DELETE", f"{PODS}/wa-support", "json", id="delete"),
    ],
)
def test_a_request_has_method_path_query_and_type(request_: Request, method: str, target: str, kind: str) -> None:
    assert (request_.method, request_.target, request_.content_type) == (method, target, f"application/{kind}")


def test_a_name_stays_one_part_of_the_path() -> None:
    assert requests.get(Ref("Pod", "bots", "../secrets/key?x")).target == f"{PODS}/..%2Fsecrets%2Fkey%3Fx"


def test_a_deletion_names_the_object_that_is_meant_and_its_grace() -> None:
    options = {"apiVersion": "v1", "kind": "DeleteOptions"}
    assert requests.delete(POD).body == options
    exact = options | {"preconditions": {"uid": "u"}, "gracePeriodSeconds": 0}
    assert requests.delete(POD, uid="u", grace=0).body == exact


def test_an_error_names_verb_kind_and_name_and_never_the_content() -> None:
    asked = requests.apply(SESSION, manager="me", subresource="status").asked
    assert (asked.verb, asked.kind, asked.name) == (requests.STATUS, "WhatsAppSession", "support")
