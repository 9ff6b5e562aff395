"""Pods that do one thing to a store."""

from whatsapp_operator.manifests import pod_shape


def test_a_quota_may_demand_any_limit_and_any_request() -> None:
    # A namespace whose quota counts one of them refuses a container that names it not.
    for part in ("requests", "limits"):
        assert pod_shape.STORE_POD_RESOURCES[part].keys() == {"cpu", "memory", "ephemeral-storage"}, part
