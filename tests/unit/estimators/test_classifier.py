import pickle
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from penstock.errors import ModelError, NotFound, SpecError
from penstock.estimators import PenstockClassifier
from tests.unit.estimators.conftest import QUICK, Mixed


def test_it_learns_from_a_frame_of_mixed_types(learnt: PenstockClassifier, mixed: Mixed) -> None:
    frame, target = mixed
    probabilities = learnt.predict_proba(frame)
    assert learnt.classes_.tolist() == ["no", "yes"]
    assert probabilities.shape == (240, 2)
    assert np.allclose(probabilities.sum(axis=1), 1.0)
    assert roc_auc_score(target == "yes", probabilities[:, 1]) > 0.9
    assert set(learnt.predict(frame)) == {"no", "yes"}


def test_the_leaderboard_shows_the_chosen_trial_first(learnt: PenstockClassifier) -> None:
    first = learnt.leaderboard_.to_dict("records")[0]
    assert first["chosen"]
    assert first["family"] == "linear"
    assert first["roc_auc"] > 0.85
    assert set(learnt.leaderboard_["family"]) == {"baseline", "linear"}


def test_the_plan_says_why_for_each_column(learnt: PenstockClassifier) -> None:
    plan = learnt.feature_plan_.set_index("column").to_dict("index")
    assert plan["colour"]["treatment"] == "category"
    assert plan["since"]["type"] == "date"
    assert plan["nothing"]["treatment"] == "dropped"
    assert all(column["reason"].endswith(".") for column in plan.values())


def test_every_row_is_searched_on_and_scored_by_models_that_have_not_seen_it(learnt: PenstockClassifier) -> None:
    score = learnt.leaderboard_.set_index("family")["roc_auc"].to_dict()["linear"]
    assert 0.8 < score < 0.999


def test_the_best_is_a_plain_estimator_that_fits_again_without_a_search(
    learnt: PenstockClassifier, mixed: Mixed
) -> None:
    best = learnt.best_estimator_
    assert isinstance(best, BaseEstimator)
    assert np.array_equal(best.predict_proba(mixed[0]), learnt.predict_proba(mixed[0]))
    again = clone(best).fit(*mixed)
    assert np.allclose(again.predict_proba(mixed[0]), learnt.predict_proba(mixed[0]), atol=1e-6)


def test_it_pickles_with_what_it_learnt(learnt: PenstockClassifier, mixed: Mixed) -> None:
    copy = pickle.loads(pickle.dumps(learnt))  # noqa: S301  written by the same line
    assert np.array_equal(copy.predict_proba(mixed[0]), learnt.predict_proba(mixed[0]))


def test_its_graph_says_what_it_says(learnt: PenstockClassifier, mixed: Mixed, tmp_path: Path) -> None:
    path = learnt.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    scores = session.run(None, learnt.onnx_inputs(mixed[0]))[0]
    assert np.abs(scores - learnt.predict_proba(mixed[0])).max() < 1e-5


def test_a_row_alone_is_answered_as_it_is_in_company(learnt: PenstockClassifier, mixed: Mixed) -> None:
    frame = mixed[0]
    together = learnt.predict_proba(frame)
    for place in (0, 3, 20):
        assert np.allclose(learnt.predict_proba(frame.iloc[[place]]), together[[place]], atol=1e-9)


def test_unseen_levels_and_other_types_of_the_same_values_are_answered(
    learnt: PenstockClassifier, mixed: Mixed
) -> None:
    frame = mixed[0].iloc[:20].copy()
    frame["colour"] = "violet"
    frame["member"] = frame["member"].astype(int)
    frame["age"] = frame["age"].astype(float)
    frame["size"] = frame["size"].astype(str)
    frame["income"] = np.inf
    assert np.isfinite(learnt.predict_proba(frame)).all()


def test_a_column_of_dates_that_holds_numbers_is_refused(learnt: PenstockClassifier, mixed: Mixed) -> None:
    frame = mixed[0].assign(since=3.5)
    with pytest.raises(Exception, match="'since' must hold values of type date"):
        learnt.predict(frame)


def test_it_works_in_cross_validation_and_in_a_pipeline(mixed: Mixed) -> None:
    frame, target = mixed
    pipeline = make_pipeline(
        FunctionTransformer(lambda table: table.drop(columns="nothing")), PenstockClassifier(**QUICK)
    )
    scores = cross_val_score(pipeline, frame, target == "yes", cv=2, scoring="roc_auc")
    assert scores.min() > 0.8


def test_it_can_be_cloned_with_every_setting() -> None:
    settings = {**QUICK, "metric": "f1", "limits": {"parameters": 500}, "costs": {"false_negative": 5}}
    settings |= {"n_jobs": 1, "deterministic": True, "memory_gb": 2, "verbose": False}
    estimator = PenstockClassifier(**settings)
    assert clone(estimator).get_params() == estimator.get_params()


def test_three_classes_of_numbers_in_an_array_are_learnt() -> None:
    draw = np.random.default_rng(1)
    x = draw.normal(size=(150, 3))
    y = np.digitize(x[:, 0], [-0.5, 0.5]) * 10
    model = PenstockClassifier(**QUICK).fit(x, y)
    assert model.metric_ == "log_loss"
    assert model.classes_.tolist() == [0, 10, 20]
    assert model.score(x, y) > 0.8


def test_a_number_in_a_column_of_objects_is_a_number() -> None:
    x = np.array([["a", 1], ["b", 2]] * 40, dtype=object)
    model = PenstockClassifier(**QUICK).fit(x, np.arange(80) % 2)
    assert model.feature_plan_["type"].tolist() == ["string", "number"]
    assert model.score(x, np.arange(80) % 2) == 1.0


def test_costs_decide_what_a_row_is_called(mixed: Mixed) -> None:
    frame, target = mixed
    dear = PenstockClassifier(**QUICK, costs={"false_negative": 20}).fit(frame, target)
    assert dear.metric_ == "cost"
    assert dear.best_estimator_.threshold == pytest.approx(1 / 21)
    assert (dear.predict(frame) == "yes").sum() > (target == "yes").sum()


def test_rows_of_a_group_stay_together_and_the_group_is_no_feature(mixed: Mixed) -> None:
    frame, target = mixed
    people = frame.assign(person=[f"p{row // 4}" for row in range(len(frame))])
    model = PenstockClassifier(**QUICK).fit(people, target, groups="person")
    plan = model.feature_plan_.set_index("column").to_dict("index")["person"]
    assert plan["treatment"] == "dropped"
    assert "belong together" in plan["reason"]


@pytest.mark.parametrize("groups", [["one"] * 240, None])
def test_groups_that_leave_nothing_to_judge_by_are_refused(mixed: Mixed, groups: list[str] | None) -> None:
    frame, target = mixed
    with pytest.raises(ValueError, match="Give `groups` with more values, or none"):
        PenstockClassifier(**QUICK).fit(frame, target, groups=target if groups is None else groups)


def test_a_feature_may_be_named_target(mixed: Mixed) -> None:
    model = PenstockClassifier(**QUICK).fit(mixed[0].rename(columns={"age": "target"}), mixed[1])
    assert "target" in model.feature_plan_["column"].tolist()


def test_whole_numbers_beyond_64_bits_are_learnt_from() -> None:
    frame = pd.DataFrame({"wei": [place * 10**20 for place in range(1, 60)] + [None]})
    target = np.arange(60) >= 30
    model = PenstockClassifier(**QUICK).fit(frame, target)
    assert model.feature_plan_["type"].tolist() == ["number"]
    assert model.score(frame, target) > 0.9


def test_time_orders_the_folds(mixed: Mixed) -> None:
    frame, target = mixed
    model = PenstockClassifier(**QUICK).fit(frame, target, time="since")
    assert model.leaderboard_["family"].tolist()[0] == "linear"
    given = PenstockClassifier(**QUICK).fit(frame.drop(columns="since"), target, time=frame["since"])
    assert given.leaderboard_["family"].tolist()[0] == "linear"


def test_the_same_seed_and_trials_give_the_same_model(learnt: PenstockClassifier, mixed: Mixed) -> None:
    again = PenstockClassifier(**QUICK).fit(*mixed)
    assert np.array_equal(again.predict_proba(mixed[0]), learnt.predict_proba(mixed[0]))


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"families": ["forst"]}, NotFound, "No model family is named 'forst'"),
        ({"metric": "rmse"}, ModelError, "The metric of a binary problem must be one of"),
        ({"metric": "auc"}, NotFound, "No metric is named 'auc'"),
        ({"limits": {"latency": 1}}, SpecError, "`limits` must name"),
        ({"deterministic": True, "trials": None}, SpecError, "`deterministic` must have `trials`"),
    ],
)
def test_a_setting_that_there_is_not_is_refused(
    settings: dict[str, object], error: type[Exception], said: str, mixed: Mixed
) -> None:
    with pytest.raises(error, match=said):
        PenstockClassifier(**{**QUICK, **settings}).fit(*mixed)


def test_columns_without_two_values_are_refused_with_the_reasons() -> None:
    frame = pd.DataFrame({"same": [1.0] * 30, "none": [np.nan] * 30})
    with pytest.raises(ValueError, match="same: It has the same value in every training row"):
        PenstockClassifier(**QUICK).fit(frame, np.arange(30) % 2)


def test_progress_is_shown_when_asked_for(mixed: Mixed, capsys: pytest.CaptureFixture[str]) -> None:
    PenstockClassifier(**QUICK, verbose=True).fit(*mixed)
    assert "2 trials in" in capsys.readouterr().err
    PenstockClassifier(**QUICK).fit(*mixed)
    assert not capsys.readouterr().err
