"""The documentation's links and the README's size."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    page
    for pattern in ("*.md", "deploy/**/*.md", "charts/**/*.md", "tests/**/*.md")
    for page in ROOT.glob(pattern)
    if "node_modules" not in page.parts
)


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Yield file and heading of each link of a page that stays in the repository."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            path, _, heading = target.partition("#")
            yield path, heading


def anchors(page: Path) -> set[str]:
    """Return the anchors that a Markdown renderer makes of a page's headings."""
    headings = re.findall(r"^#+ +(.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_to_a_file_and_heading(page: Path) -> None:
    for path, heading in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.relative_to(ROOT)} links to {path}, which does not exist"
        if heading:
            assert heading in anchors(target), f"{page.relative_to(ROOT)} links to #{heading} of {target.name}"


def test_each_documentation_page_is_reachable_from_the_readme() -> None:
    seen, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        ahead += [(page.parent / path).resolve() for path, _ in links(page) if path]
    assert {page for page in PAGES if page.parent.name == "docs"} <= seen


def test_the_readme_fits_on_a_screen_or_two() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


ROOTS = (
    "",
    "operator",
    "worker",
    "worker/whatsapp_worker",
    "operator/whatsapp_operator",
    "tests",
    "tests/conformance",
    "deploy/local",
)
"""Folders from which a page may name a file."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_source_file_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(r"`([\w.-]+(?:/[\w.-]+)*\.(?:py|json|js|yaml|toml|md))(?:: ?\w+|::\w+)?`", page.read_text())
    missing = [name for name in named if not any((base / name).exists() for base in (ROOT / part for part in ROOTS))]
    beside = [name for name in missing if "/" in name and not (page.parent / name).exists()]
    assert not beside, f"{page.relative_to(ROOT)} names files that do not exist"
