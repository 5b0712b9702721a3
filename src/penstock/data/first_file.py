"""What a first file lets us expect, though some of its rows may be wrong.

There is no clean predecessor, so each rule asks for a clear majority, and for a second sign that the minority is
wrong and not merely rare. A column that the project file names under `columns.kinds` is not second-guessed.
"""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.canonical import canonical_type
from penstock.data.profiling import as_text
from penstock.data.targets import known_pair
from penstock.domain.datasets import ColumnType
from penstock.spec import ProjectSpec

ENOUGH = 30  # values; below this a file says nothing of what always holds
MOST_WRONG = 0.25  # of the rows: above this the values are rather a habit of the source than faults
KEY_SHARE = 0.75  # different values among those present: below, a column named as an id repeats by design
KEY_WORDS = frozenset({"id", "uuid", "guid"})
NEVER_NEGATIVE = frozenset(
    """
    age ages tenure count counts quantity qty height weight length width size duration distance area population visits
    hours minutes seconds months years price fee fees charge charges salary rooms children calls logins spend revenue
    usage mileage speed
    """.split()  # noqa: SIM905  a list of words is easier to read and to add to
)

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
        tuple(name for name in keys if _is_key(frame[name], spec.id == name)),
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


def _is_key(values: pd.Series, is_id: bool) -> bool:
    present = values.dropna()
    if not (is_id or says_id(str(values.name))) or len(present) < ENOUGH:
        return False
    return bool(present.nunique() >= KEY_SHARE * len(present))


def _sign(values: pd.Series, *, doubted: bool) -> int:
    numbers = values.dropna().to_numpy()
    negative = numbers < 0
    if not negative.any():
        return 1
    if not (numbers > 0).any():
        return -1
    share = negative.mean()
    if not doubted or share > MOST_WRONG:
        return 0
    never_negative = set(name_words(str(values.name))) & NEVER_NEGATIVE
    return 1 if (never_negative and not _is_code(numbers[negative])) or _beyond_a_gap(numbers) else 0


def _is_code(negative: NDArray[np.float64]) -> bool:
    """Whether negative numbers are one code such as -999, which stands for a missing value and is no fault."""
    return len(np.unique(negative)) == 1 and set(f"{-negative[0]:g}") == {"9"}


def _beyond_a_gap(numbers: NDArray[np.float64]) -> bool:
    """Whether whole positive numbers keep away from zero, and various negative ones stand on its other side.

    One repeated negative value is rather a sign for "unknown" than a fault.
    """
    positive, negative = numbers[numbers > 0], numbers[numbers < 0]
    if (numbers == 0).any() or (numbers % 1 != 0).any() or len(np.unique(negative)) < 3:  # noqa: PLR2004
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
