"""What each column of a table looks like: counts, range, levels, a histogram."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.readers import LARGEST
from penstock.data.types.canonical import canonical_type
from penstock.domain.datasets import ColumnProfile

MOST_LEVELS = 50  # levels kept with their counts; more are an identifier's
BINS = 20
EXAMPLES = 3
SAMPLE = 100_000  # values are enough for percentiles
LONGEST_EXAMPLE = 60


def profile_table(frame: pd.DataFrame) -> tuple[ColumnProfile, ...]:
    """Return the profile of each column.

    Parameters
    ----------
    frame
        A table in canonical types, shape (n_rows, n_columns).

    Returns
    -------
    tuple of ColumnProfile
        In the order of the columns.
    """
    return tuple(profile_column(frame[name]) for name in frame)


def profile_column(values: pd.Series) -> ColumnProfile:
    """Return the profile of one canonical column."""
    kind = canonical_type(values)
    return {"number": _number, "boolean": _boolean, "string": _string, "date": _date}[kind](values)


def as_text(value: object) -> str:
    """Return a value as records show it: whole numbers without a point, dates in ISO 8601."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return str(value)


def _number(values: pd.Series) -> ColumnProfile:
    present = values.dropna().to_numpy()
    unique = pd.unique(present)
    bare = ColumnProfile(str(values.name), "number", len(values), len(values) - len(present), len(unique))
    if not len(present):
        return bare
    floats = np.clip(present.astype(np.float64), -LARGEST, LARGEST)  # as they are decoded: their squares are finite
    return replace(
        bare,
        whole=present.dtype.kind == "i" or bool(np.all(np.mod(floats, 1) == 0)),
        lowest=float(present.min()),
        highest=float(present.max()),
        mean=float(floats.mean()),
        deviation=float(floats.std()),
        examples=_examples(unique),
        levels=_levels(pd.Series(present)) if len(unique) <= MOST_LEVELS else (),
        histogram=_histogram(floats),
    )


def _boolean(values: pd.Series) -> ColumnProfile:
    present = values.dropna().astype(bool)
    return ColumnProfile(
        name=str(values.name),
        type="boolean",
        rows=len(values),
        missing=len(values) - len(present),
        distinct=int(present.nunique()),
        mean=float(present.mean()) if len(present) else None,
        examples=_examples(present.unique()),
        levels=_levels(present),
    )


def _string(values: pd.Series) -> ColumnProfile:
    counts = values.value_counts(sort=True)
    present = int(counts.sum())
    lengths = counts.index.str.len().to_numpy(np.float64)
    return ColumnProfile(
        name=str(values.name),
        type="string",
        rows=len(values),
        missing=len(values) - present,
        distinct=len(counts),
        examples=_examples(np.asarray(counts.index[:EXAMPLES], dtype=object)),
        levels=tuple((str(level), int(count)) for level, count in counts.iloc[:MOST_LEVELS].items()),
        mean_length=float(np.average(lengths, weights=counts.to_numpy())) if present else None,
    )


def _date(values: pd.Series) -> ColumnProfile:
    present = values.dropna()
    missing = len(values) - len(present)
    bare = ColumnProfile(str(values.name), "date", len(values), missing, int(present.nunique()))
    if present.empty:
        return bare
    return replace(
        bare,
        lowest=as_text(present.min()),
        highest=as_text(present.max()),
        examples=_examples(present.iloc[:EXAMPLES].to_numpy(object)),
        histogram=_histogram(present.to_numpy("datetime64[s]").astype(np.float64)),
    )


def _examples(values: NDArray[np.generic] | pd.Series) -> tuple[str, ...]:
    return tuple(as_text(value)[:LONGEST_EXAMPLE] for value in list(values[:EXAMPLES]))


def _levels(present: pd.Series) -> tuple[tuple[str, int], ...]:
    counts = present.value_counts(sort=True).iloc[:MOST_LEVELS]
    return tuple((as_text(level), int(count)) for level, count in counts.items())


def _histogram(values: NDArray[np.float64]) -> tuple[tuple[float, int], ...]:
    """Return left edges and counts of bins of equal width between the first and the last percentile.

    Values beyond count in the outer bins, so that one outlier does not flatten the rest.
    """
    sample = values[:: max(1, len(values) // SAMPLE)]
    low, high = np.quantile(sample, (0.01, 0.99))
    if high <= low:
        return ((float(values.min()), len(values)),)
    places = np.clip((values - low) * (BINS / (high - low)), 0, BINS - 1).astype(np.int64)
    counts = np.bincount(places, minlength=BINS)
    edges = np.linspace(low, high, BINS + 1)[:-1]
    return tuple((float(edge), int(count)) for edge, count in zip(edges, counts, strict=True))
