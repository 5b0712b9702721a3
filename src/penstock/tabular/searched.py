"""What the two estimators that search have in common: their settings, their search, and what they tell of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from penstock.domain.search import Budget, SearchSettings
from penstock.errors import SpecError
from penstock.evaluation import metrics
from penstock.search.work import Hooks
from penstock.spec import Limits
from penstock.tabular import checking, telling
from penstock.tabular.learning import Learnt, Table, Wanted, learn
from penstock.tabular.tables import Columns, as_column, learn_columns

LARGEST_SEED = 2**31 - 1


class Searched(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A search within a budget; every row is searched on, and what is chosen is chosen by out-of-fold predictions."""

    best_estimator_: Any

    def __init__(  # noqa: PLR0913  scikit-learn's way: every setting is an argument
        self,
        seconds: float = 60,
        metric: str | None = None,
        families: Sequence[str] | None = None,
        limits: Mapping[str, float] | None = None,
        random_state: int | RandomState | None = None,
        *,
        trials: int | None = None,
        costs: Mapping[str, Any] | None = None,
        memory_gb: float | None = None,
        n_jobs: int | None = None,
        deterministic: bool = False,
        verbose: telling.Verbosity = "auto",
    ) -> None:
        self.seconds = seconds
        self.metric = metric
        self.families = families
        self.limits = limits
        self.random_state = random_state
        self.trials = trials
        self.costs = costs
        self.memory_gb = memory_gb
        self.n_jobs = n_jobs
        self.deterministic = deterministic
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        return checking.with_gaps(super().__sklearn_tags__())

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803  scikit-learn's name
        """Return the class or the value of each row.

        Parameters
        ----------
        X
            A data frame or an array with the columns that were learnt from, shape (n_rows, n_columns).

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        answers: NDArray[Any] = self._best().predict(X)
        return answers

    def to_onnx(self, path: str | Path) -> Path:
        """Write the model as an ONNX graph.

        Parameters
        ----------
        path
            The file to write.

        Returns
        -------
        Path
            The file. It takes what `onnx_inputs` returns; its output `scores` are probabilities in the order of
            `classes_`, shape (n_rows, n_classes), or values, shape (n_rows, 1), float32.

        Raises
        ------
        ModelError
            If a family cannot be exported; the message says why.
        """
        return Path(self._best().to_onnx(path))

    def onnx_inputs(self, X: Any) -> dict[str, NDArray[Any]]:  # noqa: N803
        """Return what the graph of `to_onnx` takes for some rows, by the name of the input."""
        given: dict[str, NDArray[Any]] = self._best().onnx_inputs(X)
        return given

    def _best(self) -> Any:
        """Return the model that was found.

        Raises
        ------
        NotFittedError
            If there was no search.
        """
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_

    def _search(self, table: Table) -> Learnt:
        """Search, and note what came of it."""
        metric = metrics.find_metric(self._metric(table), table.problem).name
        if self.deterministic and self.trials is None:
            raise SpecError("`deterministic` must have `trials`, which then end the search, but there are none.")
        self.seed_ = self._draw_seed()
        wanted = Wanted(
            settings=SearchSettings(
                metric=metric,
                budget=Budget(float(self.seconds), self.trials, self.memory_gb),
                limits=_limits(self.limits),
                seed=self.seed_,
                deterministic=self.deterministic,
            ),
            families=None if self.families is None else tuple(self.families),
            slots=self.n_jobs if self.n_jobs is None or self.n_jobs > 0 else None,
            costs=dict(self.costs or {}),
        )
        teller = telling.teller(metric, self.verbose)
        learnt = learn(table, wanted, Hooks(progress=teller))
        teller.end(learnt.found)
        self.metric_ = metric
        self.leaderboard_ = telling.leaderboard(learnt.found, metric)
        self.feature_plan_ = telling.plan_table(learnt.plan)
        self.reasons_ = learnt.found.reasons
        return learnt

    def _metric(self, table: Table) -> str:
        if self.costs and self.metric is None:
            return "cost"
        return self.metric or metrics.default_metric(table.problem)

    def _draw_seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(LARGEST_SEED))

    def _read(self, raw: Any, groups: Any, time: Any) -> tuple[pd.DataFrame, Columns, dict[str, Any]]:
        """Return features in canonical types, what the columns are, and what orders and joins rows."""
        frame, columns = learn_columns(raw)
        known: dict[str, Any] = {}
        for name, given in (("group", groups), ("time", time)):
            if given is not None:
                known[f"{name}s"] = as_column(given, frame, name)
                known[f"{name}_column"] = given if isinstance(given, str) else None
        return frame, columns, known


def _limits(limits: Mapping[str, float] | None) -> dict[str, float]:
    """Return hard limits that there are.

    Raises
    ------
    SpecError
        If one has another name.
    """
    known = sorted(Limits.model_fields)
    unknown = sorted(set(limits or {}) - set(known))
    if unknown:
        raise SpecError(f"`limits` must name {', '.join(known)}, but has {unknown[0]!r}.")
    return {name: float(value) for name, value in (limits or {}).items()}
