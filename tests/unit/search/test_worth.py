from pathlib import Path

import numpy as np

from penstock.data.decoding import compile_decoding
from penstock.domain.features import ColumnPlan, FeaturePlan, GroupGain
from penstock.features._base import Feature
from penstock.search.encoding import Encoding, TrainingRows, folds_folder
from penstock.search.worth import gains_told, group_gains, group_of

ROWS = 900


def rows_with_a_city_that_decides() -> TrainingRows:
    draw = np.random.default_rng(0)
    place = draw.integers(0, 90, ROWS)
    plan = FeaturePlan(
        "toy",
        "dataset",
        "plan",
        (
            ColumnPlan("x", "number", "number", ""),
            ColumnPlan("city", "string", "high_cardinality", ""),
            ColumnPlan("day", "date", "date", "", parts=("weekday", "day")),
        ),
    )
    table = {
        "x": draw.normal(size=ROWS),
        "city": np.array([f"city {one}" for one in place], object),
        "day": np.datetime64("2024-01-01", "us") + draw.integers(0, 300, ROWS).astype("m8[D]"),
    }
    numbers, texts = compile_decoding(plan.decoding).columns(table)
    return TrainingRows(
        numbers=numbers,
        texts=texts,
        target=draw.normal(size=90)[place] + 0.1 * draw.normal(size=ROWS),
        fold=(np.arange(ROWS) % 3).astype(np.int8),
        group=np.arange(ROWS).astype(np.uint64),
        plan=plan,
        problem="regression",
        classes=0,
        folds=3,
        time_ordered=False,
        name="toy",
    )


def test_the_group_that_the_target_follows_gains_most_and_one_of_chance_nothing(tmp_path: Path) -> None:
    rows = rows_with_a_city_that_decides()
    encoding = Encoding(rows, ("tree",), folds_folder(tmp_path), seed=1)
    encoding.start()
    assert encoding.known.wait(60)
    encoding.check()
    means, dates = group_gains(rows, tmp_path, seed=1)
    encoding.stop()
    assert (means.group, dates.group) == ("target means", "parts of dates")
    assert means.gain > 0.5
    assert dates.gain < 3 * dates.error + 0.05
    assert (means.features, dates.features) == (2, 2)


def test_each_kind_of_made_feature_has_its_group() -> None:
    names = {
        "amount": "columns",
        "target mean of city": "target means",
        "how often: city": "target means",
    }
    assert all(group_of(Feature(name, name.split()[-1])) == group for name, group in names.items())
    assert group_of(Feature("day.weekday", "day")) == "parts of dates"
    assert group_of(Feature("end since start", "end")) == "times between dates"
    assert group_of(Feature("note: linear model of share", "note")) == "words"
    assert group_of(Feature("note.marks", "note")) == "counts of letters"


def test_what_was_gained_is_told_with_its_error() -> None:
    told = gains_told((GroupGain("target means", 2, 0.175, 0.029), GroupGain("words", 3, 0.01, 0.02)))
    assert told[0] == "target means (2 features) change a quick model's loss on the first fold by -17.5% ± 2.9%"
    assert told[1].endswith("-1.0% ± 2.0%, within noise")
