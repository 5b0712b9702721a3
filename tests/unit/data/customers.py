"""A table of customers, its project, and its way through the door."""

from pathlib import Path

import numpy as np
import pandas as pd

from penstock.data.contract import check_contract
from penstock.data.ingestion import ingest
from penstock.data.validation import admit, validate
from penstock.domain.datasets import ValidationReport
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec, load_spec

ROWS = 600


def table() -> pd.DataFrame:
    random = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "customer_id": [f"C{row:05d}" for row in range(ROWS)],
            "age": random.integers(18, 80, ROWS),
            "fee": random.gamma(2.0, 20.0, ROWS).round(2),
            "balance": random.normal(0, 50, ROWS).round(2),
            "plan": random.choice(["basic", "plus", "pro"], ROWS),
            "note": pd.Series("fine", index=range(ROWS)).where(random.random(ROWS) >= 0.1),
            "churned": random.choice(["yes", "no"], ROWS, p=[0.2, 0.8]),
        }
    )


def project(folder: Path, problem: str = "binary") -> ProjectSpec:
    path = folder / "churn.yaml"
    path.write_text(
        f"name: churn\nsource: {{kind: csv_file, path: churn.csv}}\ntarget: churned\nproblem: {problem}\n"
        "columns: {sensitive: [fee]}\n"
    )
    return load_spec(path)


def run(frame: pd.DataFrame, spec: ProjectSpec, workspace: Workspace, *, quarantine: bool = False) -> ValidationReport:
    frame.to_csv(spec.folder / "churn.csv", index=False)
    dataset = ingest(spec, workspace)
    change = check_contract(dataset, spec, workspace)
    report = validate(dataset, spec, quarantine, workspace)
    admit(change, report)
    return report
