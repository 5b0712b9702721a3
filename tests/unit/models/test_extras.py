import time

import numpy as np
import pytest

from penstock.errors import MissingExtra
from penstock.models._extras import Watch, need, why_absent
from penstock.models.catboost import Levels
from penstock.models.xgboost import _tree


def test_a_package_that_is_absent_is_named_with_its_extra() -> None:
    assert why_absent("numpy") is None
    assert "install penstock[no_such_package]" in str(why_absent("no_such_package"))
    with pytest.raises(MissingExtra, match="no_such_package is not installed"):
        need("no_such_package")


def test_boosting_ends_when_the_inner_split_gains_no_more_and_its_best_round_is_kept() -> None:
    watch = Watch(None, rate=0.5, rounds=100)
    over = [watch.is_over(done, abs(done - 10) + 1.0) for done in range(1, 21)]
    assert over.index(True) == 15
    assert watch.best == 9


def test_a_rate_is_raised_once_and_only_where_time_is_short() -> None:
    assert Watch(None, 0.05, 1000).wanted_rate(8) is None
    long = Watch(time.monotonic() + 1e6, 0.05, 1000)
    assert not long.is_over(1, None)
    assert long.wanted_rate(8) is None
    short = Watch(time.monotonic() + 0.001, 0.05, 1000)
    short.began = time.monotonic() - 8.0
    assert (short.wanted_rate(7), short.wanted_rate(8)) == (None, 0.3)


def test_the_first_round_is_not_timed_since_it_also_cuts_features_into_bins() -> None:
    watch = Watch(time.monotonic() + 60.0, 0.05, 1000)
    time.sleep(0.05)  # what binning takes
    assert not watch.is_over(1, None)
    watch.began = time.monotonic() - 0.007
    assert watch.wanted_rate(8) is None


def test_an_oblivious_tree_and_its_table_send_rows_to_the_same_leaves() -> None:
    tree = Levels(
        np.array([0, 1, 0]),
        np.array([0.0, 0.5, 1.0], np.float32),
        np.array([False, True, False]),
        np.arange(8.0)[:, None],
    )
    x = np.array([[-1, 0], [2, 1], [0.5, np.nan], [np.nan, 0]], np.float32)
    table = tree.table()
    for row, place in zip(x, tree.places(x), strict=True):
        node = 0
        while table.left[node] >= 0:
            given = row[table.feature[node]]
            left = table.missing_left[node] if np.isnan(given) else given <= table.threshold[node]
            node = table.left[node] if left else table.right[node]
        assert table.values[node, 0] == place


def test_a_value_on_the_threshold_goes_right_as_in_xgboost() -> None:
    conditions = [1.0, 0.25, 0.5]
    tree = {"left_children": [1, -1, -1], "right_children": [2, -1, -1], "split_conditions": conditions}
    table = _tree({**tree, "split_indices": [3, 0, 0], "default_left": [1, 0, 0]}, 1, 2)
    assert table.threshold[0] < 1.0
    assert np.float32(table.threshold[0]) == np.nextafter(np.float32(1), np.float32(0))
    assert table.missing_left.tolist() == [True, False, False]
    assert table.values.tolist() == [[0, 0], [0, 0.25], [0, 0.5]]
