"""Rows keep their sides and names when what tells them apart is edited."""

import json
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from penstock.data.checks.expectations import suite_path
from penstock.data.contract_file import contract_path
from penstock.data.ingestion import keep_table
from penstock.data.sides import naming
from penstock.data.splitting import load_assignment, split, split_unseen
from penstock.domain.features import Decoding
from penstock.domain.models import FittedModel, Signature
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec, load_spec
from penstock.store import frames
from penstock.store.frames import load_array, save_array
from tests.unit.data.customers import ROWS, project, run, table

Edit = Callable[[pd.DataFrame, ProjectSpec], pd.DataFrame]
NEW = 60


def longer() -> pd.DataFrame:
    """Return the table of customers with new ones behind, all numbered."""
    new = table().tail(NEW).assign(customer_id=[f"N{row}" for row in range(NEW)], balance=lambda frame: frame["fee"])
    frame = pd.concat([table(), new], ignore_index=True)
    return frame.assign(number=np.arange(len(frame)) + 1)


def write(spec: ProjectSpec, old: str, new: str) -> None:
    """Change the project file."""
    spec.path.write_text(spec.path.read_text().replace(old, new))


def write_contract(spec: ProjectSpec, old: str, new: str) -> None:
    text = contract_path(spec).read_text()
    assert old in text
    contract_path(spec).write_text(text.replace(old, new))


def a_text_is_the_id(frame: pd.DataFrame, spec: ProjectSpec) -> pd.DataFrame:
    write(spec, "target:", "id: customer_id\ntarget:")
    return frame


def a_counter_is_the_id(frame: pd.DataFrame, spec: ProjectSpec) -> pd.DataFrame:
    write(spec, "target:", "id: number\ntarget:")
    return frame


def a_new_column_is_the_id(frame: pd.DataFrame, spec: ProjectSpec) -> pd.DataFrame:
    write(spec, "target:", "id: member\ntarget:")
    return frame.assign(member=[f"M{row}" for row in range(len(frame))])


def a_number_is_a_text(frame: pd.DataFrame, spec: ProjectSpec) -> pd.DataFrame:
    write_contract(spec, "age: {type: number", "age: {type: string")
    suite = json.loads(suite_path(spec).read_text())
    suite["expectations"] = [each for each in suite["expectations"] if each["kwargs"]["column"] != "age"]
    suite_path(spec).write_text(json.dumps(suite))
    return frame


def a_column_is_not_allowed(frame: pd.DataFrame, spec: ProjectSpec) -> pd.DataFrame:
    write_contract(spec, "age: {type: number, required: true", "age: {type: number, required: true, allowed: false")
    return frame


def a_column_is_gone(frame: pd.DataFrame, spec: ProjectSpec) -> pd.DataFrame:
    return a_column_is_not_allowed(frame, spec).drop(columns="age")


def a_column_is_replaced(frame: pd.DataFrame, spec: ProjectSpec) -> pd.DataFrame:
    write(spec, "columns: {", "columns: {drop: [age], allow: [years], ")
    return frame.assign(years=frame["age"] + 0.5).drop(columns="age")


EDITS = [
    a_text_is_the_id,
    a_counter_is_the_id,
    a_new_column_is_the_id,
    a_number_is_a_text,
    a_column_is_not_allowed,
    a_column_is_gone,
    a_column_is_replaced,
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda one: one.__name__)
def test_rows_keep_their_sides_and_names(tmp_path: Path, workspace: Workspace, edit: Edit) -> None:
    spec, frame = project(tmp_path), longer()
    before = split(run(frame.head(ROWS), spec, workspace).accepted, None, spec, workspace)
    held, names = load_assignment(before, workspace) == -1, load_array(before.row_digests, workspace)
    frame = edit(frame, spec)
    spec = load_spec(spec.path)
    dataset = run(frame, spec, workspace).accepted

    unseen = split_unseen(dataset, (_fitted(names[~held], workspace),), spec, workspace)
    assert np.array_equal(load_assignment(unseen, workspace) == -1, [*held, *[True] * NEW])

    after = split(dataset, None, spec, workspace)
    assert np.array_equal(load_array(after.row_digests, workspace)[:ROWS], names)
    assert np.array_equal(load_assignment(after, workspace)[:ROWS] == -1, held)

    later = split(run(frame.iloc[::-1], spec, workspace).accepted, None, spec, workspace)
    assert np.array_equal(load_array(later.row_digests, workspace), load_array(after.row_digests, workspace)[::-1])
    assert np.array_equal(load_assignment(later, workspace)[::-1] == -1, load_assignment(after, workspace) == -1)


def test_an_edit_that_is_taken_back_leaves_what_trained_meanwhile_in_training(
    tmp_path: Path, workspace: Workspace
) -> None:
    spec, frame = project(tmp_path), longer()
    split(run(frame.head(ROWS), spec, workspace).accepted, None, spec, workspace)
    edited = spec.model_copy(update={"id": "number"})
    meanwhile = split(run(frame.tail(ROWS), edited, workspace).accepted, None, edited, workspace)
    trained = load_assignment(meanwhile, workspace) != -1
    back = split(run(frame, spec, workspace).accepted, None, spec, workspace)
    assert (load_assignment(back, workspace)[NEW:][trained] != -1).all()


def test_rows_that_an_id_joins_train_if_one_of_them_has_trained(tmp_path: Path, workspace: Workspace) -> None:
    spec, frame = project(tmp_path), longer().assign(household=lambda frame: frame["number"] // 4)
    before = split(run(frame, spec, workspace).accepted, None, spec, workspace)
    held = pd.Series(load_assignment(before, workspace) == -1)
    spec = spec.model_copy(update={"id": "household"})
    after = split(run(frame, spec, workspace).accepted, None, spec, workspace)
    together = held.groupby(frame["household"]).transform("all")
    assert np.array_equal(load_assignment(after, workspace) == -1, together)
    assert len(np.unique(load_array(after.groups, workspace))) == frame["household"].nunique()


def test_other_rows_do_not_get_names_by_a_column_of_few_levels(tmp_path: Path, workspace: Workspace) -> None:
    spec, random = project(tmp_path), np.random.default_rng(0)
    frame = table()[["age", "fee", "plan", "churned"]]
    before = split(keep_table(frame, spec.name, "first", workspace), None, spec, workspace)
    others = frame[["plan", "churned"]].assign(visits=random.normal(size=ROWS), spent=random.normal(size=ROWS))
    after = split(keep_table(others, spec.name, "second", workspace), None, spec, workspace)
    names = [load_array(made.row_digests, workspace) for made in (before, after)]
    assert not np.isin(names[1], names[0]).any()


def test_a_project_without_a_rule_yet_reads_the_newest_table_alone_if_it_has_todays_names(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, frame = project(tmp_path), longer()
    for part in (frame.head(ROWS), frame.tail(ROWS)):
        newest = split(run(part, spec, workspace).accepted, None, spec, workspace)
    monkeypatch.setattr(naming, "KEY", "not kept yet")
    dataset = run(frame, spec, workspace).accepted
    load = Mock(side_effect=frames.load_table)
    monkeypatch.setattr(frames, "load_table", load)
    after = split(dataset, None, spec, workspace)
    assert np.array_equal(load_array(after.row_digests, workspace)[NEW:], load_array(newest.row_digests, workspace))
    [(digest, _, columns)] = [call.args for call in load.call_args_list if call.args[0] != dataset.digest]
    assert digest == newest.dataset
    assert "number" not in columns


def _fitted(names: np.ndarray, workspace: Workspace) -> FittedModel:
    signature = Signature("churn", "binary", "churned", Decoding(()))
    rows = save_array(np.sort(names), workspace)
    return FittedModel("churn", "m", "d", "p", "linear", {}, signature, rows, "", "none", 0.0)
