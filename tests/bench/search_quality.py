"""What the search finds in a budget, beside an untuned LightGBM and each family alone, on the same rows.

Sets of ../shared/data, 70 % of the rows to search on, the rest to score; the columns are those that `index.json` lets
a model see. Nothing is held out of the search's rows: its selection score is out-of-fold.
"""

import argparse
import json
import pickle
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.decoding import compile_decoding
from penstock.data.profiling import profile_table
from penstock.data.sources._base import RawTable
from penstock.data.types.canonical import to_canonical
from penstock.domain.datasets import Problem
from penstock.domain.features import FeaturePlan
from penstock.domain.search import Budget, SearchSettings, Slot
from penstock.evaluation import metrics
from penstock.features.planning import PlanFacts, plan_features
from penstock.models._base import ModelFamily
from penstock.plugins import find_plugins
from penstock.search import campaign, placement
from penstock.search.encoding import TrainingRows
from penstock.search.targets import codes_of_target
from penstock.search.work import Found, Work
from tests.bench.measures import measured

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDS = 5
TEST_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Case:
    """A set's target, problem, metric, positive class, and the columns that no model may see."""

    target: str
    problem: Problem
    metric: str
    positive: Any = None
    hidden: tuple[str, ...] = ()


CASES = {
    "telco_churn": Case("Churn", "binary", "roc_auc", "Yes", ("customerID",)),
    "adult_income": Case("income", "binary", "roc_auc", ">50K", ("uci_split",)),
    "letter_recognition": Case("letter", "multiclass", "log_loss"),
    "ames_housing": Case("Sale_Price", "regression", "rmse"),
    "bike_sharing_hourly": Case("cnt", "regression", "rmse", None, ("instant", "casual", "registered")),
    "credit_default": Case("default payment", "binary", "roc_auc", 1),
    "chicago_crimes": Case("Arrest", "binary", "roc_auc", "True", ("ID", "Case Number", "Updated On")),
    "sms_spam": Case("v1", "binary", "roc_auc", "spam"),
}
USUAL = tuple(CASES)[:5]


@dataclass(frozen=True, slots=True)
class Sides:
    """The rows to search on, and those to score: decoded arrays, target and table."""

    rows: TrainingRows
    numbers: NDArray[np.float32]
    texts: NDArray[Any]
    target: NDArray[Any]
    seen: pd.DataFrame
    unseen: pd.DataFrame


def load(name: str, seed: int) -> Sides:
    """Return a set's two sides."""
    case = CASES[name]
    raw = pd.read_parquet(SHARED / name / f"{name}.parquet").drop(columns=list(case.hidden))
    frame = to_canonical(RawTable(raw, typed=True)).frame
    random = np.random.default_rng(seed)
    tests = np.zeros(len(frame), bool)
    tests[random.permutation(len(frame))[: int(len(frame) * TEST_SHARE)]] = True
    seen, unseen = frame[~tests].reset_index(drop=True), frame[tests].reset_index(drop=True)
    facts = PlanFacts(target=case.target, problem=case.problem)
    columns = plan_features(seen, profile_table(seen), facts)
    plan = FeaturePlan(name, name, f"{name} {seed}", columns)
    decoder = compile_decoding(plan.decoding)
    used = [column.name for column in plan.used]
    numbers, texts = decoder.columns({column: seen[column] for column in used})
    positive = case.positive == "True" if frame[case.target].dtype == bool else case.positive
    target, classes = codes_of_target(seen[case.target], case.problem, positive)
    rows = TrainingRows(
        numbers=numbers,
        texts=texts,
        target=target,
        fold=(random.permutation(len(seen)) % FOLDS).astype(np.int8),
        group=random.integers(0, 2**63, len(seen)).astype(np.uint64),
        plan=plan,
        problem=case.problem,
        classes=len(classes),
        folds=FOLDS,
        time_ordered=False,
        name=f"{name} {seed}",
    )
    scored = codes_of_target(unseen[case.target], case.problem, positive)[0]
    return Sides(rows, *decoder.columns({column: unseen[column] for column in used}), scored, seen, unseen)


def slots(count: int) -> tuple[Slot, ...]:
    """Return so many slots of this machine, as a search of a project cuts them."""
    machine = placement.inventory("")
    return placement.cut(machine, Budget(1.0))[:count]


def plain(name: str, sides: Sides) -> float:
    """Return the score of an untuned LightGBM on the columns that the search was given."""
    import lightgbm

    case = CASES[name]
    used = [column.name for column in sides.rows.plan.used]
    table = pd.concat([sides.seen[used], sides.unseen[used]], ignore_index=True)
    for column in table:
        if table[column].dtype.kind == "M":
            table[column] = table[column].astype("int64")
        elif table[column].dtype.kind not in "biuf":
            table[column] = table[column].astype("category")
    count = len(sides.seen)
    kind = lightgbm.LGBMRegressor if case.problem == "regression" else lightgbm.LGBMClassifier
    model = kind(verbose=-1, n_jobs=2).fit(table[:count], sides.rows.target)
    rest = table[count:]
    said = model.predict(rest) if case.problem == "regression" else model.predict_proba(rest)
    return metrics.score(case.metric, sides.target, np.asarray(said))


def searched(name: str, sides: Sides, work: Work) -> tuple[Found, float, float]:
    """Search; return what was found, its score on the rows to score, and the seconds."""
    began = time.monotonic()
    found = campaign.run(work)
    seconds = time.monotonic() - began
    model = pickle.loads(found.model.read_bytes()).prepare(work.families)  # noqa: S301  written by the line above
    return found, metrics.score(CASES[name].metric, sides.target, model.predict(sides.numbers, sides.texts)), seconds


def tell(name: str, seconds: float, seed: int, count: int, details: bool) -> dict[str, Any]:
    """Search one set within one budget; print and return the figures."""
    case, sides = CASES[name], load(name, seed)
    with tempfile.TemporaryDirectory() as folder:
        work = Work(
            rows=sides.rows,
            families={key: family() for key, family in find_plugins("penstock.models", ModelFamily).items()},
            settings=SearchSettings(case.metric, Budget(seconds)),
            folder=Path(folder),
            slots=slots(count),
        )
        found, score, took = searched(name, sides, work)
        floor = plain(name, sides)
    shown = [metrics.shown(case.metric, value) for value in (score, float(found.best.score or 0), floor)]
    states = [trial.state for trial in found.trials]
    figures = {
        "set": name,
        "seed": seed,
        "budget": seconds,
        "took": round(took, 1),
        "metric": case.metric,
        "test": round(shown[0], 5),
        "selection": round(shown[1], 5),
        "lightgbm": round(shown[2], 5),
        "family": found.best.family,
        "parameters": found.parameters,
        "trials": {state: states.count(state) for state in sorted(set(states))},
        "reasons": found.reasons,
    }
    print(json.dumps(figures), flush=True)
    if details:
        for trial in found.trials:
            best = "-" if trial.score is None else f"{metrics.shown(case.metric, trial.score):.5g}"
            print(
                f"   {trial.number:3} {trial.family:9} {trial.state:9} {best:>9} {trial.seconds:6.1f} s {trial.reason}"
            )
    return figures


def main() -> None:
    """Search each set within each budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=USUAL)
    parser.add_argument("--seconds", type=float, nargs="+", default=[20.0, 60.0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--details", action="store_true")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    for name in asked.sets:
        for seconds in asked.seconds:
            figures = tell(name, seconds, asked.seed, asked.slots, asked.details)
            ours, floor, metric = figures["test"], figures["lightgbm"], metrics.find_metric(figures["metric"])
            met = ours >= floor if metric.higher_is_better else ours <= floor
            title = f"{name}, {seconds:g} s: {metric.name} of rows not searched on"
            found[title] = measured(ours, metric.name, floor, met, {"LightGBM, untuned": floor})
    print(json.dumps(found))


if __name__ == "__main__":
    main()
