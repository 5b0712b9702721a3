"""The flow `ingest` drafts what a training would, and never beside one; its tasks are called as the steps they wrap."""

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flows.ingest import ingest
from penstock.data.contract_file import load_contract
from penstock.domain.workspace import Workspace
from penstock.store.leases import holder_of
from penstock.store.projects import open_project
from tasks import data

MINIMAL = "name: shop\nsource: {kind: csv_file, path: ../shop.csv}\ntarget: left\n"


@pytest.fixture
def shop(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace beside a project file that was written by hand, for a numeric target of 0 and 1."""
    monkeypatch.setenv("PENSTOCK_HOME", str(workspace.home))
    folder = workspace.home.parent
    (folder / "projects").mkdir()
    (folder / "projects" / "shop.yaml").write_text(MINIMAL)
    rows = range(200)
    table = pd.DataFrame({"fee": [place / 7 for place in rows], "left": [int(place % 3 == 0) for place in rows]})
    table.to_csv(folder / "shop.csv", index=False)
    for name in ("ingest", "complete_spec", "check_contract", "validate", "admit"):
        monkeypatch.setattr(data, name, getattr(data, name).fn)
    return workspace


def test_the_contract_of_a_minimal_project_file_knows_the_target_s_values(shop: Workspace) -> None:
    ingest.fn("shop")
    assert load_contract(open_project("shop", shop)).target_values == ("0", "1")


def test_contract_and_suite_are_written_under_the_lease_of_a_training(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    holders = []
    admit = data.admit

    def watched(*given: Any) -> Any:
        holders.append(holder_of("train:shop", shop))
        return admit(*given)

    monkeypatch.setattr(data, "admit", watched)
    ingest.fn("shop")
    assert [holder and holder.pid for holder in holders] == [os.getpid()]
    assert holder_of("train:shop", shop) is None
    assert Path(shop.home.parent / "projects" / "shop.contract.yaml").exists()
