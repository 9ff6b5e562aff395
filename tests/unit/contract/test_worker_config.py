"""The environment that carries a session's settings to its worker."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_session import session_spec, worker_config

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
_IDENTITY = st.builds(
    worker_config.ResourceIdentity,
    cluster=_TEXT,
    namespace=_TEXT,
    name=_TEXT,
    uid=_TEXT,
    pod_name=_TEXT,
    pod_uid=_TEXT,
    node_name=_TEXT,
)
_CONFIG = st.builds(
    worker_config.WorkerConfig,
    strategy=st.sampled_from(session_spec.Strategy),
    client_id=st.from_regex(r"[-_A-Za-z0-9]*", fullmatch=True),
    data_path=_TEXT,
    store=st.none() | _TEXT,
    store_secrets=st.none() | _TEXT,
    store_options=st.dictionaries(_TEXT, _TEXT),
    allow_unfenced=st.booleans(),
    encryption_key_file=st.none() | _TEXT,
    backup_sync_interval=st.integers(60, 10**6),
    generations=st.integers(1, 100),
    interop=st.sampled_from(session_spec.Interop),
    linking_method=st.sampled_from(session_spec.LinkingMethod),
    linking_timeout=st.integers(0, 10**6),
    expected_account=st.none() | _TEXT,
    browser_url=_TEXT,
    browser_channel=_TEXT,
    browser_user_agent=st.none() | _TEXT,
    browser_args=st.lists(_TEXT).map(tuple),
    separate_processes=st.booleans(),
    page_owner=_TEXT,
    cdp_port=st.integers(0, 65535),
    proxy_file=st.none() | _TEXT,
    phone_number_file=st.none() | _TEXT,
    archive_warning=st.integers(0, 2**40),
    memory_warning=st.integers(0, 2**40),
    lease_duration=st.integers(30, 600),
    health_port=st.none() | st.integers(1, 65535),
    resource=st.none() | _IDENTITY,
)


def _downward(config: worker_config.WorkerConfig) -> dict[str, str]:
    if config.resource is None:
        return {}
    return {
        worker_config.POD_NAME: config.resource.pod_name,
        worker_config.POD_UID: config.resource.pod_uid,
        worker_config.POD_NAMESPACE: config.resource.namespace,
        worker_config.NODE_NAME: config.resource.node_name,
    }


@given(_CONFIG)
def test_a_worker_reads_what_the_operator_wrote(config: worker_config.WorkerConfig) -> None:
    assert worker_config.from_env(worker_config.to_env(config) | _downward(config)) == config


def test_each_attribute_but_the_identity_has_one_variable_of_its_own() -> None:
    attributes = [field.name for field in dataclasses.fields(worker_config.WorkerConfig)]
    assert sorted(attributes) == sorted(["resource", *(setting.attribute for setting in worker_config.SETTINGS)])
    variables = [setting.variable for setting in worker_config.SETTINGS]
    assert len(variables) == len(set(variables))


def test_variables_that_this_version_does_not_know_are_ignored() -> None:
    assert worker_config.from_env({"PATH": "/bin", "WHATSAPP_FUTURE": "1"}) == worker_config.WorkerConfig()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WHATSAPP_AUTH_STRATEGY", "MagicAuth"),
        ("WHATSAPP_LEASE_DURATION_SECONDS", "-1"),
        ("WHATSAPP_GENERATIONS", "three"),
        ("WHATSAPP_CDP_PORT", "http"),
        ("WHATSAPP_BROWSER_ARGS", "--no-sandbox"),
        ("WHATSAPP_BROWSER_ARGS", "[1]"),
        ("WHATSAPP_STORE_OPTIONS", '{"retries": 3}'),
        ("WHATSAPP_STORE_OPTIONS", "table=x"),
        ("WHATSAPP_STORE_ALLOW_UNFENCED", "yes"),
    ],
)
def test_a_value_that_is_not_understood_is_refused_with_a_sentence(name: str, value: str) -> None:
    with pytest.raises(session_spec.SpecError, match=f"{name} must be"):
        worker_config.from_env({name: value})


def test_a_pod_without_the_downward_api_is_refused_by_name() -> None:
    env = {"WHATSAPP_SESSION_NAME": "support", "WHATSAPP_SESSION_UID": "u", "WHATSAPP_CLUSTER_UID": "c"}
    with pytest.raises(session_spec.SpecError, match="WHATSAPP_POD_UID"):
        worker_config.from_env(env)


def test_limits_that_are_not_set_leave_the_template_as_it_was() -> None:
    plain = worker_config.WorkerConfig()
    assert not [name for name in worker_config.to_env(plain) if "WARNING" in name]
    limited = dataclasses.replace(plain, archive_warning=5, memory_warning=6)
    assert worker_config.from_env(worker_config.to_env(limited)) == limited
