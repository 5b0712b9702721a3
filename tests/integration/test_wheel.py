"""A wheel carries the library, its data and the application, and no top-level package but `penstock`."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in a wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_only_top_level_package_is_penstock(names: set[str]) -> None:
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"penstock"}


def test_the_application_lies_inside_the_package(names: set[str]) -> None:
    application = [path for folder in ("flows", "tasks") for path in (ROOT / folder).rglob("*.py")]
    wanted = {f"penstock/app/{path.relative_to(ROOT)}" for path in [*application, ROOT / "prefect.yaml"]}
    assert wanted <= names


def test_every_file_of_the_library_is_in_it(names: set[str]) -> None:
    package = ROOT / "src" / "penstock"
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {f"penstock/{path.relative_to(package)}" for path in files} <= names
    assert "penstock/store/migrations/env.py" in names


def test_it_carries_no_bytecode_and_no_tests(names: set[str]) -> None:
    assert not [name for name in names if name.endswith(".pyc") or "/tests/" in name or "__pycache__" in name]
