"""What a user can set, run or extend stands in `docs/`, and its links lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from penstock.spec import ProjectSpec

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TEXT = "\n".join(page.read_text() for page in PAGES)
FLOWS = sorted(path.stem for path in (ROOT / "flows").glob("[a-z]*.py"))
DROP_IN_FOLDERS = sorted(
    path.parent
    for path in (ROOT / "src" / "penstock").rglob("_base.py")
    if "name: ClassVar[str]" in path.read_text()  # what a drop-in is found by
)
NOT_SET_BY_PEOPLE = {"path"}  # where the file was read
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Return every setting of the project file, as `section.name`."""
    for name, field in model.model_fields.items():
        if name in NOT_SET_BY_PEOPLE and not prefix:
            continue
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from settings(section, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


@pytest.mark.parametrize("flow", FLOWS)
def test_every_flow_is_in_the_docs(flow: str) -> None:
    assert re.search(rf"\b{flow}\b", TEXT), f"docs/ must say what the flow {flow} does"


@pytest.mark.parametrize("setting", list(settings(ProjectSpec)))
def test_every_setting_of_the_project_file_is_in_the_docs(setting: str) -> None:
    assert f"`{setting}`" in TEXT, f"docs/ must say what `{setting}` does"


@pytest.mark.parametrize("folder", DROP_IN_FOLDERS, ids=lambda folder: folder.name)
def test_every_folder_of_drop_ins_is_in_the_docs(folder: Path) -> None:
    name = str(folder.relative_to(ROOT / "src" / "penstock"))
    assert f"{name}/" in TEXT, f"docs/ must say how to add to {name}/"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_page_can_be_reached_from_the_index() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        waiting += [page.parent / link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert not [page for page in PAGES if page.resolve() not in seen]
