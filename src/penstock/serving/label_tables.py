"""Labels that come as a file: by request id and row, or by the project's id column."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from penstock.data.canonical import Wishes, canonical_type, to_canonical
from penstock.data.sources._base import RawTable
from penstock.domain.datasets import ColumnType
from penstock.domain.features import InputColumn
from penstock.domain.models import Signature
from penstock.domain.releases import LabelCounts
from penstock.domain.workspace import Workspace
from penstock.errors import DataError
from penstock.serving.labels import accept_labels, served_signature
from penstock.serving.reading import read_entries
from penstock.serving.rows import rows_of_frame
from penstock.serving.session import class_name
from penstock.serving.tables import read_file


def label_file(project: str, path: Path, workspace: Workspace) -> LabelCounts:
    """Keep the labels of a CSV or Parquet file.

    Parameters
    ----------
    project
        Whose answers they are.
    path
        A file with the columns request_id, row, value and perhaps observed_at; or with the project's id column and
        its target: then a label is that of the newest answered row of its id.
    workspace
        Where journal and labels are kept.

    Returns
    -------
    LabelCounts
        Labels of ids that nobody asked about are counted as unknown, and not kept.

    Raises
    ------
    DataError
        If the file has other columns, or a label does not fit; then none is kept.
    NotFound
        If there is no such file, or no version of the project has been released.
    """
    signature = served_signature(project, workspace)
    raw = read_file(path)
    by_request = ["request_id", "row", "value"]
    by_id = [signature.id_column, signature.target]
    names = list(raw.frame.columns)
    if set(by_request) <= set(names):
        labels = _labels(raw.frame, raw.typed, [*by_request, "observed_at"], signature)
        return accept_labels(project, labels, "file", workspace)
    if signature.id_column is not None and set(by_id) <= set(names):
        labels = _labels(raw.frame, raw.typed, [signature.id_column, signature.target], signature)
        return _accept_by_id(project, labels, signature, workspace)
    wanted = " or ".join(" and ".join(map(repr, each)) for each in (by_request, by_id) if None not in each)
    raise DataError(
        f"The file {path.name!r} must have the columns {wanted}, but has {', '.join(map(repr, names))}.", names
    )


def rows_of_ids(project: str, ids: Sequence[Any], column: str, workspace: Workspace) -> dict[str, tuple[str, int]]:
    """Find the newest answered row of each id, for labels that come by the project's id column.

    Parameters
    ----------
    project
        Whose journal is read, whole.
    ids
        Values of the id column; compared as text.
    column
        The id column.
    workspace
        Where the journal lies.

    Returns
    -------
    dict
        The id as text: its request id and row.
    """
    wanted = {class_name(value) for value in ids}
    found: dict[str, tuple[str, int]] = {}
    for entry in read_entries(project, workspace):
        for number, row in enumerate(entry.rows):
            name = class_name(row[column]) if row.get(column) is not None else None
            if name in wanted and (name not in found or found[name][0] < entry.request_id):
                found[name] = (entry.request_id, number)
    return found


def _accept_by_id(project: str, given: list[dict[str, Any]], signature: Signature, workspace: Workspace) -> LabelCounts:
    name, target = str(signature.id_column), signature.target
    found = rows_of_ids(project, [label[name] for label in given], name, workspace)
    labels = []
    for label in given:
        place = found.get(class_name(label[name])) if label[name] is not None else None
        if place is not None:
            labels.append({"request_id": place[0], "row": place[1], "value": label[target]})
    counts = accept_labels(project, labels, "file", workspace)
    return LabelCounts(counts.accepted, counts.superseded, counts.unknown + len(given) - len(labels))


def _labels(frame: pd.DataFrame, typed: bool, names: list[str], signature: Signature) -> list[dict[str, Any]]:
    """Return the rows of a file in JSON's types."""
    value_type = _target_type(signature)
    types: dict[str, ColumnType] = {
        "row": "number",
        "value": value_type,
        signature.target: value_type,
    }
    given = [name for name in names if name in frame]
    wishes: dict[str, ColumnType] = {name: types.get(name, "string") for name in given}
    canonical = to_canonical(RawTable(frame[given], typed), Wishes(types=wishes, settled=True))
    columns = tuple(
        InputColumn(name, canonical_type(canonical.frame[name]), "category", required=False) for name in given
    )
    rows = rows_of_frame(canonical.frame, columns)
    for row in rows:
        if isinstance(row.get("row"), float) and row["row"].is_integer():
            row["row"] = int(row["row"])
    return rows


def _target_type(signature: Signature) -> ColumnType:
    kinds = {type(value) for value in signature.classes}
    if kinds == {bool}:
        return "boolean"
    return "number" if not kinds or kinds <= {int, float} else "string"
