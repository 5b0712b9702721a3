"""Drop-ins do not know each other; what two of them share lies in a module whose name begins with `_`."""

import ast
import importlib
from pathlib import Path

import pytest

from penstock.plugins import find_plugins, strangers

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "penstock"
FOLDERS = sorted(
    path.parent for path in PACKAGE.rglob("_base.py") if "name: ClassVar[str]" in path.read_text()
)  # what a drop-in is found by
DROP_INS = [path for folder in FOLDERS for path in sorted(folder.glob("[a-z]*.py"))]


def imported_by(path: Path) -> set[str]:
    """Return the dotted names that a module imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_there_are_families_sources_and_detectors() -> None:
    rooms = {str(folder.relative_to(PACKAGE)) for folder in FOLDERS}
    assert rooms >= {"models", "data/sources", "monitoring/detectors"}


@pytest.mark.parametrize("path", DROP_INS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_a_drop_in_imports_no_other(path: Path) -> None:
    room = ".".join(("penstock", *path.parent.relative_to(PACKAGE).parts))
    others = {f"{room}.{other.stem}" for other in path.parent.glob("[a-z]*.py") if other != path}
    assert not imported_by(path) & others


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_drop_ins_share_knows_none_of_them(folder: Path) -> None:
    room = ".".join(("penstock", *folder.relative_to(PACKAGE).parts))
    drop_ins = {f"{room}.{path.stem}" for path in folder.glob("[a-z]*.py")}
    assert not [path.name for path in folder.glob("_*.py") if imported_by(path) & drop_ins]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_drop_in_is_called_as_its_module_so_that_its_name_is_known_without_its_import(folder: Path) -> None:
    room = ".".join(("penstock", *folder.relative_to(PACKAGE).parts))
    base = importlib.import_module(f"{room}._base")
    (kind,) = [each for each in vars(base).values() if isinstance(each, type) and "name" in each.__annotations__]
    found: dict[str, type[object]] = find_plugins(room, kind)
    unknown, known = strangers([*found, "no-such"], room)
    assert (unknown, set(known)) == (["no-such"], set(found))
