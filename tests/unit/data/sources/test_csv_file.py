"""CSV files as they come."""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from penstock.data.sources._base import RawTable
from penstock.data.sources._csv_text import LONGEST_LINE
from penstock.data.sources.csv_file import CsvFile
from penstock.data.types.canonical import to_canonical
from penstock.errors import DataError
from penstock.spec import Source


def _read(folder: Path, *contents: bytes, path: str = "*.csv") -> RawTable:
    for place, content in enumerate(contents):
        (folder / f"part-{place}.csv").write_bytes(content)
    return CsvFile().read(Source(kind="csv_file", path=path), folder)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path: Path, separator: str) -> None:
    text = separator.join("ab") + "\n" + separator.join(["1", '"x,;|\ty"']) + "\n"
    assert _read(tmp_path, text.encode()).frame.to_numpy().tolist() == [["1", "x,;|\ty"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_the_encoding_is_found(tmp_path: Path, encoding: str) -> None:
    raw = _read(tmp_path, "name,n\nMüller,1\nÅse,2\n".encode(encoding))
    assert raw.frame["name"].tolist() == ["Müller", "Åse"]
    assert [note.check for note in raw.notes] == (["encoding"] if encoding in {"cp1252", "latin-1"} else [])


def test_gzip_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    assert len(_read(tmp_path, gzip.compress(b"a,b\n1,2\n")).frame) == 1


def test_duplicate_names_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="different names, but 'a' come more than once"):
        _read(tmp_path, b"a,b,a\n1,2,3\n")


def test_names_that_are_blank_are_numbered(tmp_path: Path) -> None:
    assert list(_read(tmp_path, b"v1,v2,,\nham,ok,,\n").frame) == ["v1", "v2", "Unnamed: 2", "Unnamed: 3"]


@pytest.mark.parametrize(("content", "said"), [(b"", "is empty"), (b" \n\n", "is empty"), (b"a,b\n", "must have rows")])
def test_a_file_without_a_table_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        _read(tmp_path, content)


def test_a_row_of_another_width_is_refused_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must have 2 values, as its first line has, but row 3 has 3") as caught:
        _read(tmp_path, b"a,b\n1,2\n1,2,3\n4\n")
    assert [detail["found"] for detail in caught.value.details] == [3, 1]


def test_a_line_over_the_limit_is_refused_by_its_number_before_it_is_parsed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"at most {LONGEST_LINE:,} bytes, but line 2 has more"):
        _read(tmp_path, b"a,b\n" + b"x" * (3 * LONGEST_LINE))


def test_nul_bytes_are_refused_by_their_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 3 holds a NUL byte"):
        _read(tmp_path, b"a,b\n1,2\n3,\x004\n")


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_quote_that_never_closes_is_refused(tmp_path: Path, end: bytes) -> None:
    with pytest.raises(DataError, match="Every quote"):
        _read(tmp_path, end.join([b"a,b", b'1,"x', b"2,y", b"3,z", b""]))


def test_blank_values_are_missing_and_quoted_line_ends_are_kept(tmp_path: Path) -> None:
    frame = _read(tmp_path, b'a,b\n  ,"two\nlines"\n1,\n').frame
    assert frame["a"].isna().tolist() == [True, False]
    assert frame["b"].tolist()[0] == "two\nlines"


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_line_of_names_may_be_as_long_as_any_line(tmp_path: Path, separator: str, encoding: str) -> None:
    names = [f"{place:03}" + "n" * 200 for place in range(800)]
    lines = [separator.join(names), *(separator.join(map(str, range(row, row + 800))) for row in range(3))]
    frame = _read(tmp_path, "\n".join(lines).encode(encoding)).frame
    assert list(frame) == names
    assert frame.iloc[2].tolist() == [str(value) for value in range(2, 802)]


def test_the_separator_is_found_before_a_value_that_is_longer_than_the_reader_of_names_takes(tmp_path: Path) -> None:
    text = "a;b\n" + "1;2\n" * 3 + "x" * 200_000 + ";3,4\n"
    assert _read(tmp_path, text.encode()).frame["b"].tolist() == ["2", "2", "2", "3,4"]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"a,b\r1,2\r3,4\r", [["1", "2"], ["3", "4"]]),
        (b"\ra,b\r1,2\r", [["1", "2"]]),
        (b'a,b\r1,"two\rlines"\r"x\ny",4\r', [["1", "two\rlines"], ["x\ny", "4"]]),
    ],
)
def test_lines_may_end_in_a_carriage_return_alone(tmp_path: Path, content: bytes, rows: list[list[str]]) -> None:
    frame = _read(tmp_path, content).frame
    assert list(frame) == ["a", "b"]
    assert frame.to_numpy().tolist() == rows
    parts = list(CsvFile().parts(Source(kind="csv_file", path="*.csv"), tmp_path, 1))
    assert [row for part in parts for row in part.frame.to_numpy().tolist()] == rows


def test_a_line_end_within_a_quoted_name_begins_no_row(tmp_path: Path) -> None:
    frame = _read(tmp_path, b'"a\rb",c\n1,2\n').frame
    assert (list(frame), frame.to_numpy().tolist()) == (["a\rb", "c"], [["1", "2"]])


def test_blanks_after_every_separator_belong_to_the_separator(tmp_path: Path) -> None:
    frame = _read(tmp_path, b"39, Private, x\n50, Public,y\n").frame
    assert frame.iloc[0].tolist() == ["50", "Public", "y"]
    frame = _read(tmp_path, b"a,b\n1, x\n2,y\n").frame
    assert frame["b"].tolist() == [" x", "y"]


def test_many_files_are_read_in_order_of_their_names(tmp_path: Path) -> None:
    frame = _read(tmp_path, b"a,b\n1,2\n", b"b,a\n4,3\n").frame
    assert frame["a"].tolist() == ["1", "3"]


def test_a_file_with_other_columns_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'part-1.csv' lacks b and also has c"):
        _read(tmp_path, b"a,b\n1,2\n", b"a,c\n4,3\n")


def test_the_raw_files_of_real_data_sets_are_read(shared_data: Path) -> None:
    telco = "telco_churn/raw/WA_Fn-UseC_-Telco-Customer-Churn.csv.gz"
    raw = CsvFile().read(Source(kind="csv_file", path=telco), shared_data)
    expected = to_canonical(
        RawTable(pd.read_parquet(shared_data / "telco_churn/telco_churn.parquet"), typed=True)
    ).frame
    pd.testing.assert_frame_equal(to_canonical(raw).frame, expected)
    crimes = to_canonical(CsvFile().read(Source(kind="csv_file", path="chicago_crimes/raw/*.gz"), shared_data)).frame
    assert crimes["Beat"].iloc[0] == "0422"
    assert crimes["Arrest"].dtype == bool
    assert str(crimes["Date"].iloc[0]) == "2015-02-08 23:43:40"
    spam = CsvFile().read(Source(kind="csv_file", path="sms_spam/raw/spam.csv.gz"), shared_data)
    assert spam.frame.shape == (5572, 5)


def test_a_quote_of_utf_16_that_never_closes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Every quote"):
        _read(tmp_path, 'a\tb\n1\t"x\n2\ty\n3\tz\n'.encode("utf-16"))


def test_quoted_line_ends_of_utf_16_are_kept_in_files_of_any_size(tmp_path: Path) -> None:
    note = "x" * 2000 + "\n" + "y" * 2000
    text = "a\tb\n" + "".join(f'{row}\t"{note}"\n' for row in range(3 * LONGEST_LINE // 1000))
    frame = _read(tmp_path, text.encode("utf-16")).frame
    assert frame["a"].tolist() == [str(row) for row in range(3 * LONGEST_LINE // 1000)]
    assert set(frame["b"]) == {note}


def test_a_line_of_names_in_utf_16_may_be_as_long_as_in_utf_8(tmp_path: Path) -> None:
    names = [f"{place:03}" + "n" * 1000 for place in range(800)]
    assert list(_read(tmp_path, "\n".join([",".join(names), ",".join("1" * 800)]).encode("utf-16")).frame) == names


def test_a_line_of_utf_16_over_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2 has more"):
        _read(tmp_path, ("a,b\n" + "x" * (3 * LONGEST_LINE)).encode("utf-16"))


def test_utf_16_that_ends_within_a_letter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must be UTF-16, .* \(truncated data\)"):
        _read(tmp_path, "a,b\n1,2\n".encode("utf-16")[:-1])


@pytest.mark.parametrize("empty", [b"", b"\n", b"a,b\n", gzip.compress(b"")])
def test_a_file_without_rows_is_left_out_and_named_if_others_have_some(tmp_path: Path, empty: bytes) -> None:
    raw = _read(tmp_path, empty, b"a,b\n1,2\n", b"a,b\n3,4\n", empty)
    assert raw.frame["a"].tolist() == ["1", "3"]
    (note,) = raw.notes
    assert (note.check, note.level) == ("empty_file", "warning")
    assert note.message == "Files without rows were left out (2 of 4): 'part-0.csv', 'part-3.csv'."
    with pytest.raises(DataError, match=r"'part-3.csv' must"):
        _read(tmp_path, empty, empty, empty, empty)
