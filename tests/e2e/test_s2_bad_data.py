"""S2: bad data is stopped at the door; S3: a changed schema is a decision."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.e2e.rollouts import Orders
from tests.stranger import Stranger, ask, rows_of

SHARE = 0.06  # over `validation.quarantine`, which is 0.05
BREAKS: dict[str, Callable[[pd.DataFrame, np.ndarray], pd.DataFrame]] = {}
SHORT = {"missing_keys", "text_in_a_number"}  # tests/unit/data/test_validation.py breaks a table in every way, too


def breaking(
    act: Callable[[pd.DataFrame, np.ndarray], pd.DataFrame],
) -> Callable[[pd.DataFrame, np.ndarray], pd.DataFrame]:
    """Name a way to break a file."""
    BREAKS[act.__name__] = act
    return act


@breaking
def negative_age(table: pd.DataFrame, hit: np.ndarray) -> pd.DataFrame:
    """Give rows an age that nobody has."""
    return table.assign(age=np.where(hit, -40, table["age"]))


@breaking
def missing_keys(table: pd.DataFrame, hit: np.ndarray) -> pd.DataFrame:
    """Take the key away from 40 % of the rows."""
    gone = np.arange(len(table)) % 5 < 2 if hit.mean() > 0.05 else hit
    return table.assign(customer_id=table["customer_id"].mask(gone))


@breaking
def doubled_ids(table: pd.DataFrame, hit: np.ndarray) -> pd.DataFrame:
    """Give rows the id of the first row."""
    return table.assign(customer_id=table["customer_id"].mask(hit, table["customer_id"].iloc[0]))


@breaking
def unseen_target(table: pd.DataFrame, hit: np.ndarray) -> pd.DataFrame:
    """Give rows a target value never seen."""
    return table.assign(churned=table["churned"].astype(str).mask(hit, "perhaps"))


@breaking
def text_in_a_number(table: pd.DataFrame, hit: np.ndarray) -> pd.DataFrame:
    """Write words where numbers belong."""
    return table.assign(age=table["age"].astype(str).mask(hit, "unknown!"))


def hits(rows: int, share: float) -> np.ndarray:
    """Return which rows are broken: every n-th."""
    every = round(1 / share)
    return np.asarray(np.arange(rows) % every == 1)


def ways() -> list[Any]:
    """Return every way to break a file as a test's parameter; `make test` tries some, `make test-all` every one."""
    return [pytest.param(name, marks=() if name in SHORT else pytest.mark.full) for name in BREAKS]


@pytest.fixture
def table(customers: Orders) -> pd.DataFrame:
    """A table with a good predecessor: what the project has learnt from."""
    return customers.table


def versions(stranger: Stranger, name: str) -> list[Any]:
    """Return a project's audit entries and champion: what a stopped run must leave alone."""
    project = next(each for each in stranger.answer("status")["projects"] if each["name"] == name)
    return [project["champion"], project["weights"]]


@pytest.mark.parametrize("name", ways())
def test_a_broken_file_stops_with_one_sentence_and_changes_nothing(
    stranger: Stranger, table: pd.DataFrame, name: str
) -> None:
    before = versions(stranger, "customers")
    broken = BREAKS[name](table.copy(), hits(len(table), SHARE))
    broken.to_csv(stranger.folder / "customers.csv", index=False)
    stranger.refuse(3, "run", "customers.csv", "--target", "churned")
    assert versions(stranger, "customers") == before
    assert newest_state(stranger) == "FAILED"


@pytest.mark.parametrize("name", ways())
def test_a_broken_first_file_stops_too(stranger: Stranger, table: pd.DataFrame, name: str) -> None:
    stem = f"first-{name.replace('_', '-')}"
    broken = BREAKS[name](table.copy(), hits(len(table), SHARE))
    broken.to_csv(stranger.folder / f"{stem}.csv", index=False)
    stranger.refuse(3, "run", f"{stem}.csv", "--target", "churned", "--id", "customer_id", "--seconds", 2)
    assert versions(stranger, stem) == [None, {}]


def test_a_few_bad_rows_are_set_aside_counted_and_can_be_readmitted(stranger: Stranger, table: pd.DataFrame) -> None:
    broken = negative_age(table.copy(), hits(len(table), 0.01))
    broken.to_csv(stranger.folder / "customers.csv", index=False)
    body = stranger.answer("run", "customers.csv", "--target", "churned")
    assert body["version"] is not None
    aside = stranger.answer("quarantine", "list", "customers")["quarantined"]
    assert aside[-1]["rows"] == 30
    assert "age" in " ".join(aside[-1]["reasons"])
    assert stranger.answer("quarantine", "readmit", "customers", aside[-1]["id"])["readmitted"] == 30


def test_the_good_rows_go_on_when_a_person_says_so(stranger: Stranger, table: pd.DataFrame) -> None:
    broken = unseen_target(table.copy(), hits(len(table), SHARE))
    broken.to_csv(stranger.folder / "customers.csv", index=False)
    body = stranger.answer("run", "customers.csv", "--target", "churned", "--quarantine")
    assert body["decision"]["verdict"] in {"hold", "promote"}


def test_an_added_column_goes_on_and_a_removed_or_retyped_one_blocks(stranger: Stranger, table: pd.DataFrame) -> None:
    file = stranger.folder / "customers.csv"
    table.assign(loyalty=np.arange(len(table)) % 7).to_csv(file, index=False)
    body = stranger.answer("run", "customers.csv", "--target", "churned")
    assert body["decision"]["verdict"] in {"hold", "promote"}
    retyped = table.assign(age="forty " + table["age"].astype(str))
    for changed in (retyped, table.drop(columns="age"), retyped):  # what was refused once is not taken for good
        changed.to_csv(file, index=False)
        assert "'age'" in stranger.refuse(3, "run", "customers.csv", "--target", "churned")
    status, _ = ask(body["endpoint"], {"rows": rows_of(table.drop(columns="churned").head(2))}, body["key"])
    assert status == 200


def newest_state(stranger: Stranger) -> str:
    """Return the state type of the newest flow run of a training."""
    url = f"http://127.0.0.1:{stranger.environment['PENSTOCK_PREFECT_PORT']}/api/flow_runs/filter"
    _, runs = ask(url, {"limit": 1, "sort": "START_TIME_DESC", "flows": {"name": {"any_": ["train"]}}})
    state: str = runs[0]["state"]["type"]
    return state
