"""What every data source must do, drop-ins from elsewhere included."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from penstock.data.ingestion import read_source
from penstock.data.sources._base import ReadWhole, Source
from penstock.data.types.canonical import to_canonical
from penstock.errors import DataError, NotFound, SourceUnavailable, SpecError
from penstock.plugins import find_plugins
from penstock.spec import Source as SourceSpec

SOURCES = find_plugins("penstock.data.sources", Source)
SETTINGS = [name for name in SourceSpec.model_fields if name not in ("kind", "journal")]
TABLE = pd.DataFrame(
    {
        "plan": pd.Series(["basic", None, "premium", "basic"], dtype="str"),
        "age": [31, 42, 53, 64],
        "fee": [9.5, None, 39.0, 19.25],
        "day": np.array(["2026-01-01", "2026-01-02T10:00:00", "NaT", "2026-03-04"], "datetime64[us]"),
    }
)
each_kind = pytest.mark.parametrize("kind", SOURCES)


@each_kind
def test_a_table_comes_back_in_its_order_and_canonical_types(kind: str, tmp_path: Path) -> None:
    source = SOURCES[kind]().example(TABLE, tmp_path)
    assert source.kind == kind
    pd.testing.assert_frame_equal(to_canonical(read_source(source, tmp_path)).frame, TABLE)


@each_kind
def test_a_gap_takes_no_digit_from_large_whole_numbers(kind: str, tmp_path: Path) -> None:
    table = pd.DataFrame({"id": pd.array([2**60 + 1, None, -5], dtype="Int64"), "few": pd.array([1, None, 2], "Int64")})
    source = SOURCES[kind]().example(table, tmp_path)
    expected = table.astype({"few": "float64"})
    pd.testing.assert_frame_equal(to_canonical(read_source(source, tmp_path)).frame, expected)


@each_kind
def test_its_parts_are_its_rows(kind: str, tmp_path: Path) -> None:
    source = SOURCES[kind]().example(TABLE, tmp_path)
    whole = read_source(source, tmp_path)
    try:
        parts = list(SOURCES[kind]().parts(source, tmp_path, 3))
    except ReadWhole:
        return
    assert {part.typed for part in parts} == {whole.typed}
    pd.testing.assert_frame_equal(pd.concat([part.frame for part in parts], ignore_index=True), whole.frame)


@each_kind
def test_a_table_without_rows_is_refused(kind: str, tmp_path: Path) -> None:
    source = SOURCES[kind]().example(TABLE.iloc[:0], tmp_path)
    with pytest.raises(DataError, match="must have rows"):
        read_source(source, tmp_path)


@each_kind
def test_a_source_that_is_not_there_is_unavailable(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    source = SOURCES[kind]().example(TABLE, folder)
    shutil.rmtree(folder)
    with pytest.raises(SourceUnavailable, match="must"):
        read_source(source, folder)


@each_kind
def test_a_missing_setting_is_named(kind: str, tmp_path: Path) -> None:
    source = SOURCES[kind]().example(TABLE, tmp_path)
    given = "|".join(name for name in SETTINGS if getattr(source, name))
    with pytest.raises(SpecError, match=f"must have `({given})`"):
        read_source(SourceSpec(kind=kind), tmp_path)


@each_kind
def test_records_say_its_kind(kind: str, tmp_path: Path) -> None:
    found = SOURCES[kind]()
    assert kind in found.describe(found.example(TABLE, tmp_path))


def test_an_unknown_kind_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=", ".join(SOURCES)):
        read_source(SourceSpec(kind="no_such_kind"), tmp_path)
