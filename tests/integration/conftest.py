"""Prefect's server alone, once for the tests that need no worker."""

import subprocess
from collections.abc import Iterator

import psutil
import pytest

from penstock.domain.workspace import Workspace
from penstock.orchestration import deploying
from penstock.orchestration.processes import end
from penstock.orchestration.server import wait_for_prefect
from penstock.stack.first_tables import take_tables
from penstock.stack.parts import find_part
from penstock.store.database import connect
from penstock.store.schema import migrate
from penstock.store.workspace import inherited_environment, make_folders
from tests.conftest import ROOT, free_ports


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with Prefect's server alone, and the deployments of `prefect.yaml`."""
    workspace = Workspace(home=tmp_path_factory.mktemp("prefect"), app=ROOT, ports=free_ports())
    make_folders(workspace)
    migrate(workspace)
    variables = {**inherited_environment(workspace), **take_tables("prefect", workspace).variables}
    command = find_part("prefect").command(workspace)
    with (workspace.logs / "prefect.log").open("wb") as log:
        server = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
    try:
        wait_for_prefect(workspace)
        deploying.deploy(workspace)
        yield workspace
    finally:
        end([psutil.Process(server.pid)])
        server.wait()
        connect(workspace).dispose()
