"""The systems that are compared, under one interface; needs numpy, pandas, and each the library that it is."""

import importlib
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd


class System(ABC):
    """A system under test."""

    package: ClassVar[str]
    model: Any

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.classes: list[str] = job["classes"]
        self.binary = job["problem"] == "binary"

    @abstractmethod
    def load(self) -> None:
        """Import what is needed, and start what is no part of the fit."""

    @abstractmethod
    def fit(self, x: pd.DataFrame, y: pd.Series) -> None:
        """Fit within the budget."""

    def predict(self, x: pd.DataFrame) -> "np.ndarray[Any, Any]":
        """Return probabilities in the order of the job's classes, or values, as scikit-learn's estimators say them."""
        if not self.classes:
            return np.asarray(self.model.predict(x))
        return self.ordered(self.model.predict_proba(x), self.model.classes_)

    def ordered(self, probabilities: Any, classes: Any) -> "np.ndarray[Any, Any]":
        """Return columns of probabilities in the order of the job's classes; one that is absent is 0."""
        given = {str(name): place for place, name in enumerate(classes)}
        table = np.asarray(probabilities, np.float64)
        return np.column_stack(
            [table[:, given[name]] if name in given else np.zeros(len(table)) for name in self.classes]
        )


class Penstock(System):
    """This project's estimators."""

    package = "penstock"

    def load(self) -> None:
        """Import them."""
        from penstock import estimators

        kind = estimators.PenstockClassifier if self.classes else estimators.PenstockRegressor
        self.model = kind(
            seconds=self.job["seconds"],
            metric=self.job["metric"],
            random_state=self.job["seed"],
            n_jobs=self.job["cores"],
            verbose=False,
        )

    def fit(self, x: pd.DataFrame, y: pd.Series) -> None:
        """Search."""
        self.model.fit(x, y)
        print(self.model.leaderboard_.drop(columns="parameters").to_string())
        print(*self.model.reasons_, sep="\n")


class PlainLightGBM(System):
    """LightGBM as it comes, on columns as they are; it uses the time that it needs."""

    package = "lightgbm"

    def load(self) -> None:
        """Import it."""
        import lightgbm

        kind = lightgbm.LGBMClassifier if self.classes else lightgbm.LGBMRegressor
        self.model = kind(n_jobs=self.job["cores"], random_state=self.job["seed"], verbose=-1)
        self.levels: dict[str, Any] = {}

    def fit(self, x: pd.DataFrame, y: pd.Series) -> None:
        """Fit."""
        self.levels = {
            str(name): x[name].astype("category").cat.categories for name in x if x[name].dtype.kind not in "biufM"
        }
        self.model.fit(self._plain(x), y)

    def predict(self, x: pd.DataFrame) -> "np.ndarray[Any, Any]":
        """Answer."""
        if not self.classes:
            return np.asarray(self.model.predict(self._plain(x)))
        return self.ordered(self.model.predict_proba(self._plain(x)), self.model.classes_)

    def _plain(self, x: pd.DataFrame) -> pd.DataFrame:
        dates = {str(name): x[name].astype("int64") for name in x if x[name].dtype.kind == "M"}
        texts = {name: pd.Categorical(x[name], categories=levels) for name, levels in self.levels.items()}
        return x.assign(**dates, **texts)


class AutoGluon(System):
    """AutoGluon's tabular predictor."""

    package = "autogluon.tabular"
    preset: ClassVar[str] = "medium_quality"
    NAMES: ClassVar[dict[str, str]] = {"rmse": "root_mean_squared_error"}

    def load(self) -> None:
        """Import it."""
        tabular = importlib.import_module("autogluon.tabular")
        metric = self.job["metric"]
        self.model = tabular.TabularPredictor(
            label=self.job["target"],
            problem_type=self.job["problem"],
            eval_metric=self.NAMES.get(metric, metric),
            path=str(Path(self.job["scratch"]) / "models"),
            verbosity=2,
        )

    def fit(self, x: pd.DataFrame, y: pd.Series) -> None:
        """Fit with the preset."""
        table = x.assign(**{self.job["target"]: y})
        self.model.fit(
            table, time_limit=self.job["seconds"], presets=self.preset, num_cpus=self.job["cores"], num_gpus=0
        )

    def predict(self, x: pd.DataFrame) -> "np.ndarray[Any, Any]":
        """Answer."""
        if not self.classes:
            return np.asarray(self.model.predict(x))
        said = self.model.predict_proba(x)
        return self.ordered(said.to_numpy(), said.columns)


class AutoGluonGood(AutoGluon):
    """AutoGluon with bagging."""

    preset = "good_quality"


class Flaml(System):
    """FLAML."""

    package = "flaml"

    def load(self) -> None:
        """Import it."""
        self.model = importlib.import_module("flaml").AutoML()

    def fit(self, x: pd.DataFrame, y: pd.Series) -> None:
        """Search."""
        self.model.fit(
            x,
            y,
            task="regression" if not self.classes else "classification",
            metric=self.job["metric"],
            time_budget=self.job["seconds"],
            n_jobs=self.job["cores"],
            seed=self.job["seed"],
            log_file_name=str(Path(self.job["scratch"]) / "flaml.log"),
            verbose=1,
        )


class H2O(System):
    """H2O's AutoML; its Java server is started before the clock."""

    package = "h2o"
    NAMES: ClassVar[dict[str, str]] = {"roc_auc": "AUC", "log_loss": "logloss", "rmse": "RMSE"}

    def load(self) -> None:
        """Start the server."""
        self.h2o = importlib.import_module("h2o")
        self.kind = importlib.import_module("h2o.automl").H2OAutoML
        self.h2o.init(
            nthreads=self.job["cores"],
            max_mem_size="4G",
            port=54321 + os.getpid() % 5000 * 2,
            ice_root=self.job["scratch"],
            bind_to_localhost=True,
        )
        self.h2o.no_progress()

    def fit(self, x: pd.DataFrame, y: pd.Series) -> None:
        """Search."""
        target = self.job["target"]
        table = self._table(x.assign(**{target: y}))
        if self.classes:
            table[target] = table[target].asfactor()
        metric = self.NAMES[self.job["metric"]]
        self.model = self.kind(
            max_runtime_secs=int(self.job["seconds"]), seed=self.job["seed"], sort_metric=metric, stopping_metric=metric
        )
        self.model.train(y=target, training_frame=table)

    def predict(self, x: pd.DataFrame) -> "np.ndarray[Any, Any]":
        """Answer."""
        said = self.model.predict(self._table(x)).as_data_frame(use_multi_thread=False)
        if not self.classes:
            return np.asarray(said["predict"], np.float64)
        names = [name for name in said.columns if name != "predict"]
        shown = {name.removeprefix("p") if name.removeprefix("p") in self.classes else name: name for name in names}
        known = {self._spelled(name): name for name in self.classes}
        plain = [known.get(name, known.get(self._spelled(name), name)) for name in shown]
        return self.ordered(said[names].to_numpy(), plain)

    def _table(self, x: pd.DataFrame) -> Any:
        texts = [name for name in x if x[name].dtype.kind not in "biufM"]
        return self.h2o.H2OFrame(x, column_types=dict.fromkeys(texts, "enum"))

    @staticmethod
    def _spelled(name: str) -> str:
        """Return a class as H2O names its column."""
        return "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in name)


class Mljar(System):
    """mljar-supervised, in its mode for the best score."""

    package = "mljar-supervised"
    NAMES: ClassVar[dict[str, str]] = {"roc_auc": "auc", "log_loss": "logloss", "rmse": "rmse"}
    TASKS: ClassVar[dict[str, str]] = {
        "binary": "binary_classification",
        "multiclass": "multiclass_classification",
        "regression": "regression",
    }

    def load(self) -> None:
        """Import it."""
        self.model = importlib.import_module("supervised.automl").AutoML(
            results_path=str(Path(self.job["scratch"]) / "mljar"),
            mode="Compete",
            ml_task=self.TASKS[self.job["problem"]],
            eval_metric=self.NAMES[self.job["metric"]],
            total_time_limit=int(self.job["seconds"]),
            n_jobs=self.job["cores"],
            random_state=self.job["seed"],
            explain_level=0,
            verbose=1,
        )

    def fit(self, x: pd.DataFrame, y: pd.Series) -> None:
        """Search."""
        self.model.fit(x, y)

    def predict(self, x: pd.DataFrame) -> "np.ndarray[Any, Any]":
        """Answer."""
        if not self.classes:
            return np.asarray(self.model.predict(x)).ravel()
        said = self.model.predict_all(x)
        names = [name for name in said.columns if name.startswith("prediction_")]
        return self.ordered(said[names].to_numpy(), [name.removeprefix("prediction_") for name in names])


SYSTEMS: dict[str, type[System]] = {
    "penstock": Penstock,
    "autogluon_good": AutoGluonGood,
    "autogluon_medium": AutoGluon,
    "flaml": Flaml,
    "h2o": H2O,
    "mljar": Mljar,
    "lightgbm": PlainLightGBM,
}
