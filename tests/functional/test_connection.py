"""How the operator finds the API server and says who it is."""

import asyncio
import json
from pathlib import Path

import pytest

from functional.conftest import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE
from functional.world import World
from whatsapp_kube.errors import KubeError
from whatsapp_kube.requests import Ref
from whatsapp_operator import connection, kube
from whatsapp_operator.errors import UsageError
from whatsapp_session import names


@pytest.fixture
def account(world: World, tmp_path: Path) -> Path:
    """The directory of a service account, as the kubelet mounts it into the operator's pod."""
    (tmp_path / "token").write_text(world.token(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT) + "\n")
    (tmp_path / "ca.crt").write_bytes(world.plane.api.authority.read_bytes())
    return tmp_path


def environ(world: World, account: Path) -> dict[str, str]:
    """Return the environment of a pod."""
    host, _, port = world.plane.server.removeprefix("https://").rpartition(":")
    variables = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    return {**variables, connection.ACCOUNT_VARIABLE: str(account)}


async def sessions(found: connection.Connection, namespace: str) -> int:
    """Return the number of sessions in a namespace."""
    async with kube.ClusterKube(found) as seam:
        count = len(await kube.items(seam, names.SESSION_KIND, namespace))
    await asyncio.sleep(0.1)  # aiohttp ends its TLS connections in callbacks of the loop
    return count


def test_a_pods_account_reads_what_it_may(world: World, account: Path) -> None:
    place = world.namespace()
    place.session("support")

    async def ask() -> int:
        return await sessions(await connection.find(None, None, environ(world, account)), place.name)

    assert asyncio.run(ask()) == 1


def test_a_token_that_the_kubelet_has_renewed_is_used(
    world: World, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TOKEN_SECONDS", 0.0)
    right = (account / "token").read_text()
    (account / "token").write_text("expired")
    namespace = world.namespace().name

    async def ask() -> None:
        found = await connection.find(None, None, environ(world, account))
        async with kube.ClusterKube(found) as seam:
            with pytest.raises(KubeError) as error:
                await seam.get(Ref(names.SESSION_KIND, namespace, "support"))
            assert error.value.status == 401
            (account / "token").write_text(right)
            assert await seam.get(Ref(names.SESSION_KIND, namespace, "support")) is None
        await asyncio.sleep(0.1)  # aiohttp ends its TLS connections in callbacks of the loop

    asyncio.run(ask())


def test_a_plug_in_of_a_kubeconfig_gives_the_token(world: World, account: Path) -> None:
    place = world.namespace()
    place.session("support")
    file = world.kubeconfig(account, "none")
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    (account / "credential").write_text(
        json.dumps({**credential, "status": {"token": (account / "token").read_text().strip()}})
    )
    loaded = json.loads(file.read_text())
    plug_in = {"apiVersion": credential["apiVersion"], "command": "cat", "args": [str(account / "credential")]}
    loaded["users"][0]["user"] = {"exec": {**plug_in, "interactiveMode": "Never"}}
    file.write_text(json.dumps(loaded))

    async def ask() -> int:
        return await sessions(await connection.find(str(file), None), place.name)

    assert asyncio.run(ask()) == 1


def test_without_a_pod_and_a_kubeconfig_the_way_to_name_one_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="set --kubeconfig or KUBECONFIG"):
        asyncio.run(connection.find(str(tmp_path / "nothing"), None, {}))


def test_a_list_of_several_pages_is_complete(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube, "PAGE", 2)
    place = world.namespace()
    for number in range(5):
        place.session(f"s-{number}")

    async def sizes() -> list[int]:
        found = await connection.find(str(world.plane.kubeconfig), None)
        async with kube.ClusterKube(found) as seam:
            pages = [page async for page in seam.pages(names.SESSION_KIND, place.name)]
            assert pages[0][0]["kind"] == names.SESSION_KIND
        await asyncio.sleep(0.1)  # aiohttp ends its TLS connections in callbacks of the loop
        return [len(page) for page in pages]

    assert asyncio.run(sizes()) == [2, 2, 1]
