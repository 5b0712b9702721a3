"""Sides and folds by a keyed hash: a group of rows stays together, and its side never changes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.data.sides.digests import Digests, count_distinct, places
from penstock.errors import DataError

HOLDOUT, UNUSED, ALWAYS_TRAINS = -1, -2, -3

Assignment = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class HashRule:
    """How rows are dealt.

    The share held out, the most folds, the key that decides sides, the seed that with it decides folds, and the
    groups that trained before.
    """

    holdout: float
    folds: int
    key: str
    seed: int
    trained: Digests


@dataclass(frozen=True, slots=True)
class _Groups:
    """Groups of the rows that have a target: each row's group, each group's origin and place, and its rarest class."""

    names: Digests
    member: NDArray[np.int64]
    origins: Digests
    place: NDArray[np.float64]
    rarest: NDArray[np.int64]


def assign_by_hash(
    groups: Digests, codes: NDArray[np.int64], rule: HashRule, origins: Digests | None = None
) -> tuple[Assignment, int]:
    """Give each row a side and a fold by its group.

    Parameters
    ----------
    groups
        Which rows belong together, shape (n_rows,).
    codes
        The class of each row, 0 for all of a regression, -1 without a target, shape (n_rows,).
    rule
        How rows are dealt.
    origins
        What decides the side of each row's group, and what `rule.trained` names it by, shape (n_rows,); None: itself.

    Returns
    -------
    assignment
        int8, shape (n_rows,): -1 holdout, -2 without a target, -3 trains in every fold (the only group of its class),
        otherwise its fold.
    folds
        How many folds there are: fewer than asked for if the rarest of two classes has fewer groups.
    """
    known = codes >= 0
    found = _find_groups(groups[known], (groups if origins is None else origins)[known], codes[known], rule.key)
    held = _sides(found, codes[known], rule)
    fold, folds = _folds(found, held, codes[known], rule)
    assignment = np.full(len(groups), UNUSED, np.int8)
    assignment[known] = np.where(held, np.int8(HOLDOUT), fold)[found.member]
    return assignment, folds


def train_only(assignment: Assignment, groups: Digests, some: NDArray[np.bool_], *, by_time: bool) -> Assignment:
    """Return sides and folds in which some rows are not held out.

    Where time decides, those after the cut wait unused until it has passed them, since what is newer than the holdout
    tells of it. Else they train in every fold, unless other rows of their group are held out or judge a fold.
    """
    changed = assignment.copy()
    mixed = np.isin(groups, groups[~some & (assignment != UNUSED)])
    changed[some & (assignment == HOLDOUT)] = UNUSED
    if not by_time:
        changed[some & ~mixed & (assignment != UNUSED)] = ALWAYS_TRAINS
    return changed


def need_folds(dealt: tuple[Assignment, int], groups: Digests, codes: NDArray[np.int64], remedy: str) -> None:
    """Make sure that each fold has rows to learn from and to judge by, and at least one of them both of two classes.

    Parameters
    ----------
    dealt
        The side and fold of each row, and how many folds there are.
    groups, codes
        Which rows belong together, and the class of each row, shape (n_rows,).
    remedy
        What a person can do where they have not, in a sentence.

    Raises
    ------
    DataError
        If the rows are of too few groups, or those of a class are.
    """
    assignment, folds = dealt
    trains = (assignment != HOLDOUT) & (assignment != UNUSED)
    sides = [(codes[trains & (assignment != fold)], codes[assignment == fold]) for fold in range(folds)]
    told = [min(_count_classes(learnt), _count_classes(judged)) for learnt, judged in sides]
    classes = np.unique(codes[trains])
    needed = 2 if len(classes) == 2 else 1  # noqa: PLR2004  one class alone says nothing of two
    if min(told) == 0 or max(told) < needed:
        alone = [code for code in classes if count_distinct(groups[trains & (codes == code)]) == 1]
        both = ", both classes among each" if needed > 1 else ""
        must = f"A fold must have rows to learn from and rows of other groups to judge by{both}"
        count = count_distinct(groups[trains])
        found = f"the {int(trains.sum())} rows that train are of {count} group{'s' * (count > 1)}"
        rare = f"; classes in one group alone: {len(alone)} of {len(classes)}" if len(classes) > 1 else ""
        raise DataError(f"{must}, but {found}{rare}. {remedy}")


def _count_classes(codes: NDArray[np.int64]) -> int:
    return int(np.count_nonzero(np.bincount(codes)))


def _find_groups(groups: Digests, origins: Digests, codes: NDArray[np.int64], key: str) -> _Groups:
    names, first, member = np.unique(groups, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(np.bincount(codes), kind="stable"), kind="stable")  # 0 is the rarest class
    rarest = np.full(len(names), len(order), np.int64)
    np.minimum.at(rarest, member, order[codes])
    return _Groups(names, member, origins[first], places(origins[first], f"side {key}"), rarest)


def _sides(found: _Groups, codes: NDArray[np.int64], rule: HashRule) -> NDArray[np.bool_]:
    """Hold out the groups whose place is low, and see to it that either side has every class that it can have."""
    trained = np.isin(found.origins, rule.trained)
    held = (found.place < rule.holdout) & ~trained
    if rule.holdout > 0:
        for code in np.flatnonzero(_absent(codes, held[found.member])):
            _move(found, codes == code, held, trained, to_holdout=True)
    for code in np.flatnonzero(_absent(codes, ~held[found.member])):
        _move(found, codes == code, held, trained, to_holdout=False)
    return held


def _absent(codes: NDArray[np.int64], side: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the classes with rows, but none on a side."""
    count = int(codes.max()) + 1
    rows, there = np.bincount(codes, minlength=count), np.bincount(codes[side], minlength=count)
    return np.asarray((rows > 0) & (there == 0))


def _move(
    found: _Groups, rows: NDArray[np.bool_], held: NDArray[np.bool_], trained: NDArray[np.bool_], *, to_holdout: bool
) -> None:
    """Move the group of a class that is nearest to the other side; one that trained before stays in training."""
    groups = np.unique(found.member[rows])
    movable = groups[~trained[groups]] if to_holdout else groups
    if len(groups) > 1 and len(movable) and to_holdout:
        held[movable[np.argmin(found.place[movable])]] = True
    elif not to_holdout:
        held[movable[np.argmax(found.place[movable])]] = False


def _folds(
    found: _Groups, held: NDArray[np.bool_], codes: NDArray[np.int64], rule: HashRule
) -> tuple[NDArray[np.int8], int]:
    """Deal the groups that train in turn, the rarest class first, so that folds have like shares of each class."""
    training = np.flatnonzero(~held)
    rarest = found.rarest[training]
    classes = len(np.unique(codes))
    folds = min(rule.folds, len(training))
    if classes == 2:  # noqa: PLR2004  both classes must be in every fold
        folds = max(2, min(folds, int((rarest == 0).sum())))
    order = np.lexsort((places(found.names[training], f"fold {rule.key} {rule.seed}"), rarest))
    fold = np.full(len(held), HOLDOUT, np.int8)
    fold[training[order]] = np.arange(len(training)) % folds
    if classes > 1:
        alone = np.bincount(rarest, minlength=classes)[rarest] == 1
        fold[training[alone]] = ALWAYS_TRAINS
    return fold, folds
