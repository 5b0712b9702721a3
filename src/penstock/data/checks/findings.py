"""What is odd in a table that has no predecessor: told with its evidence, for a person to look at."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from penstock.data.checks import column_findings
from penstock.data.sides.digests import combine, count_distinct, value_digests
from penstock.data.sides.repeats import alike_by_chance, is_counter
from penstock.data.splitting import GROUPED_SHARE
from penstock.data.types.canonical import canonical_type, names_of
from penstock.domain.datasets import Finding
from penstock.spec import ProjectSpec

NEAR_COPY = 0.995  # share of rows in which a column's value decides the target's
LEVELS_A_CLASS = 10
SAME_LINE = 1 - 1e-8  # squared correlation of a copy in other units
FEWEST_ROWS = 30
SAMPLE = 2000


def check_first_file(frame: pd.DataFrame, spec: ProjectSpec, today: np.datetime64) -> tuple[Finding, ...]:
    """Look for what needs no history to be seen.

    Sentinels such as -999, impossible values, one level in several spellings, empty and constant columns, columns that
    number or name rows, repeated rows, repeated feature rows without an id, and the target among the features. None
    of these stops a table: rows that break what must never happen are the suite's business.

    Parameters
    ----------
    frame
        A canonical table, shape (n_rows, n_columns).
    spec
        The project; columns that it drops are not looked at.
    today
        Dates after it are in the future.

    Returns
    -------
    tuple of Finding
        Warnings and notes.
    """
    names = [name for name in names_of(frame) if name not in spec.columns.drop]
    found = [finding for name in names for finding in column_findings.check_column(frame[name], today)]
    found += [finding for name in names if name not in (spec.target, spec.id) for finding in _names_rows(frame[name])]
    return (*found, *_repeated(frame[names], spec), *_target_copies(frame[names], spec))


def _names_rows(values: pd.Series) -> Iterator[Finding]:
    if is_counter(values):
        message = (
            f"Column {values.name!r} numbers the rows: every row has its own whole number. It tells nothing of others."
        )
        yield Finding("counter", "note", (str(values.name),), message, len(values))
    elif canonical_type(values) == "string" and len(values) >= FEWEST_ROWS:
        distinct = values.nunique()
        words = float(values.dropna().iloc[:1000].str.count(r"\S+").mean())
        if distinct >= 0.9 * values.count() > 0 and words < 3:  # noqa: PLR2004  texts have more words, names fewer values
            message = (
                f"Column {values.name!r} names the rows: {distinct:,} different values in {values.count():,} rows."
            )
            yield Finding("identifier", "note", (str(values.name),), message, len(values))


def _repeated(frame: pd.DataFrame, spec: ProjectSpec) -> Iterator[Finding]:
    """Count rows that come again: whole, and without target where no id tells them apart."""
    rows = len(frame)
    digests = {name: value_digests(frame[name]) for name in names_of(frame)}
    copies = rows - count_distinct(combine(digests, rows))
    if copies:
        message = f"{copies:,} of {rows:,} rows are copies of another row, value for value."
        yield Finding("duplicate_rows", "warning", (), message, copies, (("share", copies / rows),))
    if spec.id is not None:
        return
    features = {name: found for name, found in digests.items() if name != spec.target and not is_counter(frame[name])}
    distinct = count_distinct(combine(features, rows))
    if features and rows - distinct >= GROUPED_SHARE * rows and not alike_by_chance(features, rows):
        message = (
            f"{distinct:,} distinct feature rows among {rows:,} rows, and no id: rows with the same features are kept "
            "on one side of the split and counted as one group. If a column names the person or thing, set `id` to it."
        )
        yield Finding("repeated_features", "warning", (), message, rows - distinct, (("distinct", float(distinct)),))


def _target_copies(frame: pd.DataFrame, spec: ProjectSpec) -> Iterator[Finding]:
    target = frame[spec.target]
    numbers = canonical_type(target) == "number" and spec.problem == "regression"
    most = LEVELS_A_CLASS * target.nunique()
    for name in names_of(frame):
        if name == spec.target or (not numbers and frame[name].iloc[:SAMPLE].nunique() > most):
            continue
        both = frame[[name, spec.target]].dropna()
        if len(both) < max(FEWEST_ROWS, len(frame) // 2):
            continue
        share = _on_a_line(both[name], both[spec.target]) if numbers else _decides(both[name], both[spec.target])
        if share:
            message = f"Column {name!r} is the target in other words: it decides it in {share:.1%} of the rows."
            yield Finding("target_copy", "warning", (str(name),), message, len(both), (("share", share),))


def _on_a_line(values: pd.Series, target: pd.Series) -> float:
    """Return 1 if a column is the target in another unit, the share of equal rows if nearly all are equal, or 0."""
    if canonical_type(values) != "number":
        return 0.0
    one, other = values.to_numpy(np.float64), target.to_numpy(np.float64)
    equal = float((one == other).mean())
    if equal >= NEAR_COPY:
        return equal
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return 1.0 if float(np.corrcoef(one, other)[0, 1]) ** 2 >= SAME_LINE else 0.0


def _decides(values: pd.Series, target: pd.Series) -> float:
    """Return the share of rows that the best class for each level gets right, if it is nearly all; else 0."""
    levels, names = pd.factorize(values)
    codes, classes = pd.factorize(target)
    if not 2 <= len(names) <= LEVELS_A_CLASS * len(classes):  # noqa: PLR2004
        return 0.0
    table = np.bincount(levels * len(classes) + codes, minlength=len(names) * len(classes)).reshape(len(names), -1)
    share = float(table.max(axis=1).sum() / table.sum())
    every_class = len(set(table.argmax(axis=1))) == len(classes)
    return share if share >= NEAR_COPY and every_class else 0.0
