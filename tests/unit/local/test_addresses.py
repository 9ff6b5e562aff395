"""Names and addresses of local clusters."""

import ipaddress
from pathlib import Path

import pytest

from deploy.local.errors import LocalClusterError
from deploy.local.native import addresses


def test_a_name_always_gets_the_same_block() -> None:
    assert addresses.choose("wso", []) == addresses.choose("wso", [])


def test_two_clusters_get_different_blocks_when_the_first_has_a_route() -> None:
    first = addresses.choose("wso", []).block
    assert not addresses.choose("wso", [first]).block.overlaps(first)


def test_no_part_of_a_cluster_lies_in_another_part() -> None:
    own = addresses.choose("wso", [])
    networks = [ipaddress.ip_network(text) for text in (own.services, own.pods(1), own.pods(2), f"{own.host}/32")]
    pairs = [(one, other) for one in networks for other in networks if one is not other]
    assert not any(one.overlaps(other) for one, other in pairs)
    assert all(network.subnet_of(own.block) for network in networks)
    assert ipaddress.ip_address(own.first_service) in ipaddress.ip_network(own.services)
    assert ipaddress.ip_address(own.node(1)) in ipaddress.ip_network(own.pods(1))


def test_a_machine_whose_routes_cover_everything_is_told_so() -> None:
    with pytest.raises(LocalClusterError, match="overlaps a route"):
        addresses.choose("wso", [ipaddress.IPv4Network("10.0.0.0/8")])


def test_a_link_has_a_name_that_the_kernel_accepts() -> None:
    assert len(addresses.link(Path("/c/clusters") / ("a" * 20))) <= 15


def test_clusters_of_one_name_in_two_caches_share_neither_link_nor_control_group(tmp_path: Path) -> None:
    here, there = tmp_path / "here" / "wso", tmp_path / "there" / "wso"
    assert addresses.link(here) != addresses.link(there)
    assert addresses.cgroup(here, 1) != addresses.cgroup(there, 1)


def test_a_cluster_has_one_link_however_its_cache_is_spelled(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    assert addresses.link(tmp_path / "alias" / "wso") == addresses.link(tmp_path / "real" / "wso")


def test_routes_are_read_as_the_kernel_prints_them() -> None:
    text = "default via 192.0.2.1 dev eth0\n192.0.2.0/24 dev eth0 proto kernel\nlocal 127.0.0.1 dev lo table local\n"
    assert addresses.routes(text) == [ipaddress.IPv4Network("192.0.2.0/24"), ipaddress.IPv4Network("127.0.0.1/32")]
