"""The house keeps its shape: names, empty doors, no address of a registry or a machine."""

import ast
import re
import subprocess
import tomllib
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
LINES_LIMIT = 300  # a file that grows to so many is split, by noun
LIBRARY = Path("src/penstock")
FREE = ("scripts", "tests")  # of what is said of programs' environment and pickles
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv"}
READS_ENVIRONMENT = LIBRARY / "store/workspace.py"
PICKLES = {"cloudpickle", "dill", "joblib", "pickle", "shelve"}
MAY_PICKLE = (LIBRARY / "store/frames.py", LIBRARY / "search")  # a search has no store; it reads back what it wrote
MIRRORED = {Path("bench"): Path("tests/bench")}  # by tests/unit, beside the library


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


def test_no_file_has_more_lines_than_one_noun_needs() -> None:
    lengths = {path: text.count("\n") for path, text in texts() if path.suffix == ".py"}
    assert not {str(path): lines for path, lines in lengths.items() if lines >= LINES_LIMIT}


def test_unit_tests_lie_as_what_they_test() -> None:
    unit = ROOT / "tests" / "unit"
    rooms = {path.parent.relative_to(unit) for path in tracked() if path.is_relative_to(unit)}
    places = {room: ROOT / MIRRORED.get(room, LIBRARY / room) for room in rooms}
    assert not [room for room, place in places.items() if not (place.is_dir() or place.with_suffix(".py").is_file())]


def test_pyproject_names_files_that_are_there() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    excused = settings["ruff"]["lint"]["per-file-ignores"]
    shipped = settings["hatch"]["build"]["targets"]["sdist"]["include"]
    assert not [name for name in (*excused, *shipped) if not any(ROOT.glob(name))]


def parts_of_programs() -> list[tuple[Path, ast.AST]]:
    """Return what every module of the library, the flows and the tasks is made of."""
    programs = [(path, text) for path, text in texts() if path.suffix == ".py" and path.parts[0] not in FREE]
    return [(path, node) for path, text in programs for node in ast.walk(ast.parse(text))]


def named(node: ast.AST) -> set[str]:
    """Return the dotted names that an import or an attribute stands for."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {ast.unparse(node)} if isinstance(node, ast.Attribute) else set()


def test_the_environment_is_read_in_one_file() -> None:
    readers = {path for path, node in parts_of_programs() if named(node) & ENVIRONMENT}
    assert readers == {READS_ENVIRONMENT}


def test_the_environment_is_handed_on_whole_by_one_function() -> None:
    """Elsewhere a variable is asked for by its name, or the workspace's own are set."""
    whole = set()
    for part in ast.parse((ROOT / READS_ENVIRONMENT).read_text()).body:
        asked = {
            node.value
            for node in ast.walk(part)
            if isinstance(node, ast.Subscript) or (isinstance(node, ast.Attribute) and node.attr in ("get", "update"))
        }
        if any(named(node) & ENVIRONMENT and node not in asked for node in ast.walk(part)):
            whole.add(getattr(part, "name", f"line {part.lineno}"))
    assert whole == {"inherited_environment"}


def test_nothing_is_pickled_but_models_in_the_workshop() -> None:
    def pickles(node: ast.AST) -> bool:
        if isinstance(node, ast.keyword):
            return node.arg == "allow_pickle" and not (isinstance(node.value, ast.Constant) and not node.value.value)
        return isinstance(node, (ast.Import, ast.ImportFrom)) and bool(
            {name.split(".")[0] for name in named(node)} & PICKLES
        )

    found = {path for path, node in parts_of_programs() if pickles(node)}
    assert not [path for path in found if not any(path.is_relative_to(place) for place in MAY_PICKLE)]
