"""The drift report for people: made by Evidently on a bounded sample, in a process of its own; alone imports Evidently.

The detectors decide; nothing depends on the report. Evidently takes seconds to import and hundreds of megabytes, and
leaves out columns of some types in silence, so it gets plain columns, by name, and is asked which came back.
"""

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from penstock.collecting import collect_rarely
from penstock.domain.features import ColumnPlan
from penstock.domain.monitoring import DriftReport, Monitored
from penstock.domain.workspace import Workspace
from penstock.monitoring.reference import current_frame, find_trained, kind_of, reference_frame, watched
from penstock.spec import ProjectSpec
from penstock.store import artifacts
from penstock.store.windows import attach_report, list_windows
from penstock.store.workspace import inherited_environment

SAMPLE = 5_000  # rows a side
SECONDS = 180.0
NICE = 10
MISSING = "(missing)"
POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline' "
    "'unsafe-eval' blob: data:; style-src 'unsafe-inline'; img-src data: blob:; font-src data:\">"
)

log = logging.getLogger("penstock.monitoring")


def write_drift_report(monitored: Monitored, spec: ProjectSpec, workspace: Workspace) -> Monitored:
    """Write the report of a window in which something moved; a failure is told, and stops nothing.

    There is a report of a window that asks for a retraining, in which a loss was measured, or in which other columns
    drifted than in the window before: one takes several megabytes.

    Parameters
    ----------
    monitored
        A window with its decision.
    spec
        The project.
    workspace
        Where tables and reports are kept.

    Returns
    -------
    Monitored
        With the digest of one self-contained HTML page as `report`, or without.
    """
    if monitored.report is not None or not worth_a_report(monitored, _before(monitored, workspace)):
        return monitored
    try:
        page = _made(monitored, spec, workspace)
    except (OSError, subprocess.SubprocessError) as error:
        said = error.stderr[-2000:] if isinstance(error, subprocess.CalledProcessError) else error
        log.warning("The drift report of %s, window %s, was not made: %s", spec.name, monitored.window.number, said)
        return monitored
    digest = artifacts.put_bytes(page, workspace)
    attach_report(monitored.decision.id, digest, workspace)
    return replace(monitored, report=digest)


def find_page(monitored: Monitored, workspace: Workspace) -> Path | None:
    """Return where a person opens the report of a window, None if there is none."""
    if monitored.report is None:
        return None
    page = workspace.home / "reports" / monitored.window.project / f"drift-{monitored.window.number}.html"
    if not page.exists():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_bytes(artifacts.read_bytes(monitored.report, workspace))
    return page


def worth_a_report(monitored: Monitored, before: Monitored | None) -> bool:
    """Return whether a window shows something that the one before did not."""
    if monitored.window.table is None or monitored.drift is None:
        return False
    drifted, known = set(monitored.drift.drifted), set(before.drift.drifted if before and before.drift else ())
    lost = monitored.performance.lost and not (before and before.performance.lost)
    return monitored.decision.verdict == "retrain" or lost or (bool(drifted) and drifted != known)


def _before(monitored: Monitored, workspace: Workspace) -> Monitored | None:
    windows = list_windows(monitored.window.project, workspace, limit=2)
    return next((each for each in windows if each.window.number < monitored.window.number), None)


def _made(monitored: Monitored, spec: ProjectSpec, workspace: Workspace) -> bytes:
    """Return the page that a process of its own makes."""
    with tempfile.TemporaryDirectory(prefix="penstock-drift-") as folder:
        material = Path(folder)
        _lay_out(material, monitored, spec, workspace)
        subprocess.run(
            [sys.executable, "-m", "penstock.monitoring.report", str(material)],
            env=inherited_environment(workspace),
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        for note in json.loads((material / "notes.json").read_text()):
            log.warning("%s, window %s: %s", spec.name, monitored.window.number, note)
        return (material / "report.html").read_bytes()


def _lay_out(folder: Path, monitored: Monitored, spec: ProjectSpec, workspace: Workspace) -> None:
    """Write what the other process needs: a sample of both sides, which columns are numbers, and their thresholds."""
    trained = find_trained(spec.name, monitored.window.version, workspace)
    columns = watched(trained, spec)
    sides = {
        "reference": reference_frame(trained, columns, spec, workspace),
        "current": current_frame(str(monitored.window.table), columns, spec, workspace),
    }
    for side, frame in sides.items():
        plain_table(frame, columns, spec.seed).to_parquet(folder / f"{side}.parquet", index=False)
    told = {
        "title": f"{spec.name}, window {monitored.window.number}",
        "numbers": [column.name for column in columns if kind_of(column) == "number"],
        "categories": [column.name for column in columns if kind_of(column) == "category"],
        "threshold": _psi_threshold(monitored.drift),
    }
    (folder / "columns.json").write_text(json.dumps(told))


def _psi_threshold(drift: DriftReport | None) -> float:
    found = [column.threshold for column in drift.columns if column.detector == "psi"] if drift else []
    return min(found, default=0.2)


def plain_table(frame: pd.DataFrame, columns: tuple[ColumnPlan, ...], seed: int) -> pd.DataFrame:
    """Return a bounded sample with plain columns: numbers as float64, levels as texts, texts as their word counts."""
    if len(frame) > SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(len(frame), SAMPLE, replace=False))
        frame = frame.iloc[rows]
    plain: dict[str, Any] = {}
    for column in columns:
        values = frame[column.name]
        if column.treatment == "text":
            plain[column.name] = np.asarray(values.str.count(r"\w+"), dtype=np.float64)
        elif kind_of(column) == "number":
            plain[column.name] = values.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            plain[column.name] = [MISSING if pd.isna(value) else str(value) for value in values]
    return pd.DataFrame(plain)


def make_page(folder: Path) -> None:
    """Write report.html and notes.json from what `_lay_out` wrote; runs in a process of its own."""
    warnings.simplefilter("ignore")
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import DriftedColumnsCount, ValueDrift

    told = json.loads((folder / "columns.json").read_text())
    sides = [pd.read_parquet(folder / f"{side}.parquet") for side in ("current", "reference")]
    empty = {str(name) for name in sides[0] if any(side[name].notna().sum() < 2 for side in sides)}  # noqa: PLR2004
    numbers, categories = ([name for name in told[kind] if name not in empty] for kind in ("numbers", "categories"))
    sides = [_as_objects(side[[*numbers, *categories]], categories) for side in sides]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    current, reference = (Dataset.from_pandas(side, definition) for side in sides)
    names, limit = [*numbers, *categories], told["threshold"]
    psi = {"num_method": "psi", "cat_method": "psi", "num_threshold": limit, "cat_threshold": limit}
    each = [ValueDrift(column=name, method="psi", threshold=limit) for name in names]
    shown = Report([DriftedColumnsCount(columns=names, **psi), *each], metadata={"window": told["title"]})
    found = shown.run(current, reference)
    found.save_html(str(folder / "report.html"))
    _close(folder / "report.html")
    returned = {metric.get("config", {}).get("column") for metric in found.dict()["metrics"]}
    notes = [f"The column {name!r} is not in the drift report: it has hardly a value." for name in sorted(empty)]
    lost = set(names) - returned
    notes += [f"The column {name!r} is not in the drift report: Evidently left it out." for name in sorted(lost)]
    (folder / "notes.json").write_text(json.dumps(notes))


def _as_objects(frame: pd.DataFrame, categories: list[str]) -> pd.DataFrame:
    return frame.assign(**{name: frame[name].astype(object) for name in categories})


def _close(page: Path) -> None:
    """Forbid the page every other host, and take out what it would load from one."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"<(link|script)\b[^>]*\b(href|src)=[\"']?https?://[^>]*>(</script>)?", "", text)
    page.write_text(text.replace("<head>", f"<head>{POLICY}", 1), encoding="utf-8")


if __name__ == "__main__":
    os.nice(NICE)
    collect_rarely()
    make_page(Path(sys.argv[1]))
