"""The house keeps its shape: names, empty doors, no address of a registry or a machine."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "misc"}
HOSTS = "|".join(  # written in parts, so that this file names none of them
    re.escape(".".join(parts))
    for parts in [
        ("pypi", "org"), ("pythonhosted", "org"), ("anaconda", "org"), ("npmjs", "org"), ("npmjs", "com"),
        ("debian", "org"), ("ubuntu", "com"), ("pytorch", "org/whl"), ("jsdelivr", "net"), ("unpkg", "com"),
        ("cdnjs", "cloudflare"), ("bootstrapcdn", "com"), ("googleapis", "com"), ("gstatic", "com"), ("plot", "ly/"),
    ]
)  # fmt: skip
HOME_FOLDER = re.compile(r"(?<![\w.])/(root|home/\w+|Users/\w+|work)/")
SIZE_LIMIT = 1_000_000  # bytes


@cache
def tracked() -> tuple[Path, ...]:
    """Return the files of the project: what git knows, or what lies in the unpacked source."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def texts() -> list[tuple[Path, str]]:
    """Return every tracked file that is text."""
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data[:4096]:
            found.append((path.relative_to(ROOT), data.decode(errors="replace")))
    return found


PACKAGES = sorted(path for name in ("src", "flows", "tasks") for path in (ROOT / name).rglob("__init__.py"))


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_a_package_holds_its_docstring_and_nothing_else(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path} must say what the room is for"
    assert len(tree.body) == 1, f"{path} holds more than its docstring"


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not [path for path in tracked() if path.suffix == ".py" and path.stem in FORBIDDEN_NAMES]


def test_no_room_is_empty() -> None:
    rooms = [path.parent for path in PACKAGES]
    assert not [room for room in rooms if len(list(room.rglob("*.py"))) == 1]


def test_no_file_names_a_package_registry_or_a_content_network() -> None:
    assert not [f"{path}: {found[0]}" for path, text in texts() if (found := re.search(HOSTS, text))]


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    assert not [f"{path}: {found[0]}" for path, text in texts() if (found := HOME_FOLDER.search(text))]


def test_no_file_is_larger_than_a_checkout_should_carry() -> None:
    assert not [path for path in tracked() if path.stat().st_size > SIZE_LIMIT]


def test_no_line_says_that_work_is_left_undone() -> None:
    undone = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    here = Path(__file__).relative_to(ROOT)
    sources = [(path, text) for path, text in texts() if path.suffix == ".py" and path != here]
    assert not [f"{path}: {found[0]}" for path, text in sources if (found := undone.search(text))]
