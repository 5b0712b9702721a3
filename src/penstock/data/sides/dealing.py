"""How a table's rows are dealt, and why: by time or by a keyed hash, by the project file and by what went before."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from penstock.data.sides import time_split
from penstock.data.sides.digests import Digests
from penstock.data.sides.grouping import FEWEST_ROWS
from penstock.data.sides.hash_split import Assignment, HashRule, assign_by_hash, train_only
from penstock.data.sides.naming import Named
from penstock.domain.datasets import Split
from penstock.domain.models import ModelVersion
from penstock.domain.workspace import Workspace
from penstock.errors import DataError
from penstock.spec import ProjectSpec
from penstock.store import frames, records

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Sides:
    """How rows were dealt, and why."""

    assignment: Assignment
    folds: int
    cut: datetime | None
    reason: str


def deal_by_hash(named: Named, codes: NDArray[np.int64], trained: Digests, spec: ProjectSpec) -> Sides:
    """Deal rows by a keyed hash of what makes them one.

    Parameters
    ----------
    named
        Which rows belong together, and what decides their side.
    codes
        As `assign_by_hash` takes them, shape (n_rows,).
    trained
        The origins of groups that trained before: they are never held out later.
    spec
        The project.
    """
    rule = HashRule(spec.split.holdout, FOLDS, spec.name, spec.seed, trained)
    assignment, folds = assign_by_hash(named.groups, codes, rule, named.origins)
    what = f"its {spec.id!r}" if spec.id else "its content"
    return Sides(assignment, folds, None, f"A keyed hash of {what} decides a row's side, which never changes.")


def deal_by_time(
    values: NDArray[np.generic],
    codes: NDArray[np.int64],
    champion: ModelVersion | None,
    spec: ProjectSpec,
    workspace: Workspace,
) -> Sides:
    """Hold out the newest rows, and cut those that train into blocks of time.

    Parameters
    ----------
    values
        The time column, shape (n_rows,).
    codes
        The class of each row, 0 for all of a regression, -1 without a target, shape (n_rows,).
    champion
        The version that serves; None before the first release.
    spec
        The project.
    workspace
        Where its earlier splits and its champion's table are kept.

    Raises
    ------
    DataError
        If too few rows have a target and a time, or they hold too few of a class.
    """
    times = values.astype("datetime64[us]")
    usable = (codes >= 0) & ~np.isnat(times)
    if usable.sum() < FEWEST_ROWS:
        raise DataError(
            f"At least {FEWEST_ROWS} rows must have a target and a time, but {int(usable.sum())} have both."
        )
    ordered = np.sort(times[usable])
    cut, why = None, "No row is held out: the project file says `split.holdout: 0`."
    if spec.split.holdout > 0:
        since = _since(champion, spec, workspace)
        cut = (
            time_split.first_cut(ordered, spec.split.holdout) if since is None else time_split.later_cut(ordered, since)
        )
        if len(np.unique(codes[usable])) == 2:  # noqa: PLR2004  binary
            cut = time_split.widened(times[usable], codes[usable], cut)
        why = _why(since, cut, spec)
    assignment, folds = time_split.assign_by_time(times, codes, cut, FOLDS)
    untimed = int(((codes >= 0) & np.isnat(times)).sum())
    note = f" {untimed} rows without a time train in every fold." if untimed else ""
    moment = None if cut is None else cut.astype("datetime64[us]").astype(datetime).replace(tzinfo=UTC)
    return Sides(assignment, folds, moment, why + note)


def without_picked(sides: Sides, groups: Digests, picked: NDArray[np.bool_], spec: ProjectSpec) -> Sides:
    """Hold out no row that was picked to be labelled: such rows are not like the others, and may only train."""
    if not picked.any():
        return sides
    assignment = train_only(sides.assignment, groups, picked, by_time=spec.time is not None)
    return replace(sides, assignment=assignment, reason=f"{sides.reason} {int(picked.sum())} picked rows only train.")


def _why(since: time_split.Since | None, cut: np.datetime64, spec: ProjectSpec) -> str:
    moment = str(cut.astype("datetime64[s]")).replace("T", " ")
    if since is None:
        return f"The newest rows by {spec.time!r}, from {moment} on, are held out ({spec.split.holdout:.0%} asked for)."
    if cut == since.cut:
        return f"No later cut is possible without new rows: those from {moment} on stay held out."
    return f"The newest half of the rows since the champion's data ended, from {moment} on, is held out."


def _since(champion: ModelVersion | None, spec: ProjectSpec, workspace: Workspace) -> time_split.Since | None:
    """Return what the champion's data and split say, or None where it was not split by this column."""
    if champion is None:
        return None
    cuts = [
        made.cut
        for made in records.list_records("split", spec.name, Split, workspace)
        if made.dataset == champion.dataset and made.cut is not None and made.key == (str(spec.time),)
    ]
    if not cuts:
        return None
    times = frames.load_table(champion.dataset, workspace, columns=[str(spec.time)])[spec.time].to_numpy(
        "datetime64[us]"
    )
    cut = np.datetime64(cuts[-1].astimezone(UTC).replace(tzinfo=None), "us")
    return time_split.Since(times[~np.isnat(times)].max(), cut, spec.gates.min_rows)
