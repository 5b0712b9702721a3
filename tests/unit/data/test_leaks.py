"""Columns that give the target away are found, honest ones are not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from penstock.data.ingestion import ingest, keep_table
from penstock.data.leakage.equations import find_equation
from penstock.data.leaks import find_leaks
from penstock.data.splitting import split
from penstock.demo.generator import make_table
from penstock.domain.datasets import Finding
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec

Find = Callable[..., tuple[Finding, ...]]


@pytest.fixture
def find(workspace: Workspace) -> Find:
    def found(frame: pd.DataFrame, **settings: Any) -> tuple[Finding, ...]:
        values = {"name": "shop", "source": {"kind": "csv_file", "path": "x"}, "target": "y", "path": Path("p.yaml")}
        spec = ProjectSpec.model_validate({**values, **settings})
        dataset = keep_table(frame, "shop", "test", workspace)
        return find_leaks(dataset, split(dataset, None, spec, workspace), spec, workspace)

    return found


def _honest(rows: int = 4000) -> pd.DataFrame:
    random = np.random.default_rng(0)
    strength = random.normal(size=rows)
    return pd.DataFrame(
        {
            "strong": strength + random.normal(scale=0.5, size=rows),
            "weak": strength + random.normal(scale=3, size=rows),
            "level": random.choice(["a", "b", "c"], rows),
            "y": np.where(strength > 0.5, "yes", "no"),
        }
    )


def test_honest_columns_are_left_alone(find: Find) -> None:
    assert find(_honest()) == ()


def test_a_copy_of_the_target_is_found_whatever_it_is_called(find: Find) -> None:
    frame = _honest()
    frame["status"] = np.where(frame["y"] == "yes", "closed", "open")
    (leak,) = find(frame)
    assert (leak.check, leak.columns, leak.level) == ("leak_alone", ("status",), "warning")
    assert dict(leak.figures)["score"] > 0.99


def test_a_column_filled_after_the_event_is_found(find: Find) -> None:
    frame = _honest()
    reasons = np.random.default_rng(1).choice(["price", "moved"], len(frame))
    some = (frame["y"] == "yes") & (np.arange(len(frame)) % 3 > 0)
    frame["cancel_reason"] = pd.Series(reasons, dtype="str").where(some)
    (leak,) = find(frame)
    assert (leak.check, leak.columns) == ("leak_after_event", ("cancel_reason",))


def test_gaps_that_tell_little_are_honest(find: Find) -> None:
    frame = _honest()
    frame["strong"] = frame["strong"].mask(np.random.default_rng(2).random(len(frame)) < 0.3)
    assert find(frame) == ()


def test_a_sum_that_gives_the_target_is_named_with_its_equation(find: Find) -> None:
    random = np.random.default_rng(0)
    parts = pd.DataFrame(random.poisson(20, (3000, 3)), columns=["a", "b", "c"])
    frame = parts.assign(other=random.normal(size=3000), y=parts["a"] + parts["b"] - parts["c"] + 5)
    leak = next(found for found in find(frame) if found.check == "leak_equation")
    assert set(leak.columns) == {"a", "b", "c"}
    assert "+ 5 holds in 100.0%" in leak.message


def test_a_copy_in_another_unit_is_found(find: Find) -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=1000)})
    frame = frame.assign(y=frame["x"] + np.random.default_rng(1).normal(size=1000))
    frame["y_in_cents"] = frame["y"] * 100
    assert {leak.columns for leak in find(frame)} == {("y_in_cents",)}


def test_allowed_columns_are_not_named(find: Find) -> None:
    frame = _honest()
    frame["status"] = np.where(frame["y"] == "yes", "closed", "open")
    assert find(frame, columns={"allow": ["status"]}) == ()


def test_columns_that_the_contract_does_not_allow_are_not_looked_at(find: Find, tmp_path: Path) -> None:
    frame = _honest()
    frame["status"] = np.where(frame["y"] == "yes", "closed", "open")
    allowed = "".join(f"  {name}: {{type: string}}\n" for name in ("strong", "weak", "level", "y"))
    text = f"project: shop\ntarget: y\ncolumns:\n{allowed}  status: {{type: string, allowed: false}}\n"
    (tmp_path / "shop.contract.yaml").write_text(text)
    assert find(frame, path=tmp_path / "shop.yaml") == ()
    assert len(find(frame)) == 1


def test_dates_of_what_ended_later_are_found(find: Find) -> None:
    frame = _honest()
    frame["opened"] = pd.date_range("2026-01-01", periods=len(frame), freq="h").as_unit("us")
    frame["closed_on"] = frame["opened"] + pd.Timedelta(days=3)
    frame["due_on"] = frame["opened"] + pd.Timedelta(days=9)
    assert [leak.columns for leak in find(frame, time="opened") if leak.level == "warning"] == [("closed_on",)]


def test_leaks_are_sought_on_training_rows_alone(find: Find) -> None:
    frame = _honest()
    frame["at"] = pd.date_range("2026-01-01", periods=len(frame), freq="h").as_unit("us")
    newest = np.arange(len(frame)) >= 0.75 * len(frame)
    frame["status"] = np.where(newest, np.where(frame["y"] == "yes", "closed", "open"), "open")
    assert [leak for leak in find(frame, time="at") if leak.level == "warning"] == []


def test_the_generator_s_columns_are_honest(find: Find) -> None:
    frame = make_table(6000).frame.rename(columns={"churned": "y"})
    assert [leak for leak in find(frame, time="signed_up", id="customer_id") if leak.level == "warning"] == []


def test_products_and_noise_are_no_equation() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(1000, 5)), columns=list("abcde"))
    assert find_equation(frame, frame["a"].to_numpy() + random.normal(size=1000)) is None
    assert find_equation(frame, frame["a"].to_numpy() * frame["b"].to_numpy()) is None


@pytest.mark.parametrize(
    ("path", "target", "settings", "columns"),
    [
        ("bike_sharing_hourly/bike_sharing_hourly.parquet", "cnt", {"time": "datetime"}, {"casual", "registered"}),
        ("letter_recognition/letter_recognition.parquet", "letter", {}, set()),
        ("adult_income/adult_income.parquet", "income", {}, set()),
        ("telco_churn/telco_churn.parquet", "Churn", {"id": "customerID"}, set()),
        ("credit_default/credit_default.parquet", "default payment", {}, set()),
        ("ames_housing/ames_housing.parquet", "Sale_Price", {}, set()),
        ("chicago_crimes/chicago_crimes.parquet", "Arrest", {"time": "Date", "id": "ID"}, {"Updated On"}),
    ],
)
def test_leaks_of_real_data_sets(
    workspace: Workspace, shared_data: Path, path: str, target: str, settings: dict[str, str], columns: set[str]
) -> None:
    source = {"kind": "parquet_file", "path": path}
    values = {"name": "shop", "source": source, "target": target, "path": shared_data / "p.yaml", **settings}
    spec = ProjectSpec.model_validate(values)
    dataset = ingest(spec, workspace)
    leaks = find_leaks(dataset, split(dataset, None, spec, workspace), spec, workspace)
    assert {name for leak in leaks if leak.level == "warning" for name in leak.columns} == columns
