"""What every data source must do, drop-ins from elsewhere included."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from penstock.data.sources._base import RawTable, Source
from penstock.data.types.canonical import to_canonical
from penstock.errors import DataError, NotFound, SourceUnavailable, SpecError
from penstock.plugins import find_plugin, find_plugins
from penstock.spec import Source as SourceSpec

TABLE = pd.DataFrame(
    {
        "plan": pd.Series(["basic", None, "premium", "basic"], dtype="str"),
        "age": [31, 42, 53, 64],
        "fee": [9.5, None, 39.0, 19.25],
        "day": np.array(["2026-01-01", "2026-01-02T10:00:00", "NaT", "2026-03-04"], "datetime64[us]"),
    }
)

Writer = Callable[[pd.DataFrame, Path], SourceSpec]


def _csv(frame: pd.DataFrame, folder: Path) -> SourceSpec:
    frame.to_csv(folder / "table.csv", index=False)
    return SourceSpec(kind="csv_file", path="table.csv")


def _parquet(frame: pd.DataFrame, folder: Path) -> SourceSpec:
    frame.to_parquet(folder / "table.parquet")
    return SourceSpec(kind="parquet_file", path="table.parquet")


def _sql(frame: pd.DataFrame, folder: Path) -> SourceSpec:
    engine = sa.create_engine(f"sqlite:///{folder / 'table.db'}")
    frame.to_sql("t", engine, index=False)
    engine.dispose()
    return SourceSpec(kind="sql_query", url="sqlite:///table.db", query="select * from t")


WRITERS: dict[str, Writer] = {"csv_file": _csv, "parquet_file": _parquet, "sql_query": _sql}


def _read(source: SourceSpec, folder: Path) -> RawTable:
    return find_plugin("penstock.data.sources", Source, source.kind)().read(source, folder)


def test_every_source_has_a_writer_here() -> None:
    assert set(find_plugins("penstock.data.sources", Source)) == set(WRITERS)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_table_comes_back_in_its_order_and_canonical_types(kind: str, tmp_path: Path) -> None:
    found = to_canonical(_read(WRITERS[kind](TABLE, tmp_path), tmp_path)).frame
    pd.testing.assert_frame_equal(found, TABLE)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_table_without_rows_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must have rows"):
        _read(WRITERS[kind](TABLE.iloc[:0], tmp_path), tmp_path)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_source_that_is_not_there_is_unavailable(kind: str, tmp_path: Path) -> None:
    source = SourceSpec(kind=kind, path="nothing", url="sqlite:///nothing.db", query="select 1")
    with pytest.raises(SourceUnavailable, match="must be there"):
        _read(source, tmp_path)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_missing_setting_is_named(kind: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"must have `(path|query|url)`"):
        _read(SourceSpec(kind=kind), tmp_path)


def test_an_unknown_kind_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="csv_file, parquet_file, sql_query"):
        _read(SourceSpec(kind="excel"), tmp_path)
