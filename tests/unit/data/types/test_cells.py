import sys

from penstock.data.types.cells import column_of


def test_a_whole_number_beyond_doubles_is_the_largest_of_them() -> None:
    cells, unfit = column_of([10**400, -(10**400), 10**30, 7, None], "number")
    assert unfit == []
    assert cells.tolist()[:4] == [sys.float_info.max, -sys.float_info.max, 1e30, 7.0]


def test_a_gap_takes_no_digit_from_large_whole_numbers() -> None:
    assert column_of([2**60 + 1, None], "number")[0].tolist()[0] == 2**60 + 1
    assert column_of([7, None], "number")[0].dtype == "float64"
