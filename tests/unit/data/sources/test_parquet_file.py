"""Parquet files as they come."""

from pathlib import Path

import pandas as pd
import pytest

from penstock.data.sources.parquet_file import ParquetFile
from penstock.errors import DataError
from penstock.spec import Source

SOURCE = Source(kind="parquet_file", path="*.parquet")


def test_a_file_without_rows_is_left_out_and_named_if_another_has_some(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [1, 2]})
    table.iloc[:0].to_parquet(tmp_path / "1.parquet")
    (tmp_path / "2.parquet").touch()
    with pytest.raises(DataError, match=r"'2.parquet' must hold a table, but is empty"):
        ParquetFile().read(SOURCE, tmp_path)
    table.to_parquet(tmp_path / "3.parquet")
    raw = ParquetFile().read(SOURCE, tmp_path)
    assert raw.frame["a"].tolist() == [1, 2]
    assert [note.message for note in raw.notes] == [
        "Files without rows were left out (2 of 3): '1.parquet', '2.parquet'."
    ]
