"""What a user can set, run or extend stands in `docs/`, and its links lead somewhere."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from penstock.cli.main import COMMANDS
from penstock.spec import ProjectSpec

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TEXT = "\n".join(page.read_text() for page in PAGES)
README = ROOT / "README.md"
TOLD = "\n".join(page.read_text() for page in [*PAGES, README] if page.parent.name != "decisions")  # to users
PACKAGE = ROOT / "src" / "penstock"
VARIABLES = sorted(set(re.findall(r"\bPENSTOCK_[A-Z_]*[A-Z]\b", (PACKAGE / "store" / "workspace.py").read_text())))
FLOWS = sorted(path.stem for path in (ROOT / "flows").glob("[a-z]*.py"))
DROP_IN_FOLDERS = sorted(
    path.parent
    for path in PACKAGE.rglob("_base.py")
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


def rooms_of(layer: str) -> set[str]:
    """Return the rooms of an import contract's layer, but for those that nobody has built yet."""
    return {
        room
        for room in re.findall(r"\w+", layer)
        if (PACKAGE / f"{room}.py").exists() or (PACKAGE / room / "__init__.py").exists()
    }


@pytest.mark.parametrize("flow", FLOWS)
def test_every_flow_is_in_the_docs(flow: str) -> None:
    assert re.search(rf"\b{flow}\b", TEXT), f"docs/ must say what the flow {flow} does"


@pytest.mark.parametrize("setting", list(settings(ProjectSpec)))
def test_every_setting_of_the_project_file_is_in_the_docs(setting: str) -> None:
    assert f"`{setting}`" in TEXT, f"docs/ must say what `{setting}` does"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_docs(command: str) -> None:
    assert re.search(rf"\bpenstock {command}(?![\w-])", TOLD), f"a page must say what `penstock {command}` does"


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_of_the_environment_is_in_the_docs(variable: str) -> None:
    assert re.search(rf"\b{variable}\b", TOLD), f"a page must say what {variable} does"


def test_the_layers_of_the_architecture_are_those_that_imports_are_checked_by() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    shown = re.search(r"^## Which way imports run$.*?^```\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    assert shown, "docs/architecture.md must show the layers in a block"
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    checked = next(each["layers"] for each in contracts if each.get("containers") == ["penstock"])
    drawn = [set(line.split(" | ")) for line in shown.group(1).splitlines()]
    assert drawn == [rooms_of(layer) for layer in checked]


@pytest.mark.parametrize("folder", DROP_IN_FOLDERS, ids=lambda folder: folder.name)
def test_every_folder_of_drop_ins_is_in_the_docs(folder: Path) -> None:
    name = str(folder.relative_to(PACKAGE))
    assert f"{name}/" in TEXT, f"docs/ must say how to add to {name}/"


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: str(page.relative_to(ROOT)))
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
