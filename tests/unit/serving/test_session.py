"""A bundle's files as one object that answers rows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from penstock.data.decoding import RowErrors
from penstock.domain.models import Widths, class_name
from penstock.errors import ModelError
from penstock.serving.session import SIGNATURE, LoadedBundle
from tests.unit.serving.stand_in import ROW, write_bundle

NO_NUMBERS = np.empty((200, 0), np.float32)


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedBundle:
    return LoadedBundle.open(write_bundle(tmp_path / "bundle"))


def test_a_class_is_answered_with_label_score_and_probabilities(loaded: LoadedBundle) -> None:
    one = loaded.predict_rows([ROW])[0]
    assert one["label"] == "yes"
    assert one["score"] == one["probabilities"]["yes"] == pytest.approx(1 / (1 + np.exp(-2.30025)), abs=1e-6)
    assert sum(one["probabilities"].values()) == pytest.approx(1)


def test_the_score_is_that_of_the_positive_class_whatever_the_label(loaded: LoadedBundle) -> None:
    one = loaded.predict_rows([{"age": -100}])[0]
    assert one["label"] == "no"
    assert one["score"] == one["probabilities"]["yes"]


def test_the_threshold_decides_the_label(loaded: LoadedBundle) -> None:
    strict = replace(loaded, signature=replace(loaded.signature, threshold=0.99))
    assert [strict.predict_rows([ROW])[0]["label"], loaded.predict_rows([ROW])[0]["label"]] == ["no", "yes"]


def test_without_a_positive_class_the_most_probable_one_is_the_label(loaded: LoadedBundle) -> None:
    plain = replace(loaded, signature=replace(loaded.signature, positive=None, threshold=None))
    one = plain.predict_rows([{"age": -100}])[0]
    assert one["label"] == "no"
    assert one["score"] == one["probabilities"]["no"]


def test_costs_make_the_label_the_class_of_least_expected_cost(loaded: LoadedBundle) -> None:
    signature = replace(loaded.signature, positive=None, threshold=None, costs=((0.0, 1.0), (10.0, 0.0)))
    answers = replace(loaded, signature=signature).answers(
        np.array([[0.95, 0.05], [0.8, 0.2]], np.float32), NO_NUMBERS[:2]
    )
    assert [(answer["label"], answer["score"]) for answer in answers] == [
        ("no", pytest.approx(0.95)),
        ("yes", pytest.approx(0.2)),
    ]


@pytest.mark.parametrize("positive", [None, 0, 1])
def test_one_row_and_a_table_get_the_same_labels(loaded: LoadedBundle, positive: int | None) -> None:
    signature = replace(loaded.signature, positive=positive, threshold=None if positive is None else 0.3)
    other = replace(loaded, signature=signature)
    high = np.append(np.linspace(0, 1, 101), np.float32(0.3)).astype(np.float32)
    scores = np.column_stack([1 - high, high])
    assert [answer["label"] for answer in other.answers(scores, NO_NUMBERS[: len(scores)])] == [
        signature.classes[code] for code in other.chosen(scores)
    ]


def test_a_regression_is_answered_with_its_interval(tmp_path: Path) -> None:
    loaded = LoadedBundle.open(write_bundle(tmp_path / "bundle", "regression"))
    one = loaded.predict_rows([ROW])[0]
    assert one == {"value": pytest.approx(2.30025), "low": one["value"] - 2, "high": one["value"] + 2}


def test_an_interval_ends_at_zero_where_the_target_was_never_negative(tmp_path: Path) -> None:
    loaded = LoadedBundle.open(write_bundle(tmp_path / "bundle", "regression"))
    counted = replace(loaded, signature=replace(loaded.signature, never_negative=True))
    assert [counted.ends(value, [])[0] for value in (1.0, 3.0, -0.5)] == [0.0, 1.0, -0.5]
    assert [loaded.ends(value, [])[0] for value in (1.0, 3.0)] == [-1.0, 1.0]


def test_intervals_go_by_the_row_where_the_signature_says_so(tmp_path: Path) -> None:
    loaded = LoadedBundle.open(write_bundle(tmp_path / "bundle", "regression"))
    older = Widths((0, -1, -1), (39.0, 0.0, 0.0), (1, -1, -1), (2, -1, -1), (True, False, False), (0.0, 1.0, 7.0))
    apart = replace(loaded, signature=replace(loaded.signature, widths=older))
    answers = apart.predict_rows([ROW, ROW | {"age": 20}])
    assert [answer["high"] - answer["value"] for answer in answers] == pytest.approx([7.0, 1.0])
    assert msgspec.json.decode(msgspec.json.encode(older), type=Widths) == older


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_version_whose_scores_are_no_numbers_has_failed(loaded: LoadedBundle, tmp_path: Path, bad: float) -> None:
    with pytest.raises(ModelError, match="must be finite numbers"):
        loaded.answers(np.array([[0.25, 0.75], [bad, 0.5]], np.float32), NO_NUMBERS[:2])
    regression = LoadedBundle.open(write_bundle(tmp_path / "bundle", "regression"))
    with pytest.raises(ModelError, match="must be finite numbers"):
        regression.answers(np.array([[bad]], np.float32), NO_NUMBERS[:1])


def test_a_regression_without_an_interval_is_no_bundle(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", "regression")
    text = (folder / SIGNATURE).read_text()
    (folder / SIGNATURE).write_text(text.replace('"half_width":2.0', '"half_width":null'))
    with pytest.raises(ModelError, match="half width of its interval"):
        LoadedBundle.open(folder)


def test_rows_and_columns_get_the_same_answers(loaded: LoadedBundle) -> None:
    rows: list[dict[str, Any]] = [ROW, {"age": 1, "income": None, "plan": None}, {"age": 2}]
    columns = {
        "age": np.array([40, 1, 2]),
        "income": np.array([1000.5, np.nan, np.nan]),
        "plan": np.array(["gold", None, None], object),
    }
    assert loaded.predict_rows(rows) == loaded.answer_columns(columns)


def test_a_row_that_does_not_fit_is_refused(loaded: LoadedBundle) -> None:
    with pytest.raises(RowErrors) as refused:
        loaded.predict_rows([ROW, {"age": "forty"}])
    assert refused.value.details == [{"row": 1, "column": "age", "must": "be a number", "found": '"forty"'}]


def test_files_that_are_no_bundle_are_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle")
    (folder / "graph.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match="must hold a graph"):
        LoadedBundle.open(folder)


@pytest.mark.parametrize(("value", "name"), [(True, "true"), (1, "1"), (1.0, "1"), (2.5, "2.5"), ("a b", "a b")])
def test_classes_have_names(value: str | int | float | bool, name: str) -> None:
    assert class_name(value) == name
