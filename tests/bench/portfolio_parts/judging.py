"""What was measured of configurations, each table judged by what the others say of it; and the table for searches."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.datasets import Problem
from penstock.domain.search import Value
from penstock.models._base import ModelFamily
from penstock.plugins import find_plugins
from penstock.search.model.ensemble import Evidence, mix
from penstock.search.order import portfolios
from penstock.search.order.portfolios import FACTS, FILE, Measured, facts_of
from penstock.tabular.learning import make_rows
from tests.bench.measures import measured
from tests.bench.portfolio_parts.measuring import (
    DRAWN,
    FOLDS,
    METRICS,
    SEED,
    USUAL_FEATURES,
    USUAL_ROWS,
    configurations,
)
from tests.bench.portfolio_parts.sources import PACKAGES, SOURCES, load

PROBLEMS: tuple[Problem, ...] = ("binary", "multiclass", "regression")
DEPTHS = (0, 1, 2, 3, 5)  # configurations of each family beside its default
FEWEST = 10  # tables of a problem that a family must be measured on before they say what is tried first
Order = Callable[[str, "Table", Sequence["Table"]], list[int]]  # of a family: places beside the default, best first


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table: its facts, the errors of each family's configurations, and their predictions on rows unseen."""

    name: str
    package: str
    problem: Problem
    facts: tuple[float, ...]
    rows: int
    columns: int
    errors: dict[str, list[float | None]]
    predictions: dict[str, NDArray[Any]]
    target: NDArray[Any]
    fold: NDArray[Any]
    classes: int

    def shares(self, family: str) -> list[float]:
        """Return how much of the way from the baseline to the best each configuration of a family goes."""
        floor = self.errors["baseline"][0] or 0.0
        known = [one for name, errors in self.errors.items() for one in errors if one is not None and name in DRAWN]
        way = max(1e-12, floor - min(known))
        return [math.nan if one is None else max(0.0, (floor - one) / way) for one in self.errors[family]]


def predictions_path(results: Path, source: str, problem: str, library: str) -> Path:
    """Return where the predictions of a table's configurations are kept."""
    return results / f"{source.replace('/', '-')}-{problem}-{library}.npz"


def read(measured: list[dict[str, Any]], packages: Path, results: Path) -> list[Table]:
    """Return the tables of which a library was measured."""
    found = []
    for source in SOURCES:
        mine = [one for one in measured if (one["source"], one["problem"]) == (source.name, source.problem)]
        for one in [one for one in mine if "error" in one]:
            print(f"{source.name}, {one['library']}: {one['error']}")
        mine = [one for one in mine if "error" not in one]
        if not mine:
            continue
        rows = make_rows(load(source, packages), SEED)
        arrays: dict[str, NDArray[Any]] = {}
        for one in mine:
            with np.load(predictions_path(results, source.name, source.problem, one["library"])) as kept:
                arrays |= {name: kept[name] for name in kept.files}
        found.append(
            Table(
                name=source.name,
                package=source.package,
                problem=source.problem,
                facts=facts_of(rows),
                rows=len(rows.target),
                columns=rows.numbers.shape[1] + rows.texts.shape[1],
                errors=_errors(mine, source.problem),
                predictions=arrays,
                target=arrays["target"],
                fold=arrays["fold"],
                classes=rows.classes,
            )
        )
    return found


def _errors(records: list[dict[str, Any]], problem: Problem) -> dict[str, list[float | None]]:
    """Return the errors of what is measured today; an earlier run may have drawn more."""
    families = _families()
    return {
        name: errors[: len(configurations(families[name], problem))] if name in families else errors
        for record in records
        for name, errors in record["errors"].items()
    }


def report(tables: list[Table]) -> list[str]:
    """Return what leaving each table out says: the share of the way to the best that a mean of the tried reaches."""
    lines = []
    for problem in PROBLEMS:
        mine = [one for one in tables if one.problem == problem]
        lines += [
            f"\n{problem}: {len(mine)} tables; mean share of the way to the best single model, of a weighted mean"
        ]
        lines += [f"{'beside the defaults':24}" + "".join(f"{depth:>9}" for depth in DEPTHS)]
        for name, order in ORDERS.items():
            curve = [float(np.mean([_reached(one, mine, order, depth) for one in mine])) for depth in DEPTHS]
            lines.append(f"{name:24}" + "".join(f"{share:9.4f}" for share in curve))
    return lines


def measures(tables: list[Table]) -> dict[str, Any]:
    """Return the figures as every benchmark's last line has them: three configurations of each family."""
    found = {}
    for problem in PROBLEMS:
        mine = [one for one in tables if one.problem == problem]
        means = {
            name: round(float(np.mean([_reached(one, mine, order, 3) for one in mine])), 4)
            for name, order in ORDERS.items()
        }
        value = means.pop("nearest first")
        goal = max(means.values(), default=None)
        found[f"way to the best, {problem}"] = measured(value, "share", goal, goal is None or value >= goal, means)
    return found


def write(tables: list[Table]) -> None:
    """Write the table that a search reads: what earned a place somewhere, its shares, and the tables by name."""
    kept: dict[str, dict[str, list[dict[str, Value]]]] = {}
    shares: dict[tuple[str, str], dict[str, list[float | None]]] = {}
    for family in sorted(DRAWN):
        for problem in PROBLEMS:
            mine = [one for one in tables if one.problem == problem and family in one.errors]
            if len(mine) < FEWEST:
                continue
            measured = _measured(family, mine)
            places = sorted({place for one in mine for place in measured.best_first(one.facts)})
            kept.setdefault(family, {})[problem] = [measured.configurations[place] for place in places]
            for one, row in zip(mine, measured.shares, strict=True):
                wanted = row[[0, *(place + 1 for place in places)]]
                told = [None if math.isnan(share) else round(float(share), 4) for share in wanted]
                shares.setdefault((one.name, one.problem), {})[family] = told
    rows = [
        {
            "name": one.name,
            "package": one.package,
            "problem": one.problem,
            "rows": one.rows,
            "columns": one.columns,
            "facts": [round(fact, 4) for fact in one.facts],
            "shares": shares[one.name, one.problem],
        }
        for one in tables
        if (one.name, one.problem) in shares
    ]
    said = {"made by": "tests/bench/portfolio.py", "packages": PACKAGES, "facts": FACTS}
    lines = json.dumps({**said, "configurations": kept, "tables": rows}, indent=1)
    FILE.write_text(lines + "\n", encoding="utf-8")


def _families() -> dict[str, ModelFamily]:
    return {name: kind() for name, kind in find_plugins("penstock.models", ModelFamily).items() if name in DRAWN}


def _measured(family: str, tables: Sequence[Table]) -> Measured:
    mine = [one for one in tables if family in one.errors]
    return Measured(
        configurations=tuple(configurations(_families()[family], mine[0].problem)[1:]),
        facts=np.array([one.facts for one in mine]),
        shares=np.array([one.shares(family) for one in mine]),
    )


def _reached(table: Table, tables: Sequence[Table], order: Order, depth: int) -> float:
    """Return how far a weighted mean of what is tried goes; weights are learnt on one fold and scored on the other."""
    others = [one for one in tables if one is not table]
    names = [
        f"{family}-{place}"
        for family in DRAWN
        if family in table.errors and any(family in one.errors for one in others)
        for place in (0, *(1 + one for one in (order(family, table, others)[:depth] if depth else ())))
        if table.errors[family][place] is not None
    ]
    known = np.isin(table.fold, FOLDS)
    members = [np.asarray(table.predictions[name][known], np.float64) for name in names]
    evidence = Evidence(table.target[known], table.fold[known], METRICS[table.problem], table.classes)
    floor, best = (
        table.errors["baseline"][0] or 0.0,
        min(one for family in DRAWN for one in table.errors.get(family, ()) if one is not None),
    )
    return float((floor + mix(members, evidence).score) / max(1e-12, floor - best))


def _by_hand(family: str, table: Table, others: Sequence[Table]) -> list[int]:
    del others
    return list(range(len(_families()[family].portfolio(table.problem, USUAL_ROWS, USUAL_FEATURES))))


def _alike(family: str, table: Table, others: Sequence[Table]) -> list[int]:
    return _measured(family, others).best_first(table.facts, width=math.inf)


def _nearest(family: str, table: Table, others: Sequence[Table]) -> list[int]:
    return _measured(family, others).best_first(table.facts, width=portfolios.WIDTH)


ORDERS: dict[str, Order] = {"by hand": _by_hand, "best of all tables": _alike, "nearest first": _nearest}
