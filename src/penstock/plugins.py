"""Find drop-ins: the modules of a folder, and the entry points of installed packages."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib.metadata import EntryPoints, entry_points
from importlib.util import find_spec
from types import ModuleType
from typing import TypeVar

from penstock.errors import NotFound, PenstockError

T = TypeVar("T")


def find_plugins(package: str, base: type[T]) -> dict[str, type[T]]:
    """Return every drop-in of a folder and of the entry-point group `penstock.<room>`, by name.

    Parameters
    ----------
    package
        The dotted name of the folder, such as ``penstock.models``.
    base
        The class that a drop-in derives from; it has an attribute ``name``.

    Raises
    ------
    PenstockError
        If two drop-ins have one name. A module that fails to import raises its own error.
    """
    found: dict[str, type[T]] = {}
    for drop_in in [*_in_folder(package, base), *_installed(package, base)]:
        name: str = drop_in.name  # type: ignore[attr-defined]
        if name in found and found[name] is not drop_in:
            message = f"Two drop-ins of {package} are named {name!r}: {found[name]!r} and {drop_in!r}. Rename one."
            raise PenstockError(message)
        found[name] = drop_in
    return dict(sorted(found.items()))


def find_plugin(package: str, base: type[T], name: str) -> type[T]:
    """Return one drop-in by name.

    Raises
    ------
    NotFound
        If there is none of that name; the message lists those there are.
    """
    known = find_plugins(package, base)
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise NotFound(f"Nothing in {package} is named {name!r}. There are: {', '.join(known)}.{hint}")


def strangers(names: Iterable[str], package: str) -> tuple[list[str], list[str]]:
    """Return which of some names no drop-in has, and the names that there are; no drop-in is imported.

    A module of the folder and an entry point are called as their drop-in is.

    Parameters
    ----------
    names
        Names that a person wrote.
    package
        The dotted name of the folder.
    """
    spec = find_spec(package)
    folder = spec.submodule_search_locations if spec else None
    known = [module.name for module in pkgutil.iter_modules(folder or []) if not module.name.startswith("_")]
    wanted = list(names)
    if any(name not in known for name in wanted):  # listing what is installed takes milliseconds
        known += [point.name for point in _points(package)]
    return [name for name in wanted if name not in known], sorted(set(known))


def _in_folder(package: str, base: type[T]) -> Iterator[type[T]]:
    folder = importlib.import_module(package)
    for module in pkgutil.iter_modules(folder.__path__):
        if not module.name.startswith("_"):
            yield from _classes_of(importlib.import_module(f"{package}.{module.name}"), base)


def _classes_of(module: ModuleType, base: type[T]) -> Iterator[type[T]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__:
            yield value


def _installed(package: str, base: type[T]) -> Iterator[type[T]]:
    for point in _points(package):
        loaded = point.load()
        if not (isinstance(loaded, type) and issubclass(loaded, base)):
            raise PenstockError(f"Entry point {point.name!r} must name a {base.__name__}, but names {loaded!r}.")
        if loaded.name != point.name:  # type: ignore[attr-defined]
            raise PenstockError(
                f"Entry point {point.name!r} of {package} must be called as what it names, {loaded.name!r}."  # type: ignore[attr-defined]
            )
        yield loaded


def _points(package: str) -> EntryPoints:
    return entry_points(group=f"penstock.{package.rsplit('.', 1)[1]}")
