"""The rentals of the demo: a year to learn from, months that follow, and a project file with short settings."""

from pathlib import Path

import pandas as pd
import pytest

from penstock.data.drafts.drafting import draft_project
from penstock.demo.rentals import PROJECT, SETTINGS, TARGET, hours_of, shorten, write_year
from penstock.spec import load_spec


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the demo learns from."""
    return write_year(tmp_path_factory.mktemp("rentals") / f"{PROJECT}.csv")


def test_the_file_holds_the_hours_of_2011_only(year: Path) -> None:
    table = pd.read_csv(year)
    assert len(table) == 8645
    assert set(table["datetime"].str[:4]) == {"2011"}


def test_the_hours_of_a_month_come_without_what_nobody_knows_beforehand(year: Path) -> None:
    january = hours_of("2012-01")
    assert len(january.rows) == len(january.counts) == len(january.times) == 741
    known = set(pd.read_csv(year, nrows=1).columns) - {TARGET, "casual", "registered"}
    assert set(january.rows[0]) == known
    assert january.rows[0]["datetime"] == "2012-01-01 00:00:00"
    assert january.times == sorted(january.times)


def test_the_project_file_says_what_is_short_and_why(year: Path, tmp_path: Path) -> None:
    file = tmp_path / "projects" / f"{PROJECT}.yaml"
    draft_project(PROJECT, year, TARGET, {"time": None, "id": None}, file)
    before = load_spec(file)
    shorten(file)
    spec, text = load_spec(file), file.read_text()
    assert (spec.metric, spec.budget.trials, spec.retrain.persistence) == ("mae", 12, 1)
    assert spec.rollout.stages == [0, 25, 100]
    assert spec.time == before.time == "datetime"
    assert spec.gates == before.gates
    assert spec.source == before.source
    for value, why in SETTINGS.values():
        assert f": {value}" in text
        assert why in text
