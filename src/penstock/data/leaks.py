"""Columns that give the target away: left out of the plan, named with evidence, allowed by `columns.allow`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from penstock.data.contract_file import used_columns
from penstock.data.joining import journalled_rows
from penstock.data.leakage.equations import find_equation
from penstock.data.leakage.lone_predictors import Aim, alone, make_aim, told
from penstock.data.sides.hash_split import HOLDOUT
from penstock.data.splitting import load_assignment, training_rows
from penstock.data.targets import infer_problem
from penstock.data.types.canonical import canonical_type, names_of
from penstock.domain.datasets import DatasetVersion, Finding, Split
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec
from penstock.store import frames

MOST_ROWS = 50_000
TOO_WELL = {"binary": 0.97, "multiclass": 0.985, "regression": 0.985}  # AUC, or R2 of ranks: honest columns stay below
FILLED_TELLS = 0.88  # AUC of "has a value": whether a thing is known seldom says so much beforehand
ONE_CLASS = 0.9  # share of a column's filled rows in one class, where that class is rarer than COMMON elsewhere
COMMON = 0.6
FEWEST_FILLED = 100
AFTER = 0.98  # share of a date's values at or after the time of the row
EVENT_WORDS = frozenset(
    re.findall(
        r"\w+",
        """updated modified closed closing ended end resolved completed completion cancelled canceled cancellation
        dropoff returned return final finished discharge discharged out paid payment settled outcome result response
        churn left termination terminated exit delivered delivery last""",
    )
)


@dataclass(frozen=True, slots=True)
class _Looked:
    """The training rows looked at, the target's aim, what the project says, and the columns that may be used."""

    frame: pd.DataFrame
    aim: Aim
    problem: str
    spec: ProjectSpec
    used: frozenset[str]

    @property
    def columns(self) -> list[str]:
        """The columns that may be features."""
        spec = self.spec
        known = {spec.target, spec.id, *spec.columns.allow, *spec.columns.drop, *spec.columns.forbidden}
        return [name for name in names_of(self.frame) if name in self.used and name not in known]


def find_leaks(dataset: DatasetVersion, split: Split, spec: ProjectSpec, workspace: Workspace) -> tuple[Finding, ...]:
    """Find columns that give the target away, on training rows of the source alone.

    Labelled answers are not looked at: what a client sends, it knows beforehand, and what it leaves out is missing in
    them, which would hide that the source's rows give the target away.

    Parameters
    ----------
    dataset
        The table.
    split
        Which of its rows train.
    spec
        The project; columns named by `columns.allow` are not looked at, nor those that its contract does not allow.
    workspace
        Where the table is kept.

    Returns
    -------
    tuple of Finding
        Of level warning: their columns are to be left out; of level note: only told.
    """
    frame = frames.load_table(dataset.digest, workspace)
    assignment = load_assignment(split, workspace)
    groups = np.asarray(frames.load_array(split.groups, workspace))
    trains = training_rows(assignment) & frame[spec.target].notna().to_numpy()
    positions = np.flatnonzero(trains & ~journalled_rows(dataset, workspace))
    positions = positions[:: max(1, -(-len(positions) // MOST_ROWS))]
    problem = spec.problem or infer_problem(frame[spec.target])[0]
    rows = frame.iloc[positions].reset_index(drop=True)
    learns = (groups[positions] >> np.uint64(32)) % np.uint64(2) == 0
    aim = make_aim(rows[spec.target], learns, regression=problem == "regression")
    looked = _Looked(rows, aim, problem, spec, frozenset(used_columns(names_of(rows), spec)))
    found = [*_alone(looked), *_equation(looked), *_filled_after(looked), *_dated_after(looked)]
    return (*_once(found), *_across(groups, trains, assignment == HOLDOUT, split))


def _once(found: list[Finding]) -> Iterator[Finding]:
    """Give each finding, but not a second one that names no further column."""
    named: set[str] = set()
    for finding in found:
        if not set(finding.columns) <= named:
            yield finding
            named |= set(finding.columns)


def _alone(looked: _Looked) -> Iterator[Finding]:
    measure = "R2 of ranks" if looked.problem == "regression" else "AUC"
    for name in looked.columns:
        score = alone(looked.frame[name], looked.aim)
        if score >= TOO_WELL[looked.problem]:
            message = (
                f"Column {name!r} alone predicts {looked.spec.target!r} with {measure} {score:.3f}; "
                "a value that is known beforehand seldom does."
            )
            yield Finding("leak_alone", "warning", (name,), message, len(looked.frame), (("score", score),))


def _equation(looked: _Looked) -> Iterator[Finding]:
    target = looked.frame[looked.spec.target]
    if canonical_type(target) not in ("number", "boolean"):
        return
    numbers = [name for name in looked.columns if canonical_type(looked.frame[name]) in ("number", "boolean")]
    columns = looked.frame[numbers].astype("float64")
    equation = find_equation(columns, target.to_numpy(np.float64))
    if equation is None:
        return
    said = equation.said(looked.spec.target)
    message = f"{said} holds in {equation.holds:.1%} of the training rows: the target is made of these columns."
    yield Finding("leak_equation", "warning", equation.columns, message, len(target), (("holds", equation.holds),))


def _filled_after(looked: _Looked) -> Iterator[Finding]:
    """Find columns that are filled because of what the target says."""
    for name in looked.columns:
        filled = looked.frame[name].notna().to_numpy()
        if min(filled.sum(), (~filled).sum()) < FEWEST_FILLED:
            continue
        score = told(filled.astype(np.int64), looked.aim)
        share, elsewhere = _one_class(filled, looked)
        limit = FILLED_TELLS if looked.problem != "regression" else TOO_WELL["regression"]
        if score < limit and not (share >= ONE_CLASS and elsewhere <= COMMON):
            continue
        message = f"Whether column {name!r} has a value ({filled.mean():.0%} of the training rows) tells the target"
        detail = f": AUC {score:.3f}" if looked.problem != "regression" else f": R2 {score:.3f}"
        if share >= ONE_CLASS:
            detail = f": {share:.0%} of the rows with one are of one class, of all rows {elsewhere:.0%}"
        figures = (("score", score), ("one_class", share))
        yield Finding(
            "leak_after_event",
            "warning",
            (name,),
            message + detail + ". It seems filled after the event.",
            len(filled),
            figures,
        )


def _one_class(filled: np.ndarray, looked: _Looked) -> tuple[float, float]:
    """Return the largest share of a class among filled rows, and that class's share among all."""
    codes = looked.aim.codes
    if codes is None:
        return 0.0, 1.0
    counts = np.bincount(codes[filled], minlength=looked.aim.classes)
    most = int(counts.argmax())
    return float(counts[most] / counts.sum()), float((codes == most).mean())


def _dated_after(looked: _Looked) -> Iterator[Finding]:
    """Find dates after the time of the row, with a name that says that something has ended by then."""
    time = looked.spec.time
    if time is None or canonical_type(looked.frame[time]) != "date":
        return
    for name in looked.columns:
        if name == time or canonical_type(looked.frame[name]) != "date" or not EVENT_WORDS & set(_words(name)):
            continue
        both = looked.frame[[name, time]].dropna()
        if len(both) < FEWEST_FILLED:
            continue
        after = float((both[name] >= both[time]).mean())
        later = float((both[name] > both[time]).mean())
        if after >= AFTER and later >= 0.5:  # noqa: PLR2004  half: a date equal to the time is known with it
            message = (
                f"Dates of {name!r} are after {time!r} in {later:.0%} of the training rows: they are known only later."
            )
            yield Finding("leak_after_event", "warning", (name,), message, len(both), (("after", later),))


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def _across(groups: np.ndarray, trains: np.ndarray, held: np.ndarray, split: Split) -> Iterator[Finding]:
    """Say how many held-out rows have the group of a training row: none but where rows are split by time."""
    count = int(np.isin(groups[held], groups[trains]).sum())
    if count == 0:
        return
    message = f"{count} of {int(held.sum())} held-out rows share their id or content with a training row"
    why = "; rows are split by time, so the same thing may come again." if split.time_ordered else "."
    yield Finding("leak_duplicates", "note", (), message + why, count)
