"""The real stack, once for the scenarios that do not kill it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.e2e.loop import Project, make_project
from tests.e2e.rollouts import Orders, workspace_of
from tests.stranger import Stranger, make_quick, make_stranger, rows_of


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    """Somebody with a running stack, shared by scenarios that leave it running."""
    found = make_stranger(tmp_path_factory.mktemp("stranger"))
    attempts = found.folder / "attempts.txt"
    guard = Path(__file__).parent / "loopback_only"
    found.environment |= {"PYTHONPATH": str(guard), "LOOPBACK_ONLY_LOG": str(attempts)}
    found.answer("up")
    yield found
    found.answer("down")
    assert not attempts.exists(), attempts.read_text()  # X5: during all these scenarios
    shutil.rmtree(found.folder / "workspace", ignore_errors=True)


@pytest.fixture(scope="session")
def subscriptions(stranger: Stranger) -> pd.DataFrame:
    """The subscription business of the generator, as `churn.csv` in the stranger's folder."""
    from penstock.demo.generator import make_table

    made = make_table(10_000, seed=11)
    table = made.frame
    table.to_csv(stranger.folder / "churn.csv", index=False)
    return table


@pytest.fixture(scope="session")
def orders(stranger: Stranger, subscriptions: pd.DataFrame) -> Orders:
    """A project of the first 3,000 rows, with a version that answers, and the later rows to ask about."""
    return serve_quickly("orders", stranger, subscriptions)


@pytest.fixture(scope="session")
def customers(stranger: Stranger, subscriptions: pd.DataFrame) -> Orders:
    """Another one, for scenarios that train: S2 leaves versions behind, and a broken file."""
    return serve_quickly("customers", stranger, subscriptions)


def serve_quickly(name: str, stranger: Stranger, subscriptions: pd.DataFrame) -> Orders:
    """Make a project of the first 3,000 rows with a version that answers."""
    table = subscriptions.head(3000)
    table.to_csv(stranger.folder / f"{name}.csv", index=False)
    stranger.answer("init", name, "--data", f"{name}.csv", "--target", "churned")
    make_quick(stranger, name)
    made = stranger.answer("run", name)
    assert made["release"]["state"] == "serving", made["decision"]
    rows = rows_of(subscriptions.tail(3000).drop(columns="churned"))
    return Orders(stranger, workspace_of(stranger), made["endpoint"], made["key"], table, rows)


@pytest.fixture(scope="session")
def loop_project(stranger: Stranger, subscriptions: pd.DataFrame) -> Project:
    """A project that is retrained as soon as a loss is measured."""
    return make_project("loop", stranger, subscriptions)
