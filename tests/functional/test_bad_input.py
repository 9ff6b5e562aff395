"""Wrong input is refused by the API server with a sentence that says how to fix it."""

from typing import Any

import pytest

from functional.callers import ApiError
from functional.world import Place, session_manifest
from whatsapp_session import names

Manifest = dict[str, Any]


def remote(**settings: Any) -> Manifest:
    """Return a spec with settings of RemoteAuth."""
    return {"auth": {"strategy": "RemoteAuth", "remoteAuth": settings}}


def local(**settings: Any) -> Manifest:
    """Return a spec with settings of LocalAuth."""
    return {"auth": {"strategy": "LocalAuth", "localAuth": settings}}


LOCAL: Manifest = {"auth": {"strategy": "LocalAuth", "localAuth": {}}}


def template(**spec: Any) -> Manifest:
    """Return a spec with a pod template."""
    return {"podTemplate": {"spec": spec}}


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"auth": {"strategy": "Magic"}}, '"NoAuth", "LocalAuth", "RemoteAuth"'),
        ({"auth": {"strategy": "LocalAuth"}}, "requires spec.auth.localAuth"),
        ({"auth": {"localAuth": {}}}, "spec.auth.localAuth is for strategy LocalAuth only"),
        ({"auth": {"strategy": "NoAuth", "remoteAuth": {}}}, "spec.auth.remoteAuth is for strategy RemoteAuth only"),
        (remote(backupSyncInterval="30s"), "of at least 1m, such as 5m"),
        (remote(backupSyncInterval="soon"), "must be a duration of whole hours, minutes and seconds"),
        (remote(backupSyncInterval=""), "must be a duration of whole hours, minutes and seconds"),
        (remote(generations=0), "greater than or equal to 1"),
        (
            {"auth": {"strategy": "LocalAuth", "localAuth": {"claimName": "mine", "onDelete": "Delete"}}},
            "spec.auth.localAuth.onDelete must not be Delete with claimName",
        ),
        ({"clientId": "a/b"}, "spec.clientId must consist of letters"),
        ({"linking": {"timeout": "1d"}}, "0s means no limit"),
        ({"linking": {"method": "PairingCode"}}, "requires spec.linking.phoneNumberSecretRef"),
        ({"linking": {"expectedAccount": "me"}}, "in digits with its country code"),
        ({"failover": {"leaseDuration": "11m"}}, "from 30s to 10m"),
        ({"warnings": {"archiveSize": "500MB"}}, "such as 500Mi"),
        ({"warnings": {"memory": "0Gi"}}, "such as 2Gi"),
        ({"browser": {"url": "http://web.whatsapp.com"}}, "spec.browser.url must be an https URL"),
        ({"browser": {"args": ["--user-data-dir=/x"]}}, "must not open a debugging port, change the profile"),
        ({"browser": {"args": ["--remote-debugging-port=1"]}}, "must not open a debugging port"),
        ({"browser": {"cdpPort": 80}}, "greater than or equal to 1024"),
        ({"browser": {"cdpPort": 8080}}, "spec.browser.cdpPort must not be 8080"),
        ({"browser": {"channel": "chromium-headless-shell"}}, 'supported values: "chromium"'),
        ({"browser": {"pageOwner": "Bot"}}, 'supported values: "Worker"'),
        ({"browser": {"args": ["--zygote-cmd-prefix=/bin/x"]}}, "or start programs"),
        ({"browser": {"args": ["--ppapi-plugin-launcher=/bin/x"]}}, "or start programs"),
        ({"browser": {"args": ["--incognito"]}}, "change the profile"),
        ({"browser": {"args": ["--host-resolver-rules=MAP * 10.0.0.1"]}}, "must not send the browser to other hosts"),
        ({"browser": {"args": ["--host-rules=MAP * 10.0.0.1"]}}, "must not send the browser to other hosts"),
        *(
            ({"browser": {"args": ["--lang=de", arg]}}, "must not let the browser read or write files")
            for arg in (
                "--log-net-log",
                "--log-net-log=var/lib/whatsapp/store/x",
                "--allow-file-access-from-files",
                "--allow-file-access",
                "--use-file-for-fake-audio-capture=x",
                "--ssl-key-log-file=x",
                "--log-file=x",
                "--trace-startup=*",
                "--trace-to-file",
                "--enable-tracing-output=x",
                "--crash-dumps-dir=x",
                "--media-cache-dir=x",
                "--export-uma-logs-to-file=x",
                "--dump-browser-histograms=x",
                "--print-to-pdf=x",
                "--screenshot",
                "--app=file:///etc/passwd",
            )
        ),
        *(
            ({"browser": {"args": [arg]}}, "must not be the path of a file or directory")
            for arg in (
                "--what-comes-next=/var/lib/whatsapp/store/x",
                "--what-comes-next='/x'",
                "--what-comes-next=../x",
                "--proxy-pac-url=file:///x",
                "--js-flags=--logfile=/var/lib/whatsapp/store/x",
                "--js-flags=--prof",
            )
        ),
        ({"browser": {"args": ["no-sandbox"]}}, "a switch that begins with '--'"),
        ({"browser": {"args": ["--"]}}, "a switch that begins with '--'"),
        (local(size="0"), "must be at least 1Mi"),
        (local(size="-1Gi"), "must be at least 1Mi"),
        (local(size="1m"), "must be at least 1Mi"),
        (local(size="1 Gi"), "must be a quantity such as 1Gi"),
        (local(size="many"), "must be a quantity such as 1Gi"),
        (local(storageClassName="A B"), "must be the name of a StorageClass"),
        (local(storageClassName="a..b"), "must be the name of a StorageClass"),
        (local(claimName="a..b"), "must be the name of a PersistentVolumeClaim"),
        (local(dataPath="a\nb"), "must not contain line breaks"),
        (local(dataPath="a\x00b"), "must not contain line breaks"),
        (local(dataPath="/a"), "must be a relative path on the volume; remove the '/'"),
        (local(dataPath="x" * 64), "at most 63 characters between two '/'"),
        (remote(storeRef={"name": "a.b"}), "must be the name of a SessionStore"),
        ({"linking": {"timeout": "1s"}}, "must be at least 30s"),
        ({"linking": {"phoneNumberSecretRef": {"name": "a..b", "key": "c"}}}, "must be the name of a Secret"),
        ({"linking": {"phoneNumberSecretRef": {"name": "a", "key": ".."}}}, "must be a key of the Secret"),
        ({"browser": {"proxySecretRef": {"name": "A", "key": "c"}}}, "must be the name of a Secret"),
        ({"browser": {"url": "web.whatsapp.com"}}, "spec.browser.url must be an https URL"),
        ({"browser": {"url": "https://"}}, "must have a host"),
        ({"browser": {"url": "https://:443/"}}, "must have a host"),
        ({"browser": {"url": "https://h:99999/"}}, "must have a port from 1 to 65535"),
        ({"browser": {"url": "https://h:http/"}}, "must have a port from 1 to 65535"),
        ({"browser": {"url": "https://h:0/"}}, "must have a port from 1 to 65535"),
        ({"browser": {"url": "https://me:secret@h/"}}, "must not contain a user or password"),
        ({"browser": {"url": "https://h/a b"}}, "must not contain blanks"),
        ({"browser": {"userAgent": "a\nb"}}, "must be printable ASCII on one line"),
        ({"browser": {"userAgent": "  "}}, "must be printable ASCII on one line"),
        ({"browser": {"args": ["--a\nb"]}}, "must be printable ASCII on one line"),
        ({"browser": {"args": ["--proxy-server=socks5://a:b@h:1"]}}, "spec.browser.proxySecretRef"),
        (
            {"podTemplate": {"metadata": {"labels": {"a b": "c"}}}},
            "spec.podTemplate.metadata.labels must be valid labels",
        ),
        (
            {"podTemplate": {"metadata": {"labels": {"x" * 64: "c"}}}},
            "spec.podTemplate.metadata.labels must be valid labels",
        ),
        (
            {"podTemplate": {"metadata": {"labels": {"a": "-"}}}},
            "spec.podTemplate.metadata.labels must be valid labels",
        ),
        (
            {"podTemplate": {"metadata": {"annotations": {"a..b/c": ""}}}},
            "spec.podTemplate.metadata.annotations must be valid annotation keys",
        ),
        (
            {"podTemplate": {"metadata": {"annotations": {f"a{number}": "x" * 16000 for number in range(13)}}}},
            "at most 200000 characters in all",
        ),
        (template(serviceAccountName="mine"), "must not set the service account"),
        (template(hostNetwork=True), "must not set hostNetwork"),
        (template(restartPolicy="Always"), "spec.podTemplate.spec.restartPolicy must not be set"),
        (template(volumes=[{"name": "x", "hostPath": {"path": "/"}}]), "must not contain a hostPath volume"),
        (template(volumes=[{"name": "store", "emptyDir": {}}]), "use other names"),
        (template(volumes=[{"emptyDir": {}}]), "spec.podTemplate.spec.volumes[0].name: Required value"),
        (template(containers=[{"image": "x"}]), "spec.podTemplate.spec.containers[0].name: Required value"),
        (template(initContainers=[{"image": "x"}]), "spec.podTemplate.spec.initContainers[0].name: Required value"),
        (template(containers="worker"), "spec.podTemplate.spec.containers in body must be of type array"),
        (template(containers=[{"name": "x", "env": [{"value": "1"}]}]), "containers[0].env[0].name: Required value"),
        (template(containers=[{"name": "x", "volumeMounts": [{"name": "v"}]}]), "mountPath: Required value"),
        ({"podTemplate": {"metadata": {"labels": {names.LABEL_SESSION: "other"}}}}, "use another prefix"),
        ({"operatingMode": "Paused"}, '"Running", "Suspended"'),
    ],
    ids=str,
)
def test_a_wrong_session_is_refused_with_a_sentence(place: Place, spec: Manifest, sentence: str) -> None:
    with pytest.raises(ApiError) as error:
        place.session("support", **spec)
    assert error.value.status == 422
    assert sentence in error.value.message


@pytest.mark.parametrize("name", ["a.b", "x" * 61], ids=["dots", "long"])
def test_a_name_that_a_pod_could_not_bear_is_refused(place: Place, name: str) -> None:
    with pytest.raises(ApiError) as error:
        place.session(name)
    assert "must be a DNS label of at most 60 characters" in error.value.message


def test_the_longest_name_is_accepted(place: Place) -> None:
    assert place.session("x" * 60)["metadata"]["name"] == "x" * 60


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ({"clientId": "one"}, {"clientId": "two"}, "spec.clientId is immutable"),
        ({}, {"clientId": "late"}, "spec.clientId is immutable"),
        ({"clientId": "one"}, {"clientId": None}, "spec.clientId is immutable"),
        ({}, {"auth": {"strategy": "NoAuth", "remoteAuth": None}}, "spec.auth.strategy is immutable"),
        (LOCAL, {"auth": {"localAuth": {"size": "2Gi"}}}, "spec.auth.localAuth are immutable"),
        (LOCAL, {"auth": {"localAuth": {"onDelete": "Delete"}}}, "spec.auth.localAuth are immutable"),
        (LOCAL, {"auth": {"localAuth": {"storageClassName": "fast"}}}, "spec.auth.localAuth are immutable"),
    ],
    ids=["changed", "set later", "removed", "strategy", "size", "onDelete", "class"],
)
def test_what_names_the_archives_cannot_change(place: Place, before: Manifest, after: Manifest, sentence: str) -> None:
    place.session("support", **before)
    with pytest.raises(ApiError) as error:
        place.update("support", **after)
    assert sentence in error.value.message


@pytest.mark.parametrize(
    "spec",
    [
        local(size="1Mi", storageClassName="", dataPath="Büro 2/x"),
        local(size="1.5Gi", storageClassName="fast.example-1"),
        local(size="500M", claimName="a.b-c"),
        {"linking": {"timeout": "0h0m0s"}},
        {"browser": {"url": "https://web.example.com:8443/a?b=c@d#e", "userAgent": "Mine/1.0 (x; y)"}},
        {"browser": {"url": "https://[fd00::1]/", "args": ["--proxy-server=socks5://h:1", "--lang=de"]}},
        {"podTemplate": {"metadata": {"labels": {"a.b/c_d.e": ""}, "annotations": {"Sidecar.example.com/X": "\n"}}}},
    ],
    ids=str,
)
def test_unusual_settings_that_work_are_accepted(place: Place, spec: Manifest) -> None:
    place.session("support", **spec)


def test_switches_that_harm_nobody_are_accepted(place: Place) -> None:
    switches = [
        "--lang=en-US",
        "--proxy-server=http://proxy:3128",
        "--js-flags=--max-old-space-size=512",
        "--no-sandbox",
        "--force-device-scale-factor=.5",
    ]
    place.session("support", browser={"args": [*switches, "--user-agent=Mozilla/5.0 (X11; Linux x86_64)"]})
    place.update("support", browser={"args": ["--window-size=800,600"]})


def test_an_absent_spec_gets_every_default(place: Place) -> None:
    manifest = session_manifest(place.name, "support", {})
    del manifest["spec"]
    made = place.admin.create(manifest)
    assert made["spec"] == {
        "operatingMode": "Running",
        "auth": {
            "strategy": "RemoteAuth",
            "remoteAuth": {
                "storeRef": {"name": "default"},
                "backupSyncInterval": "5m",
                "generations": 3,
                "interop": "EverySave",
                "onDelete": "Retain",
            },
        },
        "linking": {"method": "QRCode", "timeout": "30m"},
        "browser": {"url": "https://web.whatsapp.com/", "channel": "chromium", "pageOwner": "Worker"},
        "failover": {"leaseDuration": "60s"},
    }
