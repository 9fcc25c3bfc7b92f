"""Links within the documents lead somewhere: to a file of the repository, and to a heading that it has."""

import pytest

from tests.docs.pages import ROOT, anchors, links, pages

LINKS = [(page, line, target) for page in pages() for line, target in links(page) if "://" not in target]


def test_there_are_some() -> None:
    assert len(LINKS) > 100


@pytest.mark.parametrize(("page", "line", "target"), LINKS, ids=lambda each: str(each))
def test_a_link_leads_to_what_is_there(page: str, line: int, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (ROOT / page).parent / path if path else ROOT / page

    assert file.exists(), f"{page}:{line}: there is no {path}"
    if anchor:
        assert file.suffix == ".md"
        assert anchor in anchors(str(file.resolve().relative_to(ROOT))), f"{page}:{line}: {path} has no such heading"


def test_every_document_can_be_reached_from_the_readme() -> None:
    found, new = set[str](), {"README.md"}
    while new:
        found |= new
        targets = {(page, target.partition("#")[0]) for page, _, target in LINKS if page in new}
        files = {((ROOT / page).parent / target).resolve() for page, target in targets if target.endswith(".md")}
        new = {str(file.relative_to(ROOT)) for file in files} - found

    assert {page for page in pages() if not page.startswith("contrib/")} <= found
