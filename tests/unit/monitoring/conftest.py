"""A served project for the steps of monitoring."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.domain.workspace import Workspace
from tests.unit.monitoring.world import World, make_world


@pytest.fixture
def world(workspace: Workspace, tmp_path: Path) -> Iterator[World]:
    """A project that is watched in windows of at most 1,000 rows."""
    made = make_world(workspace, tmp_path)
    yield made
    made.journal.close()
