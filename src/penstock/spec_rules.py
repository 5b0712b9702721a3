"""What the keys of a project file say together and must not."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from penstock.domain.metrics import METRIC_PROBLEMS, metrics_for
from penstock.plugins import strangers
from penstock.spec_faults import Fault, Key, nearest

SOURCES, FAMILIES, DETECTORS = "penstock.data.sources", "penstock.models", "penstock.monitoring.detectors"
PROBLEMS = ("binary", "multiclass", "regression")
FULL_TRAFFIC = 100  # percent
NEEDED_OF_SOURCE = {"csv_file": ("path",), "parquet_file": ("path",), "sql_query": ("url", "query")}
BINARY_COSTS = {"false_negative", "false_positive"}
RANGE = 2  # the ends of one
NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
PLACE = re.compile(r"[^:]+\.py:[A-Za-z_]\w*")


def cross_faults(data: dict[str, Any]) -> list[Fault]:
    """Return the faults between keys, as far as the keys are of the right kind."""
    checks = (
        _target_faults,
        _metric_faults,
        _source_faults,
        _cost_faults,
        _column_faults,
        _family_faults,
        _stage_faults,
        _detector_faults,
        _bundle_faults,
    )
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


def _metric_faults(data: dict[str, Any]) -> Iterator[Fault]:
    metric, problem = data.get("metric"), data.get("problem")
    if not isinstance(metric, str):
        return
    known = list(METRIC_PROBLEMS) if problem not in PROBLEMS else metrics_for(problem)
    if metric not in METRIC_PROBLEMS:
        close = nearest(metric, known)
        yield Fault(
            ("metric",), f"be one of {', '.join(known)}", repr(metric), f"Did you mean {close!r}?" if close else ""
        )
    elif metric not in known:
        yield Fault(("metric",), f"be one for a {problem} problem, of {', '.join(known)}", repr(metric))


def _detector_faults(data: dict[str, Any]) -> Iterator[Fault]:
    drift = data.get("drift")
    if isinstance(drift, dict):
        yield from _name_faults(("drift",), drift, "name detectors", _unknown(drift, DETECTORS))


def _bundle_faults(data: dict[str, Any]) -> Iterator[Fault]:
    if data.get("bundle") == "python":
        hint = (
            "A model answers by its ONNX graph alone. Leave `bundle` out: a family without a graph is then listed, and "
            "the best of those that have one wins."
        )
        yield Fault(("bundle",), "be onnx, for `python` is not built yet", hint=hint)


def _unknown(names: Any, package: str, besides: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """Return which names are those of no drop-in, nor of `besides`, and the names that there are."""
    unknown, known = strangers([name for name in names if isinstance(name, str)], package)
    return [name for name in unknown if name not in besides], [*known, *besides]


def _name_faults(key: Key, names: Any, must: str, found: tuple[list[str], list[str]]) -> Iterator[Fault]:
    """Yield a fault for each unknown name; the line is the name's own where the names are keys."""
    unknown, known = found
    for name in unknown:
        close = nearest(name, known)
        hint = f"Did you mean {close!r}?" if close else f"There are: {', '.join(known)}."
        yield Fault((*key, name) if isinstance(names, dict) else key, must, repr(name), hint)


def _source_faults(data: dict[str, Any]) -> Iterator[Fault]:
    source = data.get("source")
    if isinstance(source, dict):
        kind = source.get("kind")
        if isinstance(kind, str):
            yield from _name_faults(("source", "kind"), kind, "name a kind of source", _unknown([kind], SOURCES))
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


def _family_name_faults(data: dict[str, Any]) -> Iterator[Fault]:
    own = _get(data, "families", "own")
    mine = [str(name) for name in own] if isinstance(own, dict) else []
    for part in ("include", "exclude", "spaces"):
        names = _get(data, "families", part)
        if isinstance(names, list | dict):
            yield from _name_faults(("families", part), names, "name model families", _unknown(names, FAMILIES, mine))
    strange, _ = strangers(mine, FAMILIES)
    for name in mine:
        if name not in strange:
            yield Fault(("families", "own", name), "be named as no family of Penstock is", repr(name))


def _family_faults(data: dict[str, Any]) -> Iterator[Fault]:
    yield from _family_name_faults(data)
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
