"""The real stack, once for the scenarios that do not kill it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.stranger import Stranger, make_stranger


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    """Somebody with a running stack, shared by scenarios that leave it running."""
    found = make_stranger(tmp_path_factory.mktemp("stranger"))
    attempts = found.folder / "attempts.txt"
    guard = Path(__file__).parent / "loopback_only"
    found.environment |= {"PYTHONPATH": str(guard), "LOOPBACK_ONLY_LOG": str(attempts)}
    said = found.penstock("up")
    assert said.code == 0, said.err[-4000:]
    yield found
    assert found.penstock("down").code == 0
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
