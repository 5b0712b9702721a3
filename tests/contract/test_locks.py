"""The locks hold plain versions that fit `pyproject.toml` and each other; needs no network."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = {name: (ROOT / name).read_text().splitlines() for name in ("requirements.lock", "requirements-dev.lock")}
PINS: dict[str, str] = {
    canonicalize_name(name): version
    for lines in LOCKS.values()
    for name, version in (line.split("==") for line in lines)
}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_plain_versions_and_nothing_else(lock: str) -> None:
    plain = re.compile(r"[a-z0-9][a-z0-9-]*==[0-9][A-Za-z0-9.]*")
    assert not [line for line in LOCKS[lock] if not plain.fullmatch(line)]
    assert LOCKS[lock] == sorted(LOCKS[lock], key=lambda line: line.split("==")[0])


def test_no_package_is_pinned_twice() -> None:
    names = [line.split("==")[0] for lines in LOCKS.values() for line in lines]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "asked", [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]], ids=lambda asked: asked
)
def test_a_pin_fits_the_range_of_the_project(asked: str) -> None:
    requirement = Requirement(asked)
    pinned = PINS.get(canonicalize_name(requirement.name))
    assert pinned is not None, f"{requirement.name} must stand in a lock: run `make lock`"
    assert requirement.specifier.contains(pinned, prereleases=True), f"{pinned} must fit {requirement}: run `make lock`"


def test_what_tests_need_is_not_installed_with_what_runs() -> None:
    running = {line.split("==")[0] for line in LOCKS["requirements.lock"]}
    assert not running & {"pytest", "mypy", "ruff", "import-linter", "hypothesis"}


@pytest.mark.parametrize("name", PINS)
def test_a_pin_is_what_is_installed_and_finds_what_it_needs(name: str) -> None:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        pytest.fail(f"{name} must be installed, since a lock names it: run `make test`")
    assert Version(found.version).public == Version(PINS[name]).public
    for line in found.requires or []:
        needed = Requirement(line)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        pinned = PINS.get(canonicalize_name(needed.name))
        assert pinned is not None or is_accelerator(needed.name), f"{name} needs {needed}, which no lock names"
        assert pinned is None or needed.specifier.contains(pinned, prereleases=True), (
            f"{name} needs {needed}, not {pinned}"
        )


def is_accelerator(name: str) -> bool:
    """Return whether a package comes with torch's CUDA build, which brings its own."""
    return name.startswith(("nvidia-", "cuda-")) or name == "triton"
