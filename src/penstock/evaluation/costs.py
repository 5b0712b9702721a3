"""What a wrong call costs, and where the line is drawn between two classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from penstock.errors import ModelError
from penstock.evaluation.metrics import BINARY, Codes, Values


def cost_matrix(costs: Mapping[str, Any] | None, classes: tuple[str, ...], positive: int = 1) -> Values | None:
    """Return the cost of a row of class i called j, shape (n_classes, n_classes), or None without costs.

    Parameters
    ----------
    costs
        `false_negative` and `false_positive` (binary), or for each class what each wrong class costs:
        `{class: {called: cost}}`. What is not named costs 1 off the diagonal and 0 on it.
    classes
        The classes as text, in the order of the codes.
    positive
        The code of the positive class (binary).

    Raises
    ------
    ModelError
        If a name is neither a class nor one of the two words.
    """
    if not costs:
        return None
    matrix = 1.0 - np.eye(len(classes))
    for name, value in costs.items():
        if name in ("false_negative", "false_positive") and len(classes) == BINARY:
            cell = (positive, 1 - positive) if name == "false_negative" else (1 - positive, positive)
            matrix[cell] = float(value)
            continue
        if not isinstance(value, Mapping) or {str(name), *map(str, value)} - set(classes):
            raise ModelError(
                f"`costs` must name false_negative and false_positive, or costs by class of {', '.join(classes)}, "
                f"but has {name!r}: {value!r}."
            )
        for called, cost in value.items():
            matrix[classes.index(str(name)), classes.index(str(called))] = float(cost)
    return matrix


def costs_among(costs: Mapping[str, Any] | None, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return what of a project's costs is said of these classes, by which a version that knows only them is scored."""
    return {
        name: {called: cost for called, cost in value.items() if str(called) in classes}
        if isinstance(value, Mapping)
        else value
        for name, value in (costs or {}).items()
        if (str(name) in classes if isinstance(value, Mapping) else len(classes) == BINARY)
    }


def best_threshold(metric: str, target: Codes, positive: Values, costs: Values | None = None) -> float:
    """Return the threshold on the positive probability that suits a metric, found on out-of-fold predictions.

    Costs give it by expected cost (Elkan 2001, The foundations of cost-sensitive learning); `f1` by the best cut
    seen, in the middle between the probabilities on its two sides: rows that a graph in float32 cannot tell apart are
    not cut, and its last digit does not move a row over; any other metric takes 0.5.
    """
    if costs is not None:
        wrong_alarm = costs[0, 1] - costs[0, 0]
        missed = costs[1, 0] - costs[1, 1]
        return float(wrong_alarm / (wrong_alarm + missed)) if wrong_alarm + missed > 0 else 0.5
    if metric != "f1":
        return 0.5
    answered = np.asarray(positive, dtype=np.float32)
    order = np.argsort(-answered, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(answered[order]) != 0, True))
    found = np.cumsum(np.asarray(target)[order] == 1)[ends]
    if not ends.size or not found[-1]:
        return 0.5
    best = int(np.argmax(2 * found / (ends + 1 + found[-1])))
    cuts = np.append(answered[order][ends].astype(np.float64), 0.0)
    return float(cuts[best] + cuts[best + 1]) / 2
