"""The library for a notebook: a search as a scikit-learn estimator, without a server, a project or a workspace.

>>> from penstock.estimators import PenstockClassifier
>>> model = PenstockClassifier(seconds=60, metric="roc_auc")
>>> model.get_params()["seconds"]
60
"""

from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin

from penstock.tabular import checking
from penstock.tabular.chosen import ChosenClassifier, ChosenRegressor
from penstock.tabular.learning import Table
from penstock.tabular.searched import Searched

HALF = 0.5  # a threshold that says no more than which class is the more probable


class PenstockClassifier(ClassifierMixin, Searched):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier that searches for the best model of two or more classes within a budget.

    Parameters
    ----------
    seconds
        The budget, from the start of the search to the fitted model.
    metric
        What is searched for: roc_auc, average_precision, log_loss, accuracy, f1 or cost. None: roc_auc for two
        classes, log_loss for more, cost with `costs`.
    families
        Names of model families; None: all that there are. A baseline is always tried.
    limits
        Hard limits by name, such as `latency_ms`, `size_mb`, `parameters`: what is over one does not win.
    random_state
        Seeds folds, samples and fits.
    trials
        The most trials, the baseline among them; None: as many as there is time for.
    costs
        `false_negative` and `false_positive` (the second of two classes is the positive one), or for each class what
        each wrong one costs.
    memory_gb
        The most memory of all trials together; None: what the machine has free.
    n_jobs
        The most trials at once; None: as the machine allows.
    deterministic
        Whether time decides nothing: trials go in fixed rounds until `trials` are done; the same seed then gives the
        same model on the same machine.
    verbose
        Whether progress is shown; "auto": in a notebook or a terminal.

    Attributes
    ----------
    classes_
        The classes, in the order of the probabilities.
    best_estimator_
        The model as a plain scikit-learn estimator: it predicts, pickles, and fits the same choice without a search.
    leaderboard_
        Every trial with its out-of-fold score, the chosen one first, as a data frame.
    feature_plan_
        What is done to each column, and why, as a data frame.
    reasons_
        What was passed over, and why.
    """

    def fit(self, X: Any, y: Any, groups: Any = None, time: Any = None) -> Self:  # noqa: N803
        """Search on all rows and keep the best; returns itself.

        Parameters
        ----------
        X
            A data frame with columns of any types, or an array, shape (n_rows, n_columns). Values may be missing.
        y
            The class of each row, shape (n_rows,).
        groups
            Which rows belong together: shape (n_rows,), or the name of a column, which is then no feature. Rows without
            a value belong to those with the same features.
        time
            When each row is from: shape (n_rows,), or the name of a column. Models are then judged on newer rows, of
            groups that they may have seen: blocks of time alone make the folds.

        Raises
        ------
        ValueError
            If there is too little to learn from, or too few groups.
        ModelError
            If no trial finished within the budget.
        NotFound
            If a family or a metric is named that there is not.
        """
        raw, target = checking.features(self, X, y, reset=True), checking.target(y)
        classes, codes = checking.classes_of(target, len(raw))
        with checking.refusals():
            frame, columns, known = self._read(raw, groups, time)
            learnt = self._search(replace(checking.classification(frame, codes, classes), **known))
        self.classes_ = classes
        signature = learnt.model.signature
        best = ChosenClassifier(
            members=learnt.found.members,
            calibration=(learnt.model.calibrator.slope, learnt.model.calibrator.shift),
            random_state=self.seed_,
            threshold=None if signature.threshold == HALF else signature.threshold,
            costs=signature.costs or None,
        )
        best.classes_ = classes
        self.best_estimator_ = best.adopt(learnt.model, columns, self)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return the probability of each class.

        Parameters
        ----------
        X
            A data frame or an array with the columns that were learnt from, shape (n_rows, n_columns).

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            Calibrated; columns in the order of `classes_`.
        """
        probabilities: NDArray[np.float64] = self._best().predict_proba(X)
        return probabilities


class PenstockRegressor(RegressorMixin, Searched):  # type: ignore[misc]  # scikit-learn has no types
    """A regressor that searches for the best model of a number within a budget.

    Parameters
    ----------
    seconds
        The budget, from the start of the search to the fitted model.
    metric
        What is searched for: rmse, mae or r2. None: rmse.
    families
        Names of model families; None: all that there are. A baseline is always tried.
    limits
        Hard limits by name, such as `latency_ms`, `size_mb`, `parameters`: what is over one does not win.
    random_state
        Seeds folds, samples and fits.
    trials
        The most trials, the baseline among them; None: as many as there is time for.
    costs
        Without a meaning for values.
    memory_gb
        The most memory of all trials together; None: what the machine has free.
    n_jobs
        The most trials at once; None: as the machine allows.
    deterministic
        Whether time decides nothing: trials go in fixed rounds until `trials` are done; the same seed then gives the
        same model on the same machine.
    verbose
        Whether progress is shown; "auto": in a notebook or a terminal.

    Attributes
    ----------
    best_estimator_
        The model as a plain scikit-learn estimator: it predicts, pickles, and fits the same choice without a search.
    leaderboard_
        Every trial with its out-of-fold score, the chosen one first, as a data frame.
    feature_plan_
        What is done to each column, and why, as a data frame.
    reasons_
        What was passed over, and why.
    """

    def fit(self, X: Any, y: Any, groups: Any = None, time: Any = None) -> Self:  # noqa: N803
        """Search on all rows and keep the best; returns itself.

        Parameters
        ----------
        X
            A data frame with columns of any types, or an array, shape (n_rows, n_columns). Values may be missing.
        y
            The value of each row, shape (n_rows,).
        groups
            Which rows belong together: shape (n_rows,), or the name of a column, which is then no feature. Rows without
            a value belong to those with the same features.
        time
            When each row is from: shape (n_rows,), or the name of a column. Models are then judged on newer rows, of
            groups that they may have seen: blocks of time alone make the folds.

        Raises
        ------
        ValueError
            If there is too little to learn from, or too few groups.
        ModelError
            If no trial finished within the budget.
        NotFound
            If a family or a metric is named that there is not.
        """
        raw, target = checking.features(self, X, y, reset=True), checking.values(y)
        checking.same_length(raw, target)
        with checking.refusals():
            frame, columns, known = self._read(raw, groups, time)
            learnt = self._search(Table(frame, target, "regression", **known))
        best = ChosenRegressor(members=learnt.found.members, random_state=self.seed_)
        self.best_estimator_ = best.adopt(learnt.model, columns, self)
        return self
