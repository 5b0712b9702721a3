"""What a first file lets us expect, though some of its rows may be wrong.

There is no clean predecessor, so each rule asks for a clear majority, and for a second sign that the minority is
wrong and not merely rare. A column that the project file names under `columns.kinds` is not second-guessed.
"""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.profiling import as_text
from penstock.data.targets import known_pair
from penstock.data.types.canonical import canonical_type
from penstock.domain.datasets import ColumnType
from penstock.spec import ProjectSpec

ENOUGH = 30  # values; below this a file says nothing of what always holds
MOST_WRONG = 0.25  # of the rows: above this the values are rather a habit of the source than faults
LESS_THAN_HALF = 0.5  # of the rows: with that many on either side there is no majority to go by
KEY_SHARE = 0.75  # different values among those present: below, a column named as an id repeats by design
ALL_BUT_ONE = 0.95  # the same among the rows without its most frequent value: that value is then none of the names
KEY_WORDS = frozenset({"id", "uuid", "guid"})
NEVER_NEGATIVE = frozenset(
    """
    age ages tenure count counts quantity qty height weight length width size duration distance area population visits
    hours minutes seconds months years price fee fees charge charges salary rooms children calls logins spend revenue
    usage mileage speed
    """.split()  # noqa: SIM905  a list of words is easier to read and to add to
)

NEVER_REVERSED = frozenset(
    "age ages tenure height weight length width size area population rooms children".split()  # noqa: SIM905
)  # of these there are no returns, refunds or corrections, which turn a sign in many rows of an honest file

_CODE = re.compile(r"-([1-9])\1*")  # -1, -8, -99, -777: what surveys write for "unknown", "refused" and the like
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Expected:
    """What should hold of a first file.

    `keys` are columns with one row a value and no gaps; `target_type` is that of a classifier's `target_values`,
    which other texts in the target hide.
    """

    keys: tuple[str, ...]
    target_type: ColumnType
    target_values: tuple[str, ...]


def expect(frame: pd.DataFrame, spec: ProjectSpec) -> Expected:
    """Return what the majority of a first file's rows lets us expect of all of them.

    Parameters
    ----------
    frame
        A canonical table of shape (n_rows, n_columns).
    spec
        Names the target, the id, and the columns that a person has spoken about.

    Returns
    -------
    Expected
        What the draft of contract and suite makes critical.
    """
    keys = [name for name in frame.columns if name not in {spec.target, *spec.columns.kinds, *spec.columns.drop}]
    values = _target_values(frame[spec.target], spec)
    return Expected(
        tuple(name for name in keys if _is_key(frame[name], spec.id == name, first=name == frame.columns[0])),
        _target_type(frame[spec.target], values),
        values,
    )


def signs(frame: pd.DataFrame, spec: ProjectSpec, *, first: bool) -> dict[str, int]:
    """Return the number columns whose sign always held, or on a first file must have been meant to hold."""
    found = {}
    for name in frame.columns:
        if canonical_type(frame[name]) == "number" and frame[name].count() >= ENOUGH:
            sign = _sign(frame[name], doubted=first and name not in spec.columns.kinds)
            if sign:
                found[name] = sign
    return found


def name_words(name: str) -> list[str]:
    """Return the words of a column's name, in lower case: `customerID` has customer and id."""
    return [word.lower() for word in _WORDS.findall(str(name))]


def says_id(name: str) -> bool:
    """Return whether a column's name says that it names rows."""
    words = name_words(name)
    return bool(words) and words[-1] in KEY_WORDS


def _is_key(values: pd.Series, is_id: bool, *, first: bool) -> bool:
    present = values.dropna()
    named = says_id(str(values.name))
    if not (is_id or named) or len(present) < ENOUGH:
        return False
    counts = present.value_counts()
    if len(counts) >= KEY_SHARE * len(present):
        return True
    return (is_id or first) and _but_for_one_value(counts)


def _but_for_one_value(counts: pd.Series) -> bool:
    """Whether most rows have a value of their own, and nearly all others share a single one.

    A column of which one thing has many rows, and others few, is not that clear-cut.
    """
    others = int(counts.sum()) - int(counts.max())
    return others > LESS_THAN_HALF * counts.sum() and len(counts) - 1 >= ALL_BUT_ONE * others


def _sign(values: pd.Series, *, doubted: bool) -> int:
    numbers = values.dropna().to_numpy()
    negative = numbers < 0
    if not negative.any():
        return 1
    if not (numbers > 0).any():
        return -1
    share = negative.mean()
    if not doubted or share >= LESS_THAN_HALF:
        return 0
    named = set(name_words(str(values.name)))
    if share > MOST_WRONG:
        return 1 if named & NEVER_REVERSED and _away_from_zero(numbers) and not _are_codes(numbers[negative]) else 0
    never_negative = named & NEVER_NEGATIVE
    return 1 if (never_negative and not _is_code(numbers[negative])) or _beyond_a_gap(numbers) else 0


def _are_codes(negative: NDArray[np.float64]) -> bool:
    """Whether every negative number is a code of those that surveys write."""
    return all(_CODE.fullmatch(f"{value:g}") for value in np.unique(negative))


def _is_code(negative: NDArray[np.float64]) -> bool:
    """Whether negative numbers are one code such as -999, which stands for a missing value and is no fault."""
    return len(np.unique(negative)) == 1 and set(f"{-negative[0]:g}") == {"9"}


def _beyond_a_gap(numbers: NDArray[np.float64]) -> bool:
    """Whether whole positive numbers keep away from zero, and various negative ones stand on its other side.

    One repeated negative value is rather a sign for "unknown" than a fault.
    """
    return len(np.unique(numbers[numbers < 0])) >= 3 and _away_from_zero(numbers)  # noqa: PLR2004


def _away_from_zero(numbers: NDArray[np.float64]) -> bool:
    """Whether numbers are whole, and the positive ones keep away from zero: those of a centred column do not."""
    positive = numbers[numbers > 0]
    if (numbers == 0).any() or (numbers % 1 != 0).any():
        return False
    return bool(positive.min() > np.median(positive) / 4)


def _target_values(values: pd.Series, spec: ProjectSpec) -> tuple[str, ...]:
    if spec.problem == "regression" or (spec.problem is None and canonical_type(values) in {"number", "date"}):
        return ()
    pair = [as_text(value) for value in known_pair(values) or ()]
    known = [as_text(value) for value in values.dropna().value_counts().index]
    if spec.problem == "binary" and not pair:
        return tuple(sorted(known[:2]))
    return tuple(sorted(pair or known))


def _target_type(values: pd.Series, known: tuple[str, ...]) -> ColumnType:
    found = canonical_type(values)
    if found == "string" and values.nunique() > len(known):
        lower = {value.strip().lower() for value in known}
        return "number" if lower == {"0", "1"} else "boolean" if lower == {"true", "false"} else "string"
    return found
