"""Answered rows whose true value has come: what the journal says of them, beside their labels."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.domain.models import Signature, class_name
from penstock.domain.releases import Label
from penstock.domain.workspace import Workspace
from penstock.evaluation.answers import Answers, choosing_of, ordered_classes
from penstock.evaluation.metrics import Values
from penstock.serving.journals.reading import read_rows
from penstock.spec import ProjectSpec
from penstock.store.labels import labels_since

COLUMNS = ("request_id", "at", "version", "predictions", "id")


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows that one version answered, with their labels, shape (n_rows, ...), in the order the labels came.

    `number` is the label's, `at` and `received` are calendar times, `time` is the row's own, `target` holds codes in
    the signature's order (-1: no such class) or values, `predictions` what the version said, and `group` what rows of
    one id share.
    """

    number: NDArray[np.int64]
    at: NDArray[Any]
    received: NDArray[Any]
    time: NDArray[Any]
    target: NDArray[Any]
    predictions: Values
    group: NDArray[np.uint64]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.number.size)

    def take(self, rows: NDArray[np.bool_]) -> "Labelled":
        """Return some of the rows."""
        return Labelled(*(getattr(self, name)[rows] for name in self.__slots__))

    def answers(self, signature: Signature, spec: ProjectSpec) -> Answers:
        """Return the rows as the judge's room takes them."""
        target, predictions = orient(self.target, self.predictions, signature)
        number = self.number.astype(np.uint64)
        classes = ordered_classes(signature)
        choosing = choosing_of(spec, signature)
        found = Answers(self.number, number, self.group, self.time, target, predictions, classes, choosing)
        return found.take(found.known)


def read_labelled(
    version: str, after: int, signature: Signature, time: str | None, workspace: Workspace
) -> tuple[Labelled, int]:
    """Return the rows of a version that have labels numbered above a number, and the largest number there is.

    Labels that were picked by a model are left out: they train only.

    Parameters
    ----------
    version
        Only rows that it answered.
    after
        Only labels with a larger number.
    signature
        Of the version.
    time
        The column that orders the project's rows, if there is one: a row that lacks it is of the time it was asked.
    workspace
        Where journal and labels are.

    Returns
    -------
    Labelled
    int
        The largest number of a label, `after` if there is none above it.
    """
    numbered = labels_since(signature.project, after, workspace)
    newest = max((number for number, _ in numbered), default=after)
    natural = [(number, label) for number, label in numbered if not label.picked]
    if not natural:
        return _labelled([], [], signature, None), newest
    wanted = {label.request_id for _, label in natural}
    columns = COLUMNS if time is None else (*COLUMNS, "rows")
    requests = read_rows(signature.project, workspace, _before(min(wanted)), columns, only=wanted)
    requests = requests[requests["version"] == version].set_index("request_id")
    answered = {str(name): row for name, row in requests.iterrows()}
    pairs = [(number, label) for number, label in natural if label.request_id in answered]
    return _labelled(pairs, [answered[label.request_id] for _, label in pairs], signature, time), newest


def orient(target: NDArray[Any], predictions: Values, signature: Signature) -> tuple[NDArray[Any], Values]:
    """Return codes and probabilities with the positive class last, where there are two."""
    if signature.problem != "binary" or signature.positive != 0:
        return target, predictions
    return np.where(target >= 0, 1 - target, target), predictions[:, ::-1]


def _before(request_id: str) -> str:
    """Return a text just below a request id."""
    return request_id[:-1]


def _labelled(
    pairs: list[tuple[int, Label]], requests: list[pd.Series], signature: Signature, time: str | None
) -> Labelled:
    names = [class_name(value) for value in signature.classes]
    said = {str(row.name): msgspec.json.decode(row["predictions"]) for row in requests}
    shares = [_shares(said[label.request_id][label.row], names) for _, label in pairs]
    width = (len(pairs),) if signature.problem == "regression" else (len(pairs), len(names))
    at = np.array([row["at"].tz_convert("UTC").tz_localize(None) for row in requests], "datetime64[us]")
    return Labelled(
        number=np.array([number for number, _ in pairs], np.int64),
        at=at,
        time=at if time is None else _own_times(pairs, requests, time, at),
        received=np.array([label.received_at.replace(tzinfo=None) for _, label in pairs], "datetime64[us]"),
        target=_targets([label.value for _, label in pairs], names),
        predictions=np.array(shares, np.float64).reshape(width),
        group=_groups(pairs, requests, said),
    )


def _own_times(pairs: list[tuple[int, Label]], requests: list[pd.Series], time: str, at: NDArray[Any]) -> NDArray[Any]:
    """Return what rows say of their time; rows of one request may be of many days, and a stream may bring a month."""
    sent = {str(row.name): msgspec.json.decode(row["rows"]) for row in requests}
    said = [sent[label.request_id][label.row].get(time) for _, label in pairs]
    times = pd.to_datetime(pd.Series(said, dtype=object), errors="coerce", utc=True, format="ISO8601")
    own = times.dt.tz_localize(None).to_numpy("datetime64[us]")
    return np.where(np.isnat(own), at, own)


def _shares(answer: dict[str, Any], names: list[str]) -> list[float]:
    return [answer["probabilities"].get(name, 0.0) for name in names] if names else [answer["value"]]


def _targets(values: list[str], names: list[str]) -> NDArray[Any]:
    if not names:
        return np.array([float(value) for value in values], np.float64)
    codes = {name: code for code, name in enumerate(names)}
    return np.array([codes.get(value, -1) for value in values], np.int64)


def _groups(pairs: list[tuple[int, Label]], requests: list[pd.Series], said: dict[str, Any]) -> NDArray[np.uint64]:
    """Return what rows of one id share; the rows of a request with several stand alone, as only its caller is known."""
    names = [
        f"id {row['id']}"
        if isinstance(row["id"], str) and len(said[label.request_id]) == 1  # missing without an id column
        else f"row {label.request_id}:{label.row}"
        for (_, label), row in zip(pairs, requests, strict=True)
    ]
    return pd.util.hash_array(np.array(names, dtype=object)) if names else np.empty(0, np.uint64)
