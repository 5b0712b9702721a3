"""A project whose version serves, and a stream of rows whose true drift and true loss are known."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.contract_file import write_contract
from penstock.data.ingestion import keep_table
from penstock.domain.datasets import Contract, ContractColumn, DatasetVersion, Split, ValidationReport
from penstock.domain.evaluation import Evaluation, Explanation, Importance, Predictions, Score
from penstock.domain.features import ColumnPlan, FeaturePlan
from penstock.domain.models import Bundle, Certificate, FittedModel, ModelVersion, Signature
from penstock.domain.outcomes import Trained
from penstock.domain.releases import Label, Training
from penstock.domain.search import Candidate, SearchResult
from penstock.domain.workspace import Clock, Workspace
from penstock.serving.journal import Journal
from penstock.spec import ProjectSpec, Source
from penstock.store import frames, records, tables
from penstock.store.database import connect
from penstock.store.labels import save_labels

START = datetime(2025, 1, 6, tzinfo=UTC)  # a Monday
DAYS = 364
PLANS = np.array(["basic", "pro", "team", "firm"], object)
SHARES = np.array([0.5, 0.3, 0.15, 0.05])
COLUMNS = (
    ColumnPlan("age", "number", "number", ""),
    ColumnPlan("load", "number", "number", ""),  # higher at weekends
    ColumnPlan("idle", "number", "number", ""),  # of no importance
    ColumnPlan("plan", "string", "category", ""),
    ColumnPlan("paid", "boolean", "boolean", ""),
    ColumnPlan("note", "string", "text", "", tokens=4),
)


@dataclass(frozen=True)
class Shift:
    """What is different of the stream.

    `columns` move by so many standard deviations (a share for `plan`), `concept` is the share of what `age` means that
    is gone, and `missing` the share of a column's values.
    """

    columns: dict[str, float] = field(default_factory=dict)
    concept: float = 0.0
    missing: dict[str, float] = field(default_factory=dict)


QUIET = Shift()


def make_rows(times: NDArray[Any], random: np.random.Generator, shift: Shift = QUIET) -> pd.DataFrame:
    """Make rows that came at some times, with what is true of them."""
    rows = times.size
    weekend = ((times.astype("M8[D]").astype(np.int64) + 3) % 7) >= 5
    moved = shift.columns
    pro = moved.get("plan", 0.0)
    frame = pd.DataFrame(
        {
            "age": random.normal(40 + 15 * moved.get("age", 0.0), 15, rows),
            "load": random.normal(1.5 * weekend + moved.get("load", 0.0), 1, rows),
            "idle": random.gamma(2.0, 1.0, rows) + 1.4 * moved.get("idle", 0.0),
            "plan": PLANS[random.choice(4, rows, p=SHARES + pro * np.array([-1, 1, 0, 0]))],
            "paid": random.random(rows) < 0.6,
            "note": random.choice(np.array(["late again", "all is well here", "asked about the price"], object), rows),
            "when": times,
        }
    )
    odds = (
        -1.2 + (0.08 * (1 - shift.concept)) * (frame["age"] - 40) + 0.8 * (frame["plan"] == "pro") + 0.5 * frame["paid"]
    )
    frame["target"] = np.where(random.random(rows) < 1 / (1 + np.exp(-odds)), "yes", "no")
    for name, share in shift.missing.items():
        frame[name] = frame[name].mask(random.random(rows) < share)
    return frame


def believed(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return what the version believes: what was true before any concept changed."""
    odds = -1.2 + 0.08 * (frame["age"].fillna(40) - 40) + 0.8 * (frame["plan"] == "pro") + 0.5 * (frame["paid"] == True)  # noqa: E712
    share: NDArray[np.float64] = (1 / (1 + np.exp(-odds))).to_numpy(np.float64)
    return np.column_stack([1 - share, share])


@dataclass
class World:
    """A served project and its stream."""

    spec: ProjectSpec
    workspace: Workspace
    journal: Journal
    trained: Trained
    random: np.random.Generator
    asked: pd.DataFrame = field(default_factory=pd.DataFrame)

    def ask(self, at: datetime, rows: int = 500, shift: Shift = QUIET, size: int = 10) -> pd.DataFrame:
        """Send rows over a day from a time, in requests of a size, and return them with their addresses."""
        start = np.datetime64(at.replace(tzinfo=None), "us")
        offsets = np.sort(self.random.integers(0, 86_400_000_000, rows)).astype("m8[us]")
        frame = make_rows(start + offsets, self.random, shift)
        shares = believed(frame)
        addresses = []
        for first in range(0, rows, size):
            some = frame.iloc[first : first + size]
            addresses += self._append(some, shares[first : first + size])
        return frame.assign(request_id=[each[0] for each in addresses], row=[each[1] for each in addresses])

    def _append(self, some: pd.DataFrame, shares: NDArray[np.float64]) -> list[tuple[str, int]]:
        request_id = self.journal.ids.next()
        sent = [
            {name: None if pd.isna(value) else value for name, value in row.items() if name not in {"when", "target"}}
            | {"when": pd.Timestamp(row["when"]).isoformat()}
            for row in some.to_dict("records")
        ]
        answers = [{"label": "x", "score": p[1], "probabilities": {"no": p[0], "yes": p[1]}} for p in shares.tolist()]
        rest = msgspec.json.encode(
            {
                "at": pd.Timestamp(some["when"].iloc[0]).tz_localize("UTC").isoformat(),
                "project": "churn",
                "version": "1",
                "rows": sent,
                "predictions": answers,
                "latency_ms": 2.0,
            }
        )
        self.journal.append("churn", request_id, rest[1:])
        return [(request_id, row) for row in range(len(some))]

    def label(self, rows: pd.DataFrame, after: timedelta = timedelta(hours=1), **changed: Any) -> None:
        """Tell what is true of rows, so long after they came."""
        told = []
        for row in rows.itertuples():
            moment = pd.Timestamp(str(row.when)).tz_localize("UTC").to_pydatetime() + after
            label = Label("churn", str(row.request_id), int(str(row.row)), str(row.target), "test", moment, moment)
            told.append((replace(label, **changed), True))
        save_labels(told, self.workspace)

    def at(self, moment: datetime) -> Workspace:
        """Return the workspace at a time of the calendar."""
        clock = Clock(start=moment, scale=1e-9, started=datetime.now(UTC))
        return replace(self.workspace, clock=clock)


def make_world(workspace: Workspace, folder: Path, rows: int = 6000, **settings: Any) -> World:
    """Make a project whose version 1 serves, trained on a year of rows."""
    random = np.random.default_rng(11)
    times = np.datetime64(START.replace(tzinfo=None), "us") + np.sort(
        random.integers(0, DAYS * 86_400_000_000, rows)
    ).astype("m8[us]")
    table = make_rows(times, random)
    spec = ProjectSpec(
        name="churn",
        source=Source(kind="csv_file", path="churn.csv"),
        target="target",
        problem="binary",
        positive="yes",
        time="when",
        metric="roc_auc",
        path=folder / "churn.yaml",
        **settings,
    )
    at = replace(workspace, clock=Clock(START + timedelta(days=DAYS), 1e-9, datetime.now(UTC)))
    dataset = keep_table(table, "churn", "churn.csv", at)
    connect(at).dispose()
    _write_contract(table, dataset, spec)
    trained = _trained(table, dataset, workspace)
    _release(trained, workspace)
    return World(spec, workspace, Journal(workspace), trained, random)


def _write_contract(table: pd.DataFrame, dataset: DatasetVersion, spec: ProjectSpec) -> None:
    types: dict[str, Any] = {"paid": "boolean", "when": "date", "plan": "string", "note": "string", "target": "string"}
    columns = tuple(ContractColumn(str(name), types.get(str(name), "number"), required=False) for name in table)
    write_contract(Contract("churn", "target", columns, ("no", "yes")), dataset, spec)


def _trained(table: pd.DataFrame, dataset: DatasetVersion, workspace: Workspace) -> Trained:
    rows = len(table)
    cut = int(rows * 0.75)
    assignment = np.where(np.arange(rows) < cut, np.arange(rows) % 3, -1).astype(np.int8)
    numbers = np.arange(rows, dtype=np.uint64)
    array = frames.save_array(numbers, workspace)
    split = Split(
        "churn", dataset.digest, "time", ("when",), frames.save_array(assignment, workspace), array, array, 3, True,
        cut, rows - cut, 0, False, None, "by time",
    )  # fmt: skip
    plan = FeaturePlan("churn", dataset.digest, "plan", COLUMNS)
    signature = Signature("churn", "binary", "target", plan.decoding, ("no", "yes"), 1, 0.5)
    held = table.iloc[cut:]
    shares = believed(held)
    answers = pd.DataFrame(
        {
            "row": np.arange(cut, rows),
            "digest": numbers[cut:],
            "group": numbers[cut:],
            "time": held["when"].to_numpy(),
            "target": (held["target"] == "yes").astype(np.int64).to_numpy(),
            "p0": shares[:, 0],
            "p1": shares[:, 1],
        }
    )
    predictions = Predictions("churn", frames.save_table(answers, workspace), "b" * 64, dataset.digest, rows - cut)
    model = FittedModel("churn", "m" * 64, dataset.digest, "plan", "linear", {}, signature, array, "o", "none", 1.0)
    score = Score("roc_auc", 0.8, 0.78, 0.82, True, rows - cut)
    importances = (Importance("age", 0.2, 0.01), Importance("plan", 0.05, 0.01), Importance("idle", 0.0, 0.001))
    return Trained(
        training=Training("t" * 36, "churn", "study", START),
        report=ValidationReport("churn", dataset.digest, dataset, (), (), 0, None, False, ()),
        leaks=(),
        split=split,
        plan=plan,
        result=SearchResult("study", (), Candidate(0, "linear", "dense", {}, 0.8, (), "o"), "e", 1.0, ()),
        model=model,
        bundle=Bundle("churn", "b" * 64, model.digest, Certificate(10, 0.0, 1e-3, 0, 0, True), 0.1, 0.1, 10),
        answers=predictions,
        evaluation=Evaluation("churn", predictions.digest, score, score, (), 0.1, 0.1, dataset=dataset.digest),
        explanation=Explanation("churn", importances, (), (), ("", "", "")),
    )


def _release(trained: Trained, workspace: Workspace) -> None:
    version = ModelVersion("churn", "1", trained.training.id, "run", "m" * 64, "b" * 64, trained.split.dataset, START)
    records.save_record("trained", "1", "churn", trained, workspace)
    records.save_record("model", trained.model.digest, "churn", trained.model, workspace)
    with connect(workspace).begin() as connection:
        records.put_version(connection, version)
        connection.execute(
            tables.releases.insert().values(
                project="churn", version="1", state="serving", weights={"1": 100.0}, opened_at=START, actor="policy",
                reason="first",
            )
        )  # fmt: skip
