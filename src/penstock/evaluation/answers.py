"""What a model said of rows, read from its predictions table into arrays."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.domain.datasets import Split
from penstock.domain.models import FittedModel, Signature, Target
from penstock.domain.workspace import Workspace
from penstock.errors import DataError
from penstock.evaluation.costs import cost_matrix, costs_among
from penstock.evaluation.intervals.dependence import Dependence, find_dependence
from penstock.evaluation.metrics import (
    BINARY,
    Choosing,
    Values,
    default_metric,
    find_metric,
    positive_last,
)
from penstock.spec import ProjectSpec
from penstock.store import frames

UNUSED = -2
HOLDOUT = -1


@dataclass(frozen=True, slots=True)
class Answers:
    """Rows with their targets and a model's predictions, all of shape (n_rows, ...).

    `row` is the position in the dataset version, `digest` names the row's content, `target` holds codes with the
    positive class as 1 (or values), `predictions` probabilities in the order of `classes` (or values).
    """

    row: NDArray[np.int64]
    digest: NDArray[np.uint64]
    group: NDArray[np.uint64]
    time: NDArray[Any] | None
    target: NDArray[Any]
    predictions: Values
    classes: tuple[Target, ...]
    choosing: Choosing

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.target.size)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a target that the model knows."""
        if not self.classes:
            return np.asarray(np.isfinite(self.target))
        return np.asarray((self.target >= 0) & (self.target < len(self.classes)))

    def take(self, rows: NDArray[Any]) -> "Answers":
        """Return some rows (positions, or a mask)."""
        return Answers(
            self.row[rows],
            self.digest[rows],
            self.group[rows],
            None if self.time is None else self.time[rows],
            self.target[rows],
            self.predictions[rows],
            self.classes,
            self.choosing,
        )

    def dependence(self, split: Split) -> Dependence:
        """Return which rows belong together."""
        return find_dependence(self.group, self.time, time_ordered=split.time_ordered)


def metric_of(spec: ProjectSpec, signature: Signature) -> str:
    """Return the project's metric, checked against its problem."""
    default = "cost" if spec.costs and signature.problem != "regression" else default_metric(signature.problem)
    return find_metric(spec.metric or default, signature.problem).name


def choosing_of(spec: ProjectSpec, signature: Signature) -> Choosing:
    """Return how a version chooses a class, which is its own affair, and what the project says that mistakes cost."""
    classes = tuple(str(name) for name in ordered_classes(signature))
    if not classes:
        return Choosing()
    return Choosing(
        threshold=signature.threshold if len(classes) == BINARY else None,
        costs=np.array(signature.costs) if signature.costs else None,
        mistakes=cost_matrix(costs_among(spec.costs, classes), classes),
    )


def ordered_classes(signature: Signature) -> tuple[Target, ...]:
    """Return the classes with the positive one last (binary), else in the signature's order."""
    if signature.problem == "binary" and signature.positive == 0:
        return signature.classes[::-1]
    return signature.classes


def codes_of(column: pd.Series, signature: Signature) -> NDArray[Any]:
    """Return a target column as codes in the signature's order (-1: no such class), or as float64 values."""
    if signature.problem == "regression":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    codes: dict[Any, int] = {value: code for code, value in enumerate(signature.classes)}
    codes |= {str(value): code for code, value in enumerate(signature.classes) if str(value) not in codes}
    plain = column.astype(object).where(column.notna(), None)
    return np.array([codes.get(value, -1) for value in plain], dtype=np.int64)


def read_answers(
    predictions: str, signature: Signature, spec: ProjectSpec, workspace: Workspace, *, known: bool = True
) -> Answers:
    """Return what a bundle said of rows.

    Parameters
    ----------
    predictions
        The digest of a table as `domain.evaluation.Predictions` describes it.
    signature
        The signature of the bundle, for its classes and threshold.
    spec
        The project.
    workspace
        Where the table is kept.
    known
        Leave out rows whose target is none of the model's classes.

    Returns
    -------
    Answers
        The rows in the table's order.
    """
    frame = frames.load_table(predictions, workspace)
    times = frame["time"].to_numpy() if "time" in frame and not frame["time"].isna().all() else None
    shell = _Shell(frame["row"], frame["digest"], frame["group"], times)
    answers = _answers(shell, frame["target"].to_numpy(), matrix_of(frame), signature, spec)
    return answers.take(answers.known) if known else answers


def read_out_of_fold(model: FittedModel, split: Split, spec: ProjectSpec, workspace: Workspace) -> Answers:
    """Return the out-of-fold predictions of a model's training rows, with their targets.

    Raises
    ------
    DataError
        If the table's rows are not rows of the dataset version.
    """
    frame = frames.load_table(model.out_of_fold, workspace)
    row = frame["row"].to_numpy(dtype=np.int64)
    columns = [spec.target, *([spec.time] if spec.time else [])]
    table = frames.load_table(split.dataset, workspace, columns)
    if row.size and int(row.max()) >= len(table):
        raise DataError(
            f"Out-of-fold rows must be positions below {len(table)}, but reach {int(row.max())}. Fit the model again."
        )
    shell = _Shell(
        row,
        frames.load_array(split.row_digests, workspace)[row],
        frames.load_array(split.groups, workspace)[row],
        _times(table, spec, row),
    )
    target = codes_of(table[spec.target].iloc[row], model.signature)
    matrix = matrix_of(frame)
    answers = _answers(shell, target, matrix, model.signature, spec)
    predicted = np.isfinite(matrix.reshape(row.size, -1)).all(axis=1)  # rows that no fold validates have no prediction
    return answers.take(answers.known & predicted)


@dataclass(frozen=True, slots=True)
class _Shell:
    row: Any
    digest: Any
    group: Any
    time: NDArray[Any] | None


def _times(table: pd.DataFrame, spec: ProjectSpec, row: NDArray[np.int64]) -> NDArray[Any] | None:
    if spec.time is None or not pd.api.types.is_datetime64_any_dtype(table[spec.time]):
        return None
    return table[spec.time].to_numpy()[row]


def matrix_of(frame: pd.DataFrame) -> Values:
    """Return the predictions of a table: probabilities by class in their order, or values."""
    if "prediction" in frame:
        return frame["prediction"].to_numpy(dtype=np.float64)
    numbers = sorted(int(name[1:]) for name in map(str, frame) if name[:1] == "p" and name[1:].isdigit())
    names = [f"p{number}" for number in numbers]
    return frame[names].to_numpy(dtype=np.float64)


def _answers(shell: _Shell, target: NDArray[Any], matrix: Values, signature: Signature, spec: ProjectSpec) -> Answers:
    if signature.problem == "binary":
        target, matrix = positive_last(target, matrix, signature.positive)
    return Answers(
        np.asarray(shell.row, dtype=np.int64),
        np.asarray(shell.digest, dtype=np.uint64),
        np.asarray(shell.group, dtype=np.uint64),
        shell.time,
        target,
        matrix,
        ordered_classes(signature),
        choosing_of(spec, signature),
    )


def same_classes(ours: Answers, theirs: Answers) -> tuple[Answers, Answers]:
    """Bring both models' probabilities into one order of classes; a class that one does not know has probability 0.

    Each model's calls stay its own; what ours says that mistakes cost holds for both, and any other mistake costs 1.
    """
    if not ours.classes or ours.classes == theirs.classes:
        return ours, theirs
    classes = ours.classes + tuple(name for name in theirs.classes if name not in ours.classes)
    target = np.where(ours.known, ours.target, _recoded(theirs, classes))
    mistakes = 1.0 - np.eye(len(classes))
    if ours.choosing.mistakes is not None:
        mistakes[: len(ours.classes), : len(ours.classes)] = ours.choosing.mistakes
    return _widened(ours, classes, target, mistakes), _widened(theirs, classes, target, mistakes)


def _recoded(answers: Answers, classes: tuple[Target, ...]) -> NDArray[np.int64]:
    known = answers.known
    return np.where(known, _places(answers, classes)[np.where(known, answers.target, 0)], -1)


def _widened(answers: Answers, classes: tuple[Target, ...], target: NDArray[np.int64], mistakes: Values) -> Answers:
    places = _places(answers, classes)
    wide: Values = np.zeros((answers.rows, len(classes)))
    wide[:, places] = answers.predictions
    choosing = replace(answers.choosing, mistakes=mistakes, places=places)
    return replace(answers, target=target, predictions=wide, classes=classes, choosing=choosing)


def _places(answers: Answers, classes: tuple[Target, ...]) -> NDArray[np.intp]:
    return np.array([classes.index(name) for name in answers.classes], dtype=np.intp)
