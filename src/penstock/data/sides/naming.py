"""The names that rows and groups keep, whatever tells them apart later.

A digest follows its rule: which columns count, in which types, and which of them is the id. An edit of the project file
or the contract gives the same rows other digests. So what was split under an earlier rule keeps the name that it had
then, and only what is new is named by its digest.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.contract_file import find_contract
from penstock.data.sides.digests import Digests, row_digests
from penstock.data.sides.grouping import Likeness, group_digests
from penstock.data.sides.hash_split import HOLDOUT, UNUSED
from penstock.data.sides.repeats import tell_apart
from penstock.data.types.canonical import canonical_type
from penstock.data.types.conforming import conform
from penstock.domain.datasets import Split
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec
from penstock.store import frames, records

KIND, KEY = "names", "rows"


@dataclass(frozen=True, slots=True)
class Named:
    """The numbers of a table's rows, each of shape (n_rows,).

    `groups` says which rows belong together, `origins` what decides their side, `rows` what each row is known by.
    """

    groups: Digests
    origins: Digests
    rows: Digests


@dataclass(frozen=True, slots=True)
class Names:
    """The rule that tells a project's rows apart, and the names of those that an earlier rule has named.

    `origins` and `rows` are digests of uint64 `.npy` of shape (2, n): digests of groups, or rows, in order, and names.
    """

    rule: str
    origins: str
    rows: str


@dataclass(frozen=True, slots=True)
class _Rule:
    """What tells rows apart: the columns that count, and those that make rows alike."""

    identity: str | None
    likeness: Likeness
    columns: tuple[str, ...]

    def text(self, frame: pd.DataFrame) -> str:
        types = {name: canonical_type(frame[name]) for name in self.columns}
        return json.dumps([self.identity, self.likeness.together, self.likeness.columns, types])

    def digests(self, frame: pd.DataFrame) -> Digests:
        """Return the digests of each row's group, and of the row, shape (2, n_rows)."""
        groups = group_digests(frame, self.identity, self.likeness)
        return np.stack([groups, row_digests(frame, self.columns)])


@dataclass(frozen=True, slots=True)
class _Known:
    """Rows that were split before: digests by today's rule and names, shape (2, n_rows), and which have trained."""

    digests: Digests
    names: Digests
    trained: NDArray[np.bool_]


def name_rows(frame: pd.DataFrame, likeness: Likeness, spec: ProjectSpec, workspace: Workspace) -> Named:
    """Return the numbers of a table's rows: the names that they have, or else their digests.

    Parameters
    ----------
    frame
        The table, in the contract's types, shape (n_rows, n_columns).
    likeness
        What makes rows alike.
    spec
        The project; its id, time and target tell rows apart as well.
    workspace
        Where splits and names are kept.
    """
    columns = dict.fromkeys([*likeness.columns, *filter(None, [spec.id, spec.time, spec.target])])
    rule = _Rule(spec.id, likeness, tuple(columns))
    digests = rule.digests(frame)
    names = records.find_record(KIND, KEY, spec.name, Names, workspace)
    if names is None or names.rule != rule.text(frame):
        known = [*_known(frame, digests, rule, spec, workspace)]
        names = Names(rule.text(frame), *(frames.save_array(_names(known, level), workspace) for level in (0, 1)))
        records.save_record(KIND, KEY, spec.name, names, workspace)
    origins, rows = (frames.load_array(digest, workspace) for digest in (names.origins, names.rows))
    return Named(digests[0], _called(digests[0], origins), _called(digests[1], rows))


def origins_of(split: Split, workspace: Workspace) -> Digests:
    """Return what decided the side of each row of a split, shape (n_rows,)."""
    return np.asarray(frames.load_array(split.origins or split.groups, workspace))


def _known(
    frame: pd.DataFrame, digests: Digests, rule: _Rule, spec: ProjectSpec, workspace: Workspace
) -> Iterator[_Known]:
    """Give the rows of the tables that were split before, the newest first.

    A table without a column that the rule asks for can tell of those rows alone that today's table has as well.
    """
    for table, names, trained in _earlier(spec, workspace):
        shared = [name for name in rule.columns if name in table]
        if len(shared) == len(rule.columns):
            yield _Known(rule.digests(table), names, trained)
        elif set(shared) & set(rule.likeness.columns):
            ours, theirs = (tell_apart(row_digests(each, shared)) for each in (frame, table))
            found = pd.Index(ours).get_indexer(pd.Index(theirs))
            both = found >= 0
            yield _Known(digests[:, found[both]], names[:, both], trained[both])


def _earlier(spec: ProjectSpec, workspace: Workspace) -> Iterator[tuple[pd.DataFrame, Digests, NDArray[np.bool_]]]:
    """Give the tables that were split before, in the contract's types, with the names of their rows, and which trained.

    A table is passed over if newer ones have all its rows, and those that trained in it have trained there.
    """
    contract = find_contract(spec)
    seen = learnt = np.empty(0, np.uint64)
    for split in reversed(records.list_records("split", spec.name, Split, workspace)):
        rows = np.asarray(frames.load_array(split.row_digests, workspace))
        trained = ~np.isin(frames.load_array(split.assignment, workspace), [HOLDOUT, UNUSED])
        if np.isin(rows, seen).all() and np.isin(rows[trained], learnt).all():
            continue
        seen, learnt = np.union1d(seen, rows), np.union1d(learnt, rows[trained])
        table = frames.load_table(split.dataset, workspace)
        table = table if contract is None else conform(table, contract)[0]
        yield table, np.stack([origins_of(split, workspace), rows]), trained


def _names(known: list[_Known], level: int) -> Digests:
    """Return digests by today's rule and the names that differ from them; of several, one that has trained."""
    if not known:
        return np.empty((2, 0), np.uint64)
    trained = np.concatenate([one.trained for one in known])
    pairs = np.concatenate([np.stack([one.digests[level], one.names[level]]) for one in known], axis=1)
    pairs = pairs[:, np.argsort(~trained, kind="stable")]
    pairs = pairs[:, np.unique(pairs[0], return_index=True)[1]]
    return pairs[:, pairs[0] != pairs[1]]


def _called(digests: Digests, names: Digests) -> Digests:
    """Return the name of each digest, or itself where it has none."""
    if not names.shape[1]:
        return digests
    place = np.searchsorted(names[0], digests).clip(max=names.shape[1] - 1)
    return np.where(names[0, place] == digests, names[1, place], digests)
