"""When a drift report is written, and what it is given."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd

from penstock.domain.evaluation import Decision
from penstock.domain.monitoring import ColumnDrift, DriftReport, Monitored, Performance, Window
from penstock.monitoring.report import SAMPLE, _close, plain_table, worth_a_report
from tests.unit.monitoring.world import COLUMNS, DAYS, START

LATER = START + timedelta(days=DAYS)
WINDOW = Window("churn", 2, 1000, "t" * 64, LATER, LATER, "id", "1")


def monitored(*drifted: str, lost: bool = False, verdict: str = "hold") -> Monitored:
    columns = tuple(ColumnDrift(name, "psi", 0.5, 0.2, True, "") for name in drifted)
    performance = Performance("roc_auc", lost=lost)
    decision = Decision("d" * 36, "churn", verdict, ("",), LATER)  # type: ignore[arg-type]
    return Monitored(WINDOW, DriftReport("churn", "d", 10, 10, columns), performance, decision)


def test_a_window_that_shows_nothing_new_has_no_report() -> None:
    assert not worth_a_report(monitored(), None)
    assert not worth_a_report(monitored("age"), monitored("age"))
    assert not worth_a_report(monitored(lost=True), monitored(lost=True))
    assert not worth_a_report(replace(monitored("age"), window=replace(WINDOW, table=None)), None)


def test_a_window_that_shows_something_has_one() -> None:
    assert worth_a_report(monitored("age"), None)
    assert worth_a_report(monitored("age", "plan"), monitored("age"))
    assert worth_a_report(monitored(lost=True), monitored())
    assert worth_a_report(monitored(verdict="retrain"), monitored())


def test_evidently_is_given_plain_columns_and_a_bounded_sample() -> None:
    rows = SAMPLE + 10
    frame = pd.DataFrame(
        {
            "age": pd.array([1.5, None] * (rows // 2), dtype="Float64"),
            "load": range(rows),
            "idle": 1,
            "plan": pd.Series(["basic", None] * (rows // 2), dtype="str"),
            "paid": [True, None] * (rows // 2),
            "note": pd.Series(["all is well", ""] * (rows // 2), dtype="str"),
        }
    )
    plain = plain_table(frame, COLUMNS, seed=1)
    assert len(plain) == SAMPLE
    assert {str(plain[name].dtype) for name in ("age", "load", "idle", "note")} == {"float64"}
    assert set(plain["plan"]) == {"basic", "(missing)"}
    assert set(plain["paid"]) == {"True", "(missing)"}


def test_a_page_may_reach_no_other_host(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(
        '<html><head><script src="https://cdn.example/x.js"></script><link rel="x" href="http://fonts.example/y.css">'
        "<script>1</script></head></html>"
    )
    _close(page)
    text = page.read_text()
    assert "example" not in text
    assert "default-src 'none'" in text
    assert "<script>1</script>" in text
