"""What is told by Prefect's own words must be worded so by the installed Prefect."""

from importlib.util import find_spec
from pathlib import Path

from penstock.orchestration.events import SLOT_LOST


def test_prefect_says_why_it_cancels_a_flow_run_by_itself() -> None:
    found = find_spec("prefect")
    assert found is not None
    policy = Path(str(found.origin)).parent / "server" / "orchestration" / "core_policy.py"
    assert f'message="{SLOT_LOST}' in policy.read_text()
