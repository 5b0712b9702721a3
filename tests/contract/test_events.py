"""What is posted is what `docs/reference/events.json` says; every example of the page is, too."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest

from penstock.data.contract import check_contract
from penstock.data.ingestion import ingest
from penstock.data.validation import validate
from penstock.domain import events as names
from penstock.domain.monitoring import ColumnDrift, DriftReport, Performance, Seen, Window
from penstock.domain.workspace import Workspace
from penstock.monitoring.policy import decide
from penstock.orchestration.events import event_of
from penstock.rollout import reconcile
from penstock.rollout.aliases import write_alias
from penstock.rollout.release import roll_back
from penstock.spec import Retrain, load_spec
from penstock.store.outbox import list_notices
from tests.conftest import ROOT
from tests.registry import Registry
from tests.unit.monitoring.world import make_world
from tests.unit.rollout.stage import keep, open_release, write_project

REFERENCE = ROOT / "docs" / "reference"
SCHEMAS = json.loads((REFERENCE / "events.json").read_text())["$defs"]
PAGE = (REFERENCE / "events.md").read_text()
EVENTS = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}


def posted(project: str, workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Return the newest payload of each event of a project as it is sent, held against its schema."""
    found = {}
    for notice in list_notices(project, workspace):
        payload = json.loads(json.dumps(event_of(notice)["payload"]))
        jsonschema.validate(payload, SCHEMAS[notice.notice.event])
        found[notice.notice.event] = payload
    return found


def test_every_event_is_described() -> None:
    assert set(SCHEMAS) == EVENTS
    for event in EVENTS:
        assert f"| `{event}` |" in PAGE, f"docs/reference/events.md must say when {event} is told"


@pytest.mark.parametrize("section", PAGE.split("\n## ")[1:], ids=lambda text: text.split("\n")[0])
def test_each_example_fits_its_schema(section: str) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    for event in section.split("\n", maxsplit=1)[0].split(", "):
        jsonschema.validate(json.loads(example), SCHEMAS[event])


def test_a_decision_to_retrain(workspace: Workspace, tmp_path: Path) -> None:
    world = make_world(workspace, tmp_path, 600, retrain=Retrain(persistence=1, min_new_labels=0))
    now = datetime.now(UTC)
    window = Window("churn", 1, 500, "t" * 64, now, now, world.journal.ids.next(), "1")
    moved = ColumnDrift("age", "psi", 0.4, 0.2, True, "It moved.", 0.3)
    drift = DriftReport("churn", "d", 600, 500, (moved,))
    lost = Performance("roc_auc", 0.8, 0.6, 0.55, 0.65, None, 500, 0.2, 0.15, True)
    decision = decide(Seen(window, drift, lost), world.spec, "", workspace).decision
    assert decision.verdict == "retrain", decision.reasons
    payload = posted("churn", workspace)[names.DRIFT_DETECTED]
    assert payload["incident"] == payload["decision"] == decision.id
    world.journal.close()


def test_a_service_that_fails_more_calls(workspace: Workspace, tmp_path: Path) -> None:
    world = make_world(workspace, tmp_path, 600)
    now = datetime.now(UTC)
    window = Window("churn", 1, 500, "t" * 64, now, now, world.journal.ids.next(), "1")
    failing = Performance("roc_auc", 0.8, latency_ms=3.5, asked=1000, errors=100)
    decide(Seen(window, None, failing), world.spec, "", workspace)
    assert posted("churn", workspace)[names.SERVICE_DEGRADED]["errors"] == 100
    world.journal.close()


def test_a_table_that_is_stopped(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "ages.yaml").write_text(
        "name: ages\nsource: {kind: csv_file, path: ages.csv}\ntarget: left\nproblem: binary\n"
    )
    spec = load_spec(tmp_path / "ages.yaml")
    for ages in (range(20, 60), range(-40, 0)):
        table = pd.DataFrame({"age": list(ages) * 5, "left": ["no", "yes"] * 100})
        table.to_csv(tmp_path / "ages.csv", index=False)
        dataset = ingest(spec, workspace)
        check_contract(dataset, spec, workspace)
        report = validate(dataset, spec, False, workspace)
        validate(dataset, spec, False, workspace)
    assert report.blocked
    told = posted("ages", workspace)
    assert set(told) == {names.DATA_BLOCKED}
    assert told[names.DATA_BLOCKED]["dataset"] == report.dataset
    assert len(list_notices("ages", workspace)) == 1


def test_traffic_that_moves_and_is_taken_back(workspace: Workspace, tmp_path: Path) -> None:
    write_project(workspace, tmp_path)
    for version in ("1", "2"):
        open_release(keep(version, workspace), workspace)
    open_release(keep("3", workspace), workspace, 0, 25, 100)
    roll_back("churn", actor="ann", reason="complaint 123", workspace=workspace)
    assert set(posted("churn", workspace)) == {names.RELEASE_MOVED, names.RELEASE_ROLLED_BACK}


def test_an_alias_that_is_refused(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0.0)
    write_project(workspace, tmp_path)
    with Registry().up(workspace) as registry:
        write_alias(open_release(keep("1", workspace), workspace), workspace)
        keep("4", workspace, held=False)
        for version in ("4", None):
            registry.champion = version
            reconcile.reconcile_aliases(workspace)
    assert names.ALIAS_REFUSED in posted("churn", workspace)
