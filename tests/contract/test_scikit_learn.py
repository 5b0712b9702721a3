"""What scikit-learn asks of every estimator, asked of ours."""

from typing import Any

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import check_estimator

from penstock.estimators import PenstockClassifier, PenstockRegressor
from penstock.tabular.chosen import ChosenClassifier, ChosenRegressor

QUICK: dict[str, Any] = {"seconds": 30, "trials": 2, "families": ["linear"], "random_state": 0}
SKIPPED = {"check_array_api_input"}  # scikit-learn skips it where its own switch for other arrays is off


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(
    "estimator",
    [PenstockClassifier(**QUICK), PenstockRegressor(**QUICK), ChosenClassifier(), ChosenRegressor()],
    ids=lambda estimator: type(estimator).__name__,
)
def test_an_estimator_passes_every_check_of_scikit_learn(estimator: BaseEstimator) -> None:
    checks = check_estimator(estimator, on_skip=None)
    assert {check["check_name"] for check in checks if check["status"] != "passed"} <= SKIPPED
