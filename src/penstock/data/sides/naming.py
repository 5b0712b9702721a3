"""The names that rows and groups keep, whatever tells them apart later.

A digest follows its rule: which columns count, in which types, and which of them is the id. An edit of the project file
or the contract gives the same rows other digests. So what was split under an earlier rule keeps the name that it had
then, and only what is new is named by its digest.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.contract_file import find_contract
from penstock.data.joining import MOST_REPEATED
from penstock.data.sides.digests import Digests, count_distinct, row_digests
from penstock.data.sides.grouping import Likeness, group_digests
from penstock.data.sides.hash_split import HOLDOUT, UNUSED
from penstock.data.sides.repeats import tell_apart
from penstock.data.types.canonical import canonical_type
from penstock.data.types.conforming import conform
from penstock.domain.datasets import Contract, DatasetVersion, Split
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec
from penstock.store import frames, records

KIND, KEY = "names", "rows"

_Earlier = tuple[pd.DataFrame, Digests, NDArray[np.bool_]]  # a table, the names of its rows, and which trained


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
    text = rule.text(frame)
    names = records.find_record(KIND, KEY, spec.name, Names, workspace)
    if names is None or names.rule != text:
        earlier = _earlier(rule.columns, spec, workspace)
        known = _known(frame, digests, rule, earlier, new=names is None)
        names = Names(text, *(frames.save_array(pairs, workspace) for pairs in _names(known)))
        records.save_record(KIND, KEY, spec.name, names, workspace)
    origins, rows = (frames.load_array(digest, workspace) for digest in (names.origins, names.rows))
    return Named(digests[0], _called(digests[0], origins), _called(digests[1], rows))


def origins_of(split: Split, workspace: Workspace) -> Digests:
    """Return what decided the side of each row of a split, shape (n_rows,)."""
    return np.asarray(frames.load_array(split.origins or split.groups, workspace))


def _known(
    frame: pd.DataFrame, digests: Digests, rule: _Rule, earlier: Iterable[_Earlier], *, new: bool
) -> Iterator[_Known]:
    """Give the rows of the tables that were split before, the newest first.

    A table without a column that the rule asks for can tell of those rows alone that today's table has as well, and
    only if the columns that both have tell rows apart, or are all that make rows alike (an id is new). If no rule was
    kept yet (`new`) and the newest table's rows have their names by today's rule, no older table is read.
    """
    for number, (table, names, trained) in enumerate(earlier):
        shared = [name for name in rule.columns if name in table]
        if len(shared) == len(rule.columns):
            theirs = rule.digests(table)
            if new and number == 0 and np.array_equal(theirs, names):
                return
            yield _Known(theirs, names, trained)
        elif set(shared) & set(rule.likeness.columns):
            contents = [row_digests(each, shared) for each in (frame, table)]
            alike = any(count_distinct(each) < (1 - MOST_REPEATED) * len(each) for each in contents)
            if alike and not set(rule.likeness.columns) <= set(shared):
                continue
            found = pd.Index(tell_apart(contents[0])).get_indexer(pd.Index(tell_apart(contents[1])))
            both = found >= 0
            yield _Known(digests[:, found[both]], names[:, both], trained[both])


def _earlier(columns: Sequence[str], spec: ProjectSpec, workspace: Workspace) -> Iterator[_Earlier]:
    """Give some columns of the tables that were split before, the names of their rows, and which trained.

    The tables are in the contract's types. One is passed over if newer ones have all its rows, and those that trained
    in it have trained there.
    """
    contract = find_contract(spec)
    seen = learnt = np.empty(0, np.uint64)
    for split in reversed(records.list_records("split", spec.name, Split, workspace)):
        rows = np.asarray(frames.load_array(split.row_digests, workspace))
        trained = ~np.isin(frames.load_array(split.assignment, workspace), [HOLDOUT, UNUSED])
        if np.isin(rows, seen).all() and np.isin(rows[trained], learnt).all():
            continue
        seen, learnt = np.union1d(seen, rows), np.union1d(learnt, rows[trained])
        dataset = records.find_dataset(spec.name, split.dataset, workspace)
        table = frames.load_table(dataset.digest, workspace, _needed(columns, dataset, contract))
        table = table if contract is None else conform(table, contract)[0]
        yield table, np.stack([origins_of(split, workspace), rows]), trained


def _needed(columns: Sequence[str], dataset: DatasetVersion, contract: Contract | None) -> list[str]:
    """Return which columns of a table hold some columns of today, or decide which column is renamed to which."""
    renamed = (one for one in (contract.columns if contract else ()) if one.renamed_from)
    wanted = {*columns, *(name for one in renamed for name in (one.name, *one.renamed_from))}
    return [column.name for column in dataset.columns if column.name in wanted]


def _names(known: Iterable[_Known]) -> tuple[Digests, Digests]:
    """Return digests by today's rule and the names that differ from them, of groups and of rows.

    Of several names a digest has the newest that has trained. Only one name of each digest is kept on the way.
    """
    pairs = [np.empty((2, 0), np.uint64)] * 2
    trained = [np.empty(0, bool)] * 2
    for one in known:
        for level in (0, 1):
            every = np.concatenate([pairs[level], np.stack([one.digests[level], one.names[level]])], axis=1)
            learnt = np.concatenate([trained[level], one.trained])
            order = np.argsort(~learnt, kind="stable")
            order = order[np.unique(every[0, order], return_index=True)[1]]
            pairs[level], trained[level] = every[:, order], learnt[order]
    groups, rows = (each[:, each[0] != each[1]] for each in pairs)
    return groups, rows


def _called(digests: Digests, names: Digests) -> Digests:
    """Return the name of each digest, or itself where it has none."""
    if not names.shape[1]:
        return digests
    place = np.searchsorted(names[0], digests).clip(max=names.shape[1] - 1)
    return np.where(names[0, place] == digests, names[1, place], digests)
