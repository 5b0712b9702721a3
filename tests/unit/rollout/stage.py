"""A project `churn` with versions that answer, decisions on them, and requests in its journal."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa

from penstock.domain.evaluation import Decision, Gate, VerdictWord
from penstock.domain.models import ModelVersion
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.rollout import advance
from penstock.rollout import release as releases
from penstock.serving.journal import Journal
from penstock.spec import ProjectSpec, load_spec
from penstock.store import artifacts, database, records, tables
from tests.spoiled import graph_of, put_spoiled
from tests.unit.serving.stand_in import ROW, keep_version

STAGES = (0, 5, 25, 100)


def make_spec(stages: tuple[float, ...] = (100,), approve: bool | str = False) -> ProjectSpec:
    rollout = {"stages": stages, "approve": approve}
    return ProjectSpec.model_validate(
        {"name": "churn", "source": {"kind": "csv_file", "path": "a.csv"}, "target": "churned", "rollout": rollout}
    )


def make_decision(version: str, verdict: VerdictWord = "promote", *, held: bool = True) -> Decision:
    return Decision(
        id=f"d{version}",
        project="churn",
        verdict=verdict,
        reasons=("It is better.",),
        at=datetime.now(UTC),
        version=version,
        gates=(Gate("smoke", held, "as found"),),
    )


def keep(version: str, workspace: Workspace, verdict: VerdictWord = "promote", *, held: bool = True) -> Decision:
    """A version that cannot answer, and the decision on it."""
    kept = ModelVersion("churn", version, f"t{version}", "run", "m" * 64, "b" * 64, "a" * 64, datetime.now(UTC))
    records.save_version(kept, workspace)
    return decide(version, workspace, verdict, held=held)


def decide(version: str, workspace: Workspace, verdict: VerdictWord = "promote", *, held: bool = True) -> Decision:
    decision = make_decision(version, verdict, held=held)
    records.save_record("decision", decision.id, "churn", decision, workspace)
    return decision


def open_release(decision: Decision, workspace: Workspace, *stages: float, approve: bool | str = False) -> Release:
    return releases.open_release(decision, make_spec(stages or (100,), approve), workspace)


def write_project(workspace: Workspace, folder: Path, rollout: str = "{}") -> ProjectSpec:
    """The project's file, where records say that it lies."""
    path = folder / "churn.yaml"
    path.write_text(f"name: churn\nsource: {{kind: csv_file, path: a.csv}}\ntarget: churned\nrollout: {rollout}\n")
    records.register_project("churn", path, workspace)
    return load_spec(path)


def answering(version: str, workspace: Workspace, folder: Path) -> ModelVersion:
    """A version that answers, with a decision that promotes it."""
    kept = keep_version(version, workspace, folder / f"bundle-{version}")
    decide(version, workspace)
    return kept


def spoil(version: str, graph: bytes, workspace: Workspace, folder: Path) -> ModelVersion:
    """Let a version answer with another graph."""
    kept = records.find_version("churn", version, workspace)
    bundle = put_spoiled(kept.bundle, graph, folder / f"spoiled-{version}", workspace)
    changed = replace(kept, bundle=bundle)
    records.save_version(changed, workspace)
    return changed


def graph(version: str, workspace: Workspace) -> bytes:
    return graph_of(records.find_version("churn", version, workspace).bundle, workspace)


def ask(count: int, workspace: Workspace, *, version: str = "1", latency: float = 0.5, **more: object) -> None:
    """Requests in the journal, as the service writes them; ages from 20 upwards."""
    journal = Journal(workspace)
    for number in range(count):
        entry = {
            "at": datetime.now(UTC),
            "project": "churn",
            "version": version,
            "release": 1,
            "latency_ms": latency,
            "rows": [{**ROW, "age": 20 + number % 50}],
            "predictions": [{"label": "no", "score": 0.1, "probabilities": {"no": 0.9, "yes": 0.1}}],
            **more,
        }
        journal.append("churn", journal.ids.next(), msgspec.json.encode(entry)[1:])
    journal.close()


def let_pass(seconds: float) -> None:
    """Let rollouts be watched at their stages for so long; a stage begins at its first tick."""
    for gathered in advance._gathered.values():
        gathered.lasted += seconds


def backdate(seconds: float, workspace: Workspace) -> None:
    """Let the stage of the newest release have begun earlier, on the wall."""
    table = tables.releases
    with database.connect(workspace).begin() as connection:
        newest = sa.select(sa.func.max(table.c.id)).scalar_subquery()
        began = datetime.fromtimestamp(datetime.now(UTC).timestamp() - seconds, UTC)
        connection.execute(sa.update(table).where(table.c.id == newest).values(stage_began=began))


def rows_of(workspace: Workspace) -> list[tuple[str, str]]:
    """Version and state of every release, newest first."""
    return [(each.version, each.state) for each in records.list_releases("churn", workspace)]


def keep_rows(version: str, count: int, workspace: Workspace) -> None:
    """Rows of a version's dataset, as the workshop keeps them for its replay."""
    from penstock.rollout.kept import KIND, Kept

    rows = [{**ROW, "age": 20 + number % 60} for number in range(count)]
    kept = Kept(artifacts.put_bytes(msgspec.json.encode(rows), workspace))
    records.save_record(KIND, version, "churn", kept, workspace)
