"""What a manager has applied is read from the object's own record of it."""

import pytest

from whatsapp_kube import managed_fields

OWNERS = [{"uid": "a", "name": "one", "controller": False}, {"uid": "b", "name": "another"}]
FOUND = {
    "apiVersion": "v1",
    "kind": "Role",
    "metadata": {
        "name": "own",
        "labels": {"ours": "1", "theirs": "2"},
        "finalizers": ["x", "y"],
        "ownerReferences": OWNERS,
        "managedFields": [
            {"manager": "ours", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {"f:theirs": {}}}}},
            {
                "manager": "ours",
                "operation": "Apply",
                "subresource": "status",
                "fieldsV1": {"f:metadata": {"f:labels": {"f:theirs": {}}}},
            },
            {
                "manager": "ours",
                "operation": "Apply",
                "fieldsV1": {
                    "f:metadata": {
                        "f:labels": {".": {}, "f:ours": {}, "f:gone": {}},
                        "f:finalizers": {'v:"y"': {}, 'v:"z"': {}},
                        "f:ownerReferences": {'k:{"uid":"a"}': {}, 'k:{"uid":"c"}': {}},
                    },
                    "f:rules": {},
                },
            },
        ],
    },
    "rules": [{"verbs": ["get"]}],
}


def test_the_fields_of_a_manager_are_its_own_and_no_others() -> None:
    assert managed_fields.applied(FOUND, "ours") == {
        "metadata": {"labels": {"ours": "1"}, "finalizers": ["y"], "ownerReferences": OWNERS[:1]},
        "rules": [{"verbs": ["get"]}],
    }


@pytest.mark.parametrize("found", [{}, {"metadata": {}}, {"metadata": {"managedFields": "many"}}, FOUND])
def test_a_manager_that_applied_nothing_has_no_fields(found: dict[str, object]) -> None:
    assert managed_fields.applied(found, "another") == {}


def test_a_manifest_has_the_form_of_what_was_applied() -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Role",
        "metadata": {"name": "own", "namespace": "bots", "labels": {"ours": "1"}, "annotations": {}},
        "rules": [],
        "flag": False,
    }
    assert managed_fields.of_manifest(manifest) == {"metadata": {"labels": {"ours": "1"}}, "flag": False}
