"""Must-pass cases: rows whose answer a person has fixed beforehand.

The file has the model's columns, and one or more of `expected` (a label as the service answers it, or a value within
1e-6), `at_least` and `at_most` (bounds on the probability of the positive class, or of `expected` where it is a class,
or on the value); `case` names a row.
"""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.types.conforming import MUST
from penstock.domain.datasets import ColumnType, Problem
from penstock.domain.features import Decoding
from penstock.domain.models import Signature, class_name
from penstock.errors import NotFound, SpecError
from penstock.evaluation.metrics import Choosing, Values, chosen

EXPECTATIONS = ("expected", "at_least", "at_most")
BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

Predict = Callable[[pd.DataFrame], Values]


def read_cases(path: Path, decoding: Decoding, problem: Problem) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of a case file in canonical types, and what is expected of each.

    Parameters
    ----------
    path
        A CSV file.
    decoding
        The columns that a model takes, and their types.
    problem
        What is predicted; `expected` is a number for a regression.

    Raises
    ------
    NotFound
        If there is no such file.
    SpecError
        If columns are missing, nothing is expected, or values cannot be read; each with its line and column.
    """
    if not path.is_file():
        raise NotFound(f"`gates.cases` must name a CSV file, but there is none at {str(path)!r}.")
    table, lines = _read(path)
    missing = [column.name for column in decoding.columns if column.required and column.name not in table]
    if missing:
        raise SpecError(f"The case file {path.name!r} must have the model's required columns, but lacks {missing!r}.")
    expected = table.reindex(columns=["case", *EXPECTATIONS])
    silent = expected[list(EXPECTATIONS)].isna().all(axis=1)
    if silent.any() or table.empty:
        raise SpecError(
            f"Each row of {path.name!r} must say `expected`, `at_least` or `at_most`, but "
            f"{int(silent.sum()) if len(table) else 'there is no row and none'} of {len(table)} says nothing."
        )
    kinds: dict[str, ColumnType] = {column.name: column.type for column in decoding.columns}
    rows = pd.DataFrame({name: _typed(table.get(name), kind, len(table)) for name, kind in kinds.items()})
    numbers = EXPECTATIONS if problem == "regression" else EXPECTATIONS[1:]
    bounds = {name: _typed(expected[name], "number", len(table)) for name in numbers}
    faults = _unreadable(table, rows.assign(**bounds), kinds | dict.fromkeys(numbers, "number"))
    if faults:
        _refuse(path, [{"line": lines[fault.pop("row")], **fault} for fault in faults])
    return rows, expected


def _read(path: Path) -> tuple[pd.DataFrame, list[int]]:
    """Return a file's values as texts, empty ones as missing, and the line on which each row begins."""
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            names = next(reader, [])
            end = reader.line_num
            for row in reader:
                if row:
                    rows.append([*row, *[""] * (len(names) - len(row))])
                    lines.append(end + 1)
                end = reader.line_num
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SpecError(f"The case file {path.name!r} must be CSV in UTF-8, but: {error}.") from error
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise SpecError(f"The columns of {path.name!r} must have different names, but repeat {repeated!r}.")
    for row, line in zip(rows, lines, strict=True):
        if len(row) > len(names):
            raise SpecError(f"Line {line} of {path.name!r} must have at most {len(names)} values, but has {len(row)}.")
    table = pd.DataFrame(rows, columns=names, dtype="str")
    return table.where(table != ""), lines


def _typed(values: pd.Series | None, kind: ColumnType, rows: int) -> pd.Series:
    """Return values in their canonical type; those that cannot be read are missing."""
    if values is None:
        values = pd.Series([None] * rows, dtype="str")
    if kind == "number":
        return pd.to_numeric(values, errors="coerce")
    if kind == "date":
        dates = pd.to_datetime(values, errors="coerce", format="mixed", utc=True)
        return dates.dt.tz_localize(None).astype("datetime64[us]")
    if kind == "boolean":
        return values.str.lower().map(BOOLEANS).astype(object)
    return values


def _unreadable(table: pd.DataFrame, typed: pd.DataFrame, kinds: dict[str, ColumnType]) -> list[dict[str, Any]]:
    """Return the values that a file has and their type has not, in the order of the rows."""
    faults = [
        {"row": int(row), "column": name, "must": MUST[kind], "found": str(table[name].iloc[row])}
        for name, kind in kinds.items()
        if name in table
        for row in np.flatnonzero(table[name].notna() & typed[name].isna())
    ]
    return sorted(faults, key=lambda fault: int(fault["row"]))


def _refuse(path: Path, faults: list[dict[str, Any]]) -> NoReturn:
    said = "\n".join(
        f"  line {one['line']}: `{one['column']}` must {one['must']}, but is {one['found']!r}." for one in faults
    )
    raise SpecError(f"The case file {path.name!r} has values that cannot be read:\n{said}", faults)


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
    classes = signature.problem != "regression"
    codes = codes_of_answers(predictions, signature) if classes else np.zeros(len(rows), dtype=np.int64)
    found = []
    for place, wanted in enumerate(expected.to_dict("records")):
        name = wanted["case"] if isinstance(wanted["case"], str) else f"row {place + 1}"
        said = predictions[place]
        value = _value(said, int(codes[place]), wanted["expected"], signature) if classes else float(labels[place])
        found += [f"{name}: {words}" for words in _faults(wanted, labels[place], value, signature)]
    return found


def labels_of(predictions: Values, signature: Signature) -> list[Any]:
    """Return the label that each row is given, or its value."""
    if signature.problem == "regression":
        return [float(value) for value in predictions.reshape(-1)]
    return [signature.classes[code] for code in codes_of_answers(predictions, signature)]


def codes_of_answers(predictions: Values, signature: Signature) -> NDArray[np.int64]:
    """Return the position of each row's class, shape (n_rows,): the one that the service answers.

    That is the cheapest by expected cost, else by the threshold, else the most probable.
    """
    if signature.costs:
        return chosen(predictions, Choosing(costs=np.array(signature.costs)))
    if signature.positive is None or signature.threshold is None:
        return chosen(predictions)
    if signature.positive == 0:
        return 1 - chosen(predictions[:, ::-1], Choosing(signature.threshold))
    return chosen(predictions, Choosing(signature.threshold))


def _value(prediction: Values, code: int, expected: Any, signature: Signature) -> float:
    """Return what bounds are held against; without a class named, of the class that the row is called."""
    named = _code_of(expected, signature)
    if named is not None:
        return float(prediction[named])
    return float(prediction[code if signature.positive is None else signature.positive])


def _code_of(expected: Any, signature: Signature) -> int | None:
    """Return the position of the class that a case names, or None.

    It is spelled as the service answers it or as Python shows it; a boolean also as YAML and Excel write it.
    """
    if not isinstance(expected, (str, bool)):
        return None
    if all(isinstance(each, bool) for each in signature.classes):
        expected = BOOLEANS.get(str(expected).lower(), expected)
    spelled = {form: code for code, each in enumerate(signature.classes) for form in (str(each), class_name(each))}
    return spelled.get(str(expected))


def _is_met(expected: Any, label: Any, signature: Signature) -> bool:
    if signature.problem == "regression":
        return bool(abs(label - float(expected)) <= 1e-6)  # noqa: PLR2004
    code = _code_of(expected, signature)
    return code is not None and bool(signature.classes[code] == label)


def _faults(wanted: dict[Any, Any], label: Any, value: float, signature: Signature) -> list[str]:
    faults = []
    expected = wanted["expected"]
    if isinstance(expected, (str, bool)) and not _is_met(expected, label, signature):
        found = label if signature.problem == "regression" else class_name(label)
        faults.append(f"must be {class_name(expected)!r}, but is {found!r}.")
    if isinstance(wanted["at_least"], str) and value < float(wanted["at_least"]):
        faults.append(f"must be at least {wanted['at_least']}, but is {value:.4g}.")
    if isinstance(wanted["at_most"], str) and value > float(wanted["at_most"]):
        faults.append(f"must be at most {wanted['at_most']}, but is {value:.4g}.")
    return faults
