import numpy as np
import pandas as pd
import pytest

from penstock.errors import DataError
from penstock.search.targets import codes_of_target, out_of_fold_table


@pytest.mark.parametrize(("positive", "classes"), [("yes", ("no", "yes")), ("no", ("yes", "no"))])
def test_the_positive_class_has_the_last_code(positive: str, classes: tuple[str, str]) -> None:
    codes, found = codes_of_target(pd.Series(["no", "yes", "no"]), "binary", positive)
    assert found == classes
    assert [found[code] for code in codes] == ["no", "yes", "no"]


def test_classes_keep_the_targets_json_type() -> None:
    assert codes_of_target(pd.Series([True, False, False]), "binary", True)[1] == (False, True)
    assert codes_of_target(pd.Series([3, 1, 2]), "multiclass", None)[1] == (1, 2, 3)


def test_a_positive_that_is_no_value_is_an_error_that_names_the_values() -> None:
    with pytest.raises(DataError, match="one of them 'ja', but has 'no', 'yes'"):
        codes_of_target(pd.Series(["no", "yes"], name="churned"), "binary", "ja")


def test_a_regression_learns_values() -> None:
    codes, classes = codes_of_target(pd.Series([3, 1]), "regression", None)
    assert codes.dtype == np.float64
    assert not classes


def test_out_of_fold_predictions_stand_in_the_datasets_order_and_gaps_are_left_out() -> None:
    table = out_of_fold_table(np.array([[0.1, 0.9], [np.nan, np.nan], [0.6, 0.4]]), np.array([7, 5, 2]))
    assert table.columns.tolist() == ["row", "p0", "p1"]
    assert table["row"].tolist() == [2, 7]
    assert table["p1"].tolist() == [0.4, 0.9]
