"""What the keys of a project file say together and must not."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from penstock.spec_faults import Fault, nearest

FULL_TRAFFIC = 100  # percent
NEEDED_OF_SOURCE = {"csv_file": ("path",), "parquet_file": ("path",), "sql_query": ("url", "query")}
BINARY_COSTS = {"false_negative", "false_positive"}
RANGE = 2  # the ends of one
NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
PLACE = re.compile(r"[^:]+\.py:[A-Za-z_]\w*")


def cross_faults(data: dict[str, Any]) -> list[Fault]:
    """Return the faults between keys, as far as the keys are of the right kind."""
    checks = (_target_faults, _source_faults, _cost_faults, _column_faults, _family_faults, _stage_faults)
    return [fault for check in checks for fault in check(data)]


def _stage_faults(data: dict[str, Any]) -> Iterator[Fault]:
    stages = _get(data, "rollout", "stages")
    if isinstance(stages, list) and all(isinstance(stage, (int, float)) for stage in stages):
        ascending = all(low < high for low, high in pairwise(stages))
        if not stages or not ascending or stages[-1] != FULL_TRAFFIC:
            yield Fault(("rollout", "stages"), "rise and end at 100 (percent of traffic)", repr(stages))


def _target_faults(data: dict[str, Any]) -> Iterator[Fault]:
    target, problem = data.get("target"), data.get("problem")
    if data.get("positive") is not None and problem in ("multiclass", "regression"):
        yield Fault(("positive",), "be left out unless `problem` is binary", repr(data["positive"]))
    for name in ("time", "id"):
        if target is not None and data.get(name) == target:
            yield Fault((name,), "be another column than the target", repr(target))
    for name in ("drop", "allow", "forbidden"):
        listed = _get(data, "columns", name)
        if target is not None and isinstance(listed, list) and target in listed:
            yield Fault(("columns", name), "not name the target", repr(target))
    if data.get("metric") == "cost" and not data.get("costs"):
        yield Fault(("metric",), "be another metric unless `costs` are given", "'cost'")


def _source_faults(data: dict[str, Any]) -> Iterator[Fault]:
    source = data.get("source")
    if isinstance(source, dict):
        kind = source.get("kind")
        for name in NEEDED_OF_SOURCE.get(kind, ()) if isinstance(kind, str) else ():
            misspelt = any(nearest(str(key), [name]) for key in source)
            if not source.get(name) and not misspelt:
                yield Fault(("source", name), f"be given for a source of kind {kind}")


def _cost_faults(data: dict[str, Any]) -> Iterator[Fault]:
    costs, problem = data.get("costs"), data.get("problem")
    if not isinstance(costs, dict) or not costs:
        return
    matrix = all(isinstance(row, dict) for row in costs.values())
    cells = [cell for row in costs.values() for cell in row.values()] if matrix else list(costs.values())
    if problem == "regression":
        yield Fault(("costs",), "be left out for a regression", repr(costs))
    elif any(isinstance(cell, bool) or not isinstance(cell, (int, float)) or cell < 0 for cell in cells):
        yield Fault(("costs",), "hold numbers of at least 0", repr(costs))
    elif matrix and any(set(row) - set(costs) for row in costs.values()):
        yield Fault(("costs",), "be a square matrix, with the same classes as rows and columns", repr(costs))
    elif not matrix and set(costs) != BINARY_COSTS:
        yield Fault(("costs",), "have false_negative and false_positive, or a row for each class", repr(costs))


def _column_faults(data: dict[str, Any]) -> Iterator[Fault]:
    allow, drop = _get(data, "columns", "allow"), _get(data, "columns", "drop")
    if isinstance(allow, list) and isinstance(drop, list):
        for name in [name for name in allow if name in drop]:
            yield Fault(("columns", "allow"), "not name a column that `columns.drop` names", repr(name))


def _family_faults(data: dict[str, Any]) -> Iterator[Fault]:
    include, exclude = _get(data, "families", "include"), _get(data, "families", "exclude")
    if isinstance(include, list) and isinstance(exclude, list) and set(map(str, include)) <= set(map(str, exclude)):
        yield Fault(("families", "include"), "name a family that `families.exclude` leaves", repr(include))
    own, spaces = _get(data, "families", "own"), _get(data, "families", "spaces")
    for name, place in own.items() if isinstance(own, dict) else ():
        if not NAME.fullmatch(str(name)):
            yield Fault(("families", "own", name), "be named by lower-case letters, digits and _", repr(name))
        if not isinstance(place, str) or not PLACE.fullmatch(place):
            yield Fault(("families", "own", name), "be a file and a class or function, mine.py:Mine", repr(place))
    for family, space in spaces.items() if isinstance(spaces, dict) else ():
        yield from _space_faults(str(family), space)
    if _get(data, "search", "deterministic") is True and not _get(data, "budget", "trials"):
        yield Fault(("search", "deterministic"), "stand beside `budget.trials`, which ends the search then")


def _space_faults(family: str, space: Any) -> Iterator[Fault]:
    for name, values in space.items() if isinstance(space, dict) else ():
        key = ("families", "spaces", family, str(name))
        if isinstance(values, dict) or values == []:
            yield Fault(key, "be a value, the two ends of a range, or a list of values to choose from", repr(values))
        elif _is_range(values) and not values[0] < values[1]:
            yield Fault(key, "have the lower end of its range first", repr(values))


def _is_range(values: Any) -> bool:
    numbers = isinstance(values, list) and all(isinstance(one, int | float) for one in values)
    return numbers and len(values) == RANGE and not any(isinstance(one, bool) for one in values)


def _get(data: dict[str, Any], section: str, name: str) -> Any:
    part = data.get(section)
    return part.get(name) if isinstance(part, dict) else None
