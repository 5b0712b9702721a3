"""Rows named by their content: the same on every machine, however the table's types came out."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.types.canonical import canonical_type
from penstock.data.types.whole_numbers import LARGEST_EXACT, number_array

Digests = NDArray[np.uint64]

HASH_KEY = "penstock/digests"  # 16 letters, as pandas' keyed hash of texts takes
MISSING = np.uint64(0x9E3779B97F4A7C15)


def row_digests(frame: pd.DataFrame, columns: Sequence[str]) -> Digests:
    """Return a number for each row that its values in some columns alone decide.

    The order of the columns does not matter, nor does it matter whether whole numbers came as integers or floats.

    Parameters
    ----------
    frame
        A table in canonical types, shape (n_rows, n_columns).
    columns
        The columns that count.

    Returns
    -------
    ndarray of uint64, shape (n_rows,)
    """
    return combine({name: value_digests(frame[name]) for name in columns}, len(frame))


def combine(columns: Mapping[str, Digests], rows: int) -> Digests:
    """Return a number for each row from the numbers of its values by column; the order of columns does not matter."""
    total = np.zeros(rows, np.uint64)
    for name, digests in columns.items():
        total += scramble(digests ^ name_digest(name))
    return scramble(total)


def count_distinct(digests: Digests) -> int:
    """Return how many different numbers there are."""
    return len(pd.unique(digests))


def value_digests(values: pd.Series) -> Digests:
    """Return a number for each value of a canonical column; equal values have equal numbers."""
    kind = canonical_type(values)
    missing = values.isna().to_numpy()
    if kind == "number":
        digests = _number_bits(number_array(values))
    elif kind == "date":
        digests = values.to_numpy().astype("datetime64[us]").view(np.uint64).copy()
    elif kind == "boolean":
        digests = values.eq(True).to_numpy(dtype=bool).astype(np.uint64)
    else:
        codes, levels = pd.factorize(values)
        hashed = pd.util.hash_array(np.append(levels.to_numpy(object), ""), hash_key=HASH_KEY, categorize=False)
        digests = hashed.astype(np.uint64)[codes]
    digests[missing] = MISSING
    return digests


def scramble(numbers: Digests) -> Digests:
    """Spread numbers evenly over 64 bits (the finaliser of Steele et al. 2014, "Fast Splittable Generators")."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def places(digests: Digests, key: str) -> NDArray[np.float64]:
    """Return a place in [0, 1) for each digest, decided by it and a key; different keys give unrelated places."""
    keyed = scramble(digests ^ name_digest(key))
    return np.asarray((keyed >> np.uint64(11)) / float(2**53), dtype=np.float64)


def name_digest(name: str) -> np.uint64:
    """Return a number that a text alone decides."""
    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))


def _number_bits(array: NDArray[np.int64] | NDArray[np.float64]) -> Digests:
    floats = array.astype(np.float64) + 0.0  # -0.0 becomes 0.0
    bits = floats.view(np.uint64).copy()
    if array.dtype.kind == "i":
        large = np.abs(floats) >= LARGEST_EXACT
        bits[large] = array[large].view(np.uint64)
    return bits
