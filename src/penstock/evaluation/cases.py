"""Must-pass cases: rows whose answer a person has fixed beforehand.

The file has the model's columns, and one or more of `expected` (a label, or a value within 1e-6), `at_least` and
`at_most` (bounds on the probability of the positive class, or of `expected` where it is a class, or on the value);
`case` names a row.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from penstock.domain.models import Signature
from penstock.errors import NotFound, SpecError
from penstock.evaluation.metrics import Choosing, Values, chosen

EXPECTATIONS = ("expected", "at_least", "at_most")
BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

Predict = Callable[[pd.DataFrame], Values]


def read_cases(path: Path, signature: Signature) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of a case file in canonical types, and what is expected of each.

    Raises
    ------
    NotFound
        If there is no such file.
    SpecError
        If columns are missing, or nothing is expected.
    """
    if not path.is_file():
        raise NotFound(f"`gates.cases` must name a CSV file, but there is none at {str(path)!r}.")
    table = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""])
    missing = [column.name for column in signature.decoding.columns if column.required and column.name not in table]
    if missing:
        raise SpecError(f"The case file {path.name!r} must have the model's required columns, but lacks {missing!r}.")
    expected = table.reindex(columns=["case", *EXPECTATIONS])
    silent = expected[list(EXPECTATIONS)].isna().all(axis=1)
    if silent.any() or table.empty:
        raise SpecError(
            f"Each row of {path.name!r} must say `expected`, `at_least` or `at_most`, but "
            f"{int(silent.sum()) if len(table) else 'there is no row and none'} of {len(table)} says nothing."
        )
    rows = pd.DataFrame(
        {column.name: _typed(table.get(column.name), column.type, len(table)) for column in signature.decoding.columns}
    )
    return rows, expected


def _typed(values: pd.Series | None, kind: str, rows: int) -> pd.Series:
    if values is None:
        values = pd.Series([None] * rows, dtype="str")
    if kind == "number":
        return pd.to_numeric(values)
    if kind == "date":
        return pd.to_datetime(values).astype("datetime64[us]")
    if kind == "boolean":
        return values.str.lower().map(BOOLEANS).astype(object)
    return values


def failing_cases(rows: pd.DataFrame, expected: pd.DataFrame, predict: Predict, signature: Signature) -> list[str]:
    """Return a sentence for each case that does not hold.

    Parameters
    ----------
    rows
        The cases' columns in canonical types.
    expected
        Columns `case`, `expected`, `at_least`, `at_most`; same rows.
    predict
        Gives probabilities of shape (n_rows, n_classes) in the signature's order, or values of shape (n_rows,).
    signature
        Classes, positive class and threshold.
    """
    predictions = np.asarray(predict(rows), dtype=np.float64)
    labels = labels_of(predictions, signature)
    found = []
    for place, wanted in enumerate(expected.to_dict("records")):
        name = wanted["case"] if isinstance(wanted["case"], str) else f"row {place + 1}"
        value = _value(predictions[place], wanted["expected"], signature)
        found += [f"{name}: {words}" for words in _faults(wanted, labels[place], value, signature)]
    return found


def labels_of(predictions: Values, signature: Signature) -> list[Any]:
    """Return the label that each row is given, or its value."""
    if signature.problem == "regression":
        return [float(value) for value in predictions.reshape(-1)]
    if signature.problem == "binary" and signature.positive == 0:
        flipped = chosen(predictions[:, ::-1], Choosing(signature.threshold))
        return [signature.classes[1 - int(code)] for code in flipped]
    return [signature.classes[int(code)] for code in chosen(predictions, Choosing(signature.threshold))]


def _value(prediction: Any, expected: Any, signature: Signature) -> float:
    if signature.problem == "regression":
        return float(np.reshape(prediction, -1)[0])
    names = [str(name) for name in signature.classes]
    if isinstance(expected, str) and expected in names:
        return float(prediction[names.index(expected)])
    place = signature.positive if signature.positive is not None else int(np.argmax(prediction))
    return float(prediction[place])


def _faults(wanted: dict[Any, Any], label: Any, value: float, signature: Signature) -> list[str]:
    faults = []
    expected = wanted["expected"]
    if isinstance(expected, str):
        regression = signature.problem == "regression"
        right = abs(value - float(expected)) <= 1e-6 if regression else str(label) == expected  # noqa: PLR2004
        if not right:
            faults.append(f"must be {expected!r}, but is {label!r}.")
    if isinstance(wanted["at_least"], str) and value < float(wanted["at_least"]):
        faults.append(f"must be at least {wanted['at_least']}, but is {value:.4g}.")
    if isinstance(wanted["at_most"], str) and value > float(wanted["at_most"]):
        faults.append(f"must be at most {wanted['at_most']}, but is {value:.4g}.")
    return faults
