"""A version as MLflow loads it: this file is run by MLflow, with the bundle's folder as its artifact."""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from penstock.serving.session import LoadedBundle


class PenstockModel(PythonModel):
    """Answers a frame of rows as the inference service does."""

    def load_context(self, context: Any) -> None:
        """Open the bundle."""
        self.bundle = LoadedBundle.open(Path(context.artifacts["bundle"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return the predictions, one row a row."""
        del context, params
        rows: list[Any] = model_input.astype(object).where(model_input.notna(), None).to_dict("records")
        return pd.json_normalize(self.bundle.predict_rows(rows))


set_model(PenstockModel())
