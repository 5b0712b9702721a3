"""What a search chose, as scikit-learn estimators: they predict, and fit the same choice again without a search."""

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from penstock.domain.search import Value
from penstock.evaluation import metrics
from penstock.features.pipeline import Pipeline, build_pipeline
from penstock.models._base import BuildContext
from penstock.search.fitting import TrainedModel
from penstock.search.model.blend import Blend, Member, Part
from penstock.search.model.calibration import Calibrator
from penstock.tabular import checking
from penstock.tabular.folds import need_rows
from penstock.tabular.learning import Table, choose_families, decode, describe, plan_table
from penstock.tabular.tables import Columns, learn_columns

Ingredient = tuple[str, float, dict[str, Value]]  # a family, its weight, its parameters


class _Chosen(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """One candidate, or a weighted mean of several; fitted by a search, or by `fit` on all rows."""

    def __init__(
        self,
        members: tuple[Ingredient, ...] = (("linear", 1.0, {}),),
        calibration: tuple[float, float] = (1.0, 0.0),
        random_state: int = 0,
    ) -> None:
        self.members = members
        self.calibration = calibration
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        return checking.with_gaps(super().__sklearn_tags__())

    def _fit(self, table: Table, columns: Columns) -> Self:
        """Fit each member on all rows."""
        need_rows(table.frame)
        plan = plan_table(table)
        numbers, texts = decode(table.frame, plan)
        families = choose_families(tuple(name for name, _, _ in self.members))
        pipelines: dict[str, Pipeline] = {}
        encoded: dict[str, NDArray[np.float32]] = {}
        members = []
        for name, weight, parameters in self.members:
            family = families[name]
            if family.flavour not in pipelines:
                made = build_pipeline(plan.columns, family.flavour, len(table.classes), self.random_state)
                encoded[family.flavour] = made.fit_transform(numbers, texts, table.target)
                pipelines[family.flavour] = made
            pipeline, x = pipelines[family.flavour], encoded[family.flavour]
            context = BuildContext(
                table.problem, len(table.classes), self.random_state, categorical=pipeline.categorical
            )
            values = {**family.default(table.problem, *x.shape), **parameters}
            estimator = family.build(values, context).fit(x, table.target)
            members.append(Member(family, weight, (Part(pipeline, estimator),)))
        blend = Blend(tuple(members))
        calibrator = Calibrator(*self.calibration, len(table.classes), "as the search found it")
        self.model_ = TrainedModel(describe(table, plan), plan, blend, calibrator)
        self.columns_ = columns
        return self

    def adopt(self, model: TrainedModel, columns: Columns, searched: Any) -> Self:
        """Take over what a search fitted, and what it knows of the columns; returns itself."""
        self.model_ = model
        self.columns_ = columns
        self.n_features_in_ = searched.n_features_in_
        if hasattr(searched, "feature_names_in_"):
            self.feature_names_in_ = searched.feature_names_in_
        return self

    def _raw(self, X: Any) -> NDArray[np.float64]:  # noqa: N803  scikit-learn's name
        check_is_fitted(self, "model_")
        return self.model_.predict(self.columns_.conform(checking.features(self, X, reset=False)))

    def onnx_inputs(self, X: Any) -> dict[str, NDArray[Any]]:  # noqa: N803
        """Return what the graph of `to_onnx` takes for some rows: `numbers`, float32, and `texts`, a row each."""
        check_is_fitted(self, "model_")
        columns = self.columns_.conform(checking.features(self, X, reset=False))
        numbers, texts = decode(columns, self.model_.plan)
        given = {"numbers": numbers, "texts": texts}
        return {name: array for name, array in given.items() if array.shape[1]}

    def to_onnx(self, path: str | Path) -> Path:
        """Write the model as an ONNX graph, from decoded columns to predictions.

        Parameters
        ----------
        path
            The file to write.

        Returns
        -------
        Path
            The file. Its inputs are those of `onnx_inputs`, its output `scores` are probabilities in the order of
            `classes_`, shape (n_rows, n_classes), float32, or values of shape (n_rows, 1), float64.

        Raises
        ------
        ModelError
            If a family cannot be exported; the message says why.
        """
        check_is_fitted(self, "model_")
        target = Path(path)
        target.write_bytes(self.model_.to_onnx())
        return target


class ChosenClassifier(ClassifierMixin, _Chosen):  # type: ignore[misc]  # scikit-learn has no types
    """The choice of a `PenstockClassifier`.

    Parameters
    ----------
    members
        For each member its family, its weight and its parameters; weights sum to 1.
    calibration
        Slope and shift of the log odds.
    random_state
        Seeds the fit.
    threshold
        From which probability of the second of two classes on a row is called it; None: the more probable class.
    costs
        What a row of class i called j costs, shape (n_classes, n_classes): the class of least expected cost is called.

    Attributes
    ----------
    classes_
        The classes in the order of the probabilities.
    model_
        Everything from a table's columns to calibrated predictions.
    """

    def __init__(
        self,
        members: tuple[Ingredient, ...] = (("linear", 1.0, {}),),
        calibration: tuple[float, float] = (1.0, 0.0),
        random_state: int = 0,
        threshold: float | None = None,
        costs: tuple[tuple[float, ...], ...] | None = None,
    ) -> None:
        super().__init__(members, calibration, random_state)
        self.threshold = threshold
        self.costs = costs

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Fit the same choice on all rows, without a search; returns itself.

        Parameters
        ----------
        X
            A data frame or an array, shape (n_rows, n_columns).
        y
            The class of each row, shape (n_rows,).
        """
        raw, target = checking.features(self, X, y, reset=True), checking.target(y)
        self.classes_, codes = checking.classes_of(target, len(raw))
        with checking.refusals():
            frame, columns = learn_columns(raw)
            return self._fit(checking.classification(frame, codes, self.classes_), columns)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return the probability of each class, shape (n_rows, n_classes)."""
        return self._raw(X)

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return the class of each row, shape (n_rows,)."""
        probabilities = self._raw(X)
        costs = None if self.costs is None else np.asarray(self.costs, np.float64)
        called = metrics.chosen(probabilities, metrics.Choosing(self.threshold, costs))
        classes: NDArray[Any] = self.classes_[called]
        return classes


class ChosenRegressor(RegressorMixin, _Chosen):  # type: ignore[misc]  # scikit-learn has no types
    """The choice of a `PenstockRegressor`.

    Parameters
    ----------
    members
        For each member its family, its weight and its parameters; weights sum to 1.
    calibration
        Without a meaning for values.
    random_state
        Seeds the fit.

    Attributes
    ----------
    model_
        Everything from a table's columns to predictions.
    """

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Fit the same choice on all rows, without a search; returns itself.

        Parameters
        ----------
        X
            A data frame or an array, shape (n_rows, n_columns).
        y
            The value of each row, shape (n_rows,).
        """
        raw, target = checking.features(self, X, y, reset=True), checking.values(y)
        checking.same_length(raw, target)
        with checking.refusals():
            frame, columns = learn_columns(raw)
            return self._fit(Table(frame, target, "regression"), columns)

    def predict(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return the value of each row, shape (n_rows,)."""
        return self._raw(X)
