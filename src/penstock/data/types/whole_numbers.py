"""Whole numbers with gaps: floats as long as these tell them apart, else pandas' Int64, which keeps every digit."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LARGEST_EXACT = 2**53  # below this a float tells whole numbers apart


def whole_column(values: pd.Series) -> pd.Series:
    """Return whole numbers within int64 in their canonical dtype: int64; with gaps float64, or Int64 beyond 2**53."""
    if not values.isna().any():
        return values.astype("int64")
    if beyond_floats(values):
        return values.astype("Int64")
    return pd.Series(values.to_numpy(np.float64, na_value=np.nan), index=values.index, name=values.name)


def beyond_floats(values: pd.Series) -> bool:
    """Whether some whole numbers are so large that a float does not tell them apart."""
    present = values.dropna()
    return bool(len(present)) and max(-int(present.min()), int(present.max())) >= LARGEST_EXACT


def number_array(values: pd.Series) -> NDArray[Any]:
    """Return a canonical column of numbers, every digit kept: float64 with NaN, or int64 with 0 in its gaps."""
    if isinstance(values.dtype, pd.Int64Dtype):
        return values.fillna(0).to_numpy(np.int64)
    return values.to_numpy()
