"""Columns of text that hold numbers, true and false, or dates: find the type, and the values that are not of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from penstock.data.types.date_text import DateReading, read_dates
from penstock.data.types.whole_numbers import whole_column
from penstock.domain.datasets import ColumnType, Finding

SPELLED_MISSING = frozenset({"na", "n/a", "nan", "null", "none", "<na>", "#n/a", "nil", "?", "-", "--", "."})
SOME = 0.05  # share above which texts are no slips
MOSTLY = 0.5  # share of readable values above which the others are broken, not the type
FEW_NUMBERS = 20  # a column with no more different numbers than this, and texts, is a category
NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$"
WHOLE = r"^[+-]?\d+$"
LIST = r"^\d+,\d+,"  # several answers in one cell
COMMA_NUMBER = r"^[+-]?\d+,\d+$"
THOUSANDS = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"  # among decimal commas: 1.234 may as well be 1234
LEADING_ZERO = r"^[+-]?0\d"


@dataclass(frozen=True, slots=True)
class Column:
    """A canonical column, what was seen, and the texts that are not of its type (row, column, text)."""

    values: pd.Series
    findings: tuple[Finding, ...] = ()
    unreadable: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class _Texts:
    """A column of texts, trimmed, with what stands for a missing value taken out of `filled`."""

    name: str
    series: pd.Series
    trimmed: pa.Array
    filled: pa.Array
    present: int


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A column's texts with points before decimals, which of them are numbers, and what is to be said of it."""

    filled: pa.Array
    numeric: pa.Array
    notes: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """How texts are read.

    `typed`: the source keeps types, so that text is meant as text, and only ISO dates are looked for. `strict`: a
    type is given only if every value has it; else one that most values have, if the others are plainly broken.
    """

    typed: bool = False
    strict: bool = False


def give_type(texts: pd.Series, name: str, wished: ColumnType | None, reader: Reader = Reader()) -> Column:
    """Return a column of texts in the type that its values have.

    Parameters
    ----------
    texts
        Texts, shape (n_rows,), missing values NaN.
    name
        The column's name.
    wished
        The type that the contract or a person gives it; it stands if most values can be read so.
    reader
        How texts are read.

    Returns
    -------
    Column
        Of type string if no other type fits.
    """
    column = _look(texts, name)
    if wished == "string" or column.present == 0:
        return Column(texts) if reader.typed or column.present or wished == "string" else _empty(texts)
    if wished is not None:
        found = _as_wished(column, wished)
        if found is not None:
            return found
    if reader.typed:
        dates = read_dates(texts, only_iso=True)
        return _dated(column, dates) if dates is not None and _all_fit(column, dates) else Column(texts)
    found = _boolean(column) or _number(column) or _date(column)
    if found is None or (reader.strict and found.unreadable is not None):
        return Column(texts, _spelled_missing(column, missing=False))
    return found


def share_of(texts: pd.Series, kind: ColumnType) -> float:
    """Return the share of texts that are of a type, each taken for itself."""
    column = _look(texts, "")
    if kind == "date":
        dates = read_dates(texts)
        return float(dates.fitting.sum()) / max(1, column.present) if dates is not None else 0.0
    if kind == "boolean":
        return _share(_is_truth(column.filled), column)
    return _share(pc.or_(_is_number(column.filled), _matches(column.filled, COMMA_NUMBER)), column)


def _empty(texts: pd.Series) -> Column:
    return Column(pd.Series(np.nan, index=texts.index, dtype="float64"))


def _look(texts: pd.Series, name: str) -> _Texts:
    array = pa.array(texts, type=pa.string(), from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    trimmed = pc.utf8_trim_whitespace(array)
    marked = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(sorted({*SPELLED_MISSING, ""})))
    filled = pc.if_else(marked, pa.scalar(None, pa.string()), trimmed)
    return _Texts(name, texts, trimmed, filled, len(filled) - filled.null_count)


def _as_wished(column: _Texts, wished: ColumnType) -> Column | None:
    """Return the column in a given type if most values can be read so."""
    if wished == "number":
        read = _read_numbers(column)
        return _numbers(column, read) if _share(read.numeric, column) > MOSTLY else None
    if wished == "boolean":
        truth = _is_truth(column.filled)
        return _booleans(column, truth) if _share(truth, column) > MOSTLY else None
    dates = read_dates(column.series)
    return _dated(column, dates) if dates is not None and dates.fitting.sum() > MOSTLY * column.present else None


def _share(mask: pa.Array, column: _Texts) -> float:
    return (pc.sum(mask).as_py() or 0) / max(1, column.present)


def _matches(filled: pa.Array, pattern: str) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(filled, pattern), False)


def _is_truth(filled: pa.Array) -> pa.Array:
    return pc.is_in(pc.utf8_lower(filled), value_set=pa.array(["true", "false"]))


def _is_number(filled: pa.Array) -> pa.Array:
    return _matches(filled, NUMBER)


def _boolean(column: _Texts) -> Column | None:
    if pc.count_distinct(column.filled).as_py() > 4:  # noqa: PLR2004  true and false in up to two spellings each
        return None
    truth = _is_truth(column.filled)
    return _booleans(column, truth) if _share(truth, column) == 1 else None


def _booleans(column: _Texts, truth: pa.Array) -> Column:
    values = pc.if_else(truth, pc.equal(pc.utf8_lower(column.filled), "true"), pa.scalar(None, pa.bool_()))
    whole = values.null_count == 0
    series = pd.Series(
        values.to_numpy(zero_copy_only=False), index=column.series.index, dtype=bool if whole else object
    )
    return _with_faults(column, series, truth, "true or false")


def _number(column: _Texts) -> Column | None:
    if pc.any(pc.match_substring_regex(column.filled, LEADING_ZERO)).as_py():
        return None  # codes such as 0422 are names
    read = _read_numbers(column)
    if _share(read.numeric, column) < 1 and not _broken_numbers(column, read):
        return None
    return _numbers(column, read)


def _read_numbers(column: _Texts) -> _Numbers:
    """Tell which texts are numbers; 12,5 is read as 12.5 where most decimals of a column are written so."""
    numeric = _is_number(column.filled)
    if _share(numeric, column) == 1:
        return _Numbers(column.filled, numeric)
    comma = _matches(column.filled, COMMA_NUMBER)
    pointed = pc.and_(numeric, pc.invert(_matches(column.filled, WHOLE)))
    decimals = pc.and_(comma, pc.invert(_matches(column.filled, r",\d{3}$")))
    listed = _share(_matches(column.filled, LIST), column) > SOME
    if not pc.any(decimals).as_py() or _share(comma, column) <= _share(pointed, column) or listed:
        return _Numbers(column.filled, numeric)
    message = f"Column {column.name!r} writes decimals with a comma; 12,5 is read as 12.5."
    note = Finding("decimal_comma", "note", (column.name,), message)
    clear = pc.or_(comma, pc.and_not(numeric, _matches(column.filled, THOUSANDS)))
    return _Numbers(pc.replace_substring(column.filled, ",", "."), clear, (note,))


def _broken_numbers(column: _Texts, read: _Numbers) -> bool:
    """Tell numbers with some broken values from categories and codes that happen to hold numbers."""
    if _share(read.numeric, column) <= MOSTLY:
        return False
    numbers = read.filled.filter(read.numeric)
    if pc.any(pc.match_substring_regex(numbers, r"\.\d")).as_py():
        return True  # no category is named by decimals
    if pc.count_distinct(numbers).as_py() <= FEW_NUMBERS:
        return False
    others = column.filled.filter(pc.and_(pc.invert(read.numeric), pc.is_valid(column.filled)))
    with_digits = pc.sum(pc.match_substring_regex(others, r"\d")).as_py() or 0
    return bool(with_digits * 2 <= len(others))


def _numbers(column: _Texts, read: _Numbers) -> Column | None:
    kept = pc.if_else(read.numeric, read.filled, pa.scalar(None, pa.string()))
    if not pc.any(pc.match_substring_regex(kept, r"[.eE]")).as_py():
        try:
            whole = pc.replace_substring_regex(kept, r"^\+", "").cast(pa.int64())
        except pa.ArrowInvalid:
            return None  # more digits than a number keeps: a name
        if whole.null_count == 0:
            return Column(pd.Series(whole.to_numpy(), index=column.series.index))
        series = whole_column(whole.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get))
    else:
        values = pc.replace_substring_regex(kept, r"^\+", "").cast(pa.float64())
        array = values.to_numpy(zero_copy_only=False).astype(np.float64)
        series = pd.Series(np.where(np.isinf(array), np.nan, array))
    series.index = column.series.index
    found = _with_faults(column, series, read.numeric, "a number")
    return Column(found.values, found.findings + read.notes, found.unreadable)


def _date(column: _Texts) -> Column | None:
    dates = read_dates(column.series)
    if dates is None:
        return None
    if _all_fit(column, dates):
        return _dated(column, dates)
    if dates.others:
        return Column(column.series, (_mixed(column, dates),))
    return _dated(column, dates) if dates.fitting.sum() > MOSTLY * column.present else None


def _all_fit(column: _Texts, dates: DateReading) -> bool:
    return int(dates.fitting.sum()) == column.present


def _dated(column: _Texts, dates: DateReading) -> Column:
    found = _with_faults(column, pd.Series(dates.values, index=column.series.index), pa.array(dates.fitting), "a date")
    if not dates.ambiguous:
        return found
    message = (
        f"Dates of {column.name!r} are read as {dates.format}; day and month could as well stand the other way round."
    )
    note = Finding("ambiguous_dates", "warning", (column.name,), message)
    return Column(found.values, (*found.findings, note), found.unreadable)


def _mixed(column: _Texts, dates: DateReading) -> Finding:
    count = int(dates.fitting.sum())
    message = (
        f"Dates of {column.name!r} are written in more than one way: {count} of {column.present} as {dates.format}, "
        f"others as {', '.join(dates.others)}. The column stays text; write all in one way to use it as a date."
    )
    return Finding("mixed_formats", "warning", (column.name,), message, column.present - count)


def _with_faults(column: _Texts, values: pd.Series, readable: pa.Array, must: str) -> Column:
    """Add what could not be read: markers of a missing value are a note, other texts are faults."""
    mask = readable.to_numpy(zero_copy_only=False).astype(bool)
    bad = column.filled.is_valid().to_numpy(zero_copy_only=False) & ~mask
    notes = _spelled_missing(column, missing=True)
    count = int(bad.sum())
    if count == 0:
        return Column(values, notes)
    rows = np.flatnonzero(bad)
    texts = column.trimmed.take(pa.array(rows)).to_pandas().astype("str")
    shown = ", ".join(repr(text) for text in texts.drop_duplicates().iloc[:3])
    told = f"Column {column.name!r} must hold {must} in every row, but {count} of {column.present} values are others"
    share = (("share", count / len(values)),)
    finding = Finding(
        "unreadable", "critical", (column.name,), f"{told}, such as {shown}.", count, share, masked=f"{told}."
    )
    faults = pd.DataFrame({"row": rows.astype(np.int64), "column": column.name, "text": texts.to_numpy()})
    return Column(values, (*notes, finding), faults.astype({"column": "str", "text": "str"}))


def _spelled_missing(column: _Texts, *, missing: bool) -> tuple[Finding, ...]:
    """Note texts such as 'NA' or '?': missing among numbers and dates, a level of its own among texts."""
    blank = pc.fill_null(pc.equal(column.trimmed, ""), True)
    marked = pc.and_(pc.is_null(column.filled), pc.invert(blank))
    count = pc.sum(marked).as_py() or 0
    if count == 0:
        return ()
    counts = pc.value_counts(column.trimmed.filter(marked)).to_pylist()
    shown = ", ".join(f"{entry['values']!r} ({entry['counts']})" for entry in counts[:3])
    meaning = "count as missing" if missing else "may mean a missing value, and count as a value of its own"
    message = f"Column {column.name!r} holds {shown}, which {meaning}."
    masked = f"Column {column.name!r} holds texts in {count:,} rows that {meaning}."
    return (Finding("spelled_missing", "note", (column.name,), message, count, masked=masked),)
