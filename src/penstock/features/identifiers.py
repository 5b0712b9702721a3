"""Columns that name or count rows, and texts: strings of several words."""

import numpy as np
import pandas as pd

from penstock.data.types.words import words
from penstock.domain.datasets import ColumnProfile

UNIQUE_SHARE = 0.9  # of rows: above this a string names the row
FEW_ROWS = 50  # below this "every value is different" says little
TEXT_WORDS = 3.0  # mean words above which a string of many values is read word by word
GAPS = 1.5  # times the rows that a running number may have come to, rows deleted since
SAMPLE = 2000  # strings that words are counted in
MOST_WORDS = 20  # of a column's name
ID_WORDS = frozenset({"id", "ids", "uuid", "guid", "key", "index", "idx", "number", "no", "nr", "rowid"})


def names_a_row(profile: ColumnProfile, values: pd.Series, frame: pd.DataFrame, time: str | None) -> str | None:
    """Say why a column names or counts rows and tells nothing about others; None if it does not.

    `time` is the column of `frame` that orders the split, if one does.
    """
    present = values.dropna()
    distinct = present.nunique()
    if len(present) < FEW_ROWS:
        return None
    if profile.type == "string":
        if distinct >= UNIQUE_SHARE * len(present) and mean_words(present) < TEXT_WORDS:
            return f"{distinct} of {len(present)} values are different: it names a row and tells nothing of others."
        return None
    if profile.type == "number" and profile.whole and distinct == len(present):
        return _counter(profile.name, present, frame, time)
    return None


def _counter(name: str, present: pd.Series, frame: pd.DataFrame, time: str | None) -> str | None:
    """Say why a column of whole numbers that are all different counts or names rows, if it does."""
    numbers = present.to_numpy(np.float64)
    span = float(numbers.max() - numbers.min()) + 1
    if span <= GAPS * len(numbers):
        return "It is a running number: every row has its own, one after the other."
    if time is not None and time in frame and name != time:
        order = np.argsort(frame.loc[present.index, time].to_numpy(), kind="stable")
        if bool(np.all(np.diff(numbers[order]) > 0)):
            return f"It grows from row to row with {time!r}: later rows have values that no model has seen."
    if ID_WORDS & set(words(_split_case(name), MOST_WORDS)):
        return "Every row has its own whole number and the name says that it is an identifier."
    return None


def _split_case(name: str) -> str:
    """Return a name with blanks where its words begin: `customerID` gives `customer ID`."""
    pieces = [
        " " + letter if letter.isupper() and place and name[place - 1].islower() else letter
        for place, letter in enumerate(name)
    ]
    return "".join(pieces).replace("_", " ")


def mean_words(present: pd.Series) -> float:
    """Return how many words a string has on average, from a sample of them."""
    sample = present.iloc[:: max(1, len(present) // SAMPLE)].astype(str)
    return float(np.mean([len(text.split()) for text in sample])) if len(sample) else 0.0
