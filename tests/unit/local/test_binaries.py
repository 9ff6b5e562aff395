"""Versions of programs and lists of packages."""

import pytest

from deploy.local.build import binaries, debian_packages, versions


def test_every_line_of_the_package_list_names_package_command_and_use() -> None:
    listed = debian_packages.parse(debian_packages.LIST.read_text())
    assert {package.use for package in listed} == {"node", "image", "browser", "javascript", "clocks"}
    assert len({package.name for package in listed}) == len(listed)


@pytest.mark.parametrize(
    ("text", "version"), [("go1.26.8\n", (1, 26, 8)), ("go1.24", (1, 24, 0)), ("devel", (0,)), ("", (0,))]
)
def test_go_versions_are_compared_by_number(text: str, version: tuple[int, ...]) -> None:
    assert binaries.parse_go_version(text) == version


def test_each_tool_is_pinned_by_module_files() -> None:
    for tool in versions.TOOLS.values():
        assert (tool.sources / "go.mod").exists()
        assert tool.name == "pause" or (tool.sources / "go.sum").exists()


def test_every_version_is_the_one_that_its_module_file_requires() -> None:
    for tool in versions.TOOLS.values():
        text = (tool.sources / "go.mod").read_text()
        assert tool.name == "pause" or tool.version in text
