"""A whole table with a version's bundle: held-out rows for an evaluation, and files for people, offline."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.sources._base import ReadWhole
from penstock.data.types.conforming import coerce
from penstock.domain.datasets import Split
from penstock.domain.evaluation import Predictions
from penstock.domain.models import Bundle, Signature
from penstock.domain.workspace import Workspace
from penstock.errors import ModelError, NotFound
from penstock.serving.files.outputs import FileOutput, TableOutput, output_of
from penstock.serving.files.rows import arrays_of
from penstock.serving.files.tables import read_parts, read_rows
from penstock.serving.occlusion import explain_rows
from penstock.serving.session import LoadedBundle
from penstock.store import artifacts, frames, records

Side = Literal["holdout", "train"]
HOLDOUT = -1
UNUSED = -2
CHUNK_ROWS = 50_000


def answer(bundle: Bundle, split: Split, side: Side, workspace: Workspace) -> Predictions:
    """Predict one side of a split with a bundle's graph.

    Parameters
    ----------
    bundle
        The bundle of any version of the project.
    split
        Which rows are on which side.
    side
        `holdout`, or `train` for every row that trains.
    workspace
        Where bundle and tables are.

    Returns
    -------
    Predictions
        The digest of a table with the columns row, digest, group, time, target (the class's code in the bundle's
        order, -1 for a class that it does not know; or the value), and `p<i>` a class, or prediction. A table without
        columns that the bundle needs, or with other types of them, is not answered, and these are named.
    """
    from penstock.evaluation.answers import codes_of

    loaded = LoadedBundle.open(artifacts.local_folder(bundle.digest, workspace), threads=os.cpu_count() or 1)
    assignment = np.asarray(frames.load_array(split.assignment, workspace))
    rows = np.flatnonzero(
        assignment == HOLDOUT if side == "holdout" else (assignment != HOLDOUT) & (assignment != UNUSED)
    )
    signature = loaded.signature
    table = frames.load_table(split.dataset, workspace).iloc[rows].reset_index(drop=True)
    table, lacks = _as_asked(table, signature)
    if lacks:
        return Predictions(split.project, "", bundle.digest, split.dataset, 0, lacks)
    times = table[split.key[0]] if split.kind == "time" else pd.Series(pd.NaT, index=table.index)
    answered = pd.DataFrame(
        {
            "row": rows.astype(np.int64),
            "digest": np.asarray(frames.load_array(split.row_digests, workspace))[rows],
            "group": np.asarray(frames.load_array(split.groups, workspace))[rows],
            "time": times.astype("datetime64[us]"),
            "target": codes_of(table[signature.target], signature),
            **_columns_of(_scores(loaded, table)[0], regression=signature.problem == "regression"),
        }
    )
    return Predictions(
        project=split.project,
        digest=frames.save_table(answered, workspace),
        bundle=bundle.digest,
        dataset=split.dataset,
        rows=len(answered),
    )


def _as_asked(table: pd.DataFrame, signature: Signature) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return a table in the types that a version asks for, and the columns that it needs and the table cannot give.

    The contract may have been edited since the version was fitted.
    """
    columns, lacks = {}, []
    for column in signature.decoding.columns:
        if column.name in table:
            columns[column.name], bad = coerce(table[column.name], column.type)
        if column.required and (column.name not in table or bad.any()):
            lacks.append(column.name)
    return table.assign(**columns), tuple(lacks)


def score_table(project: str, path: str, output: str, explain: bool, workspace: Workspace) -> int:
    """Predict every row of a file with the released version, and write a file; the answers are those of the service.

    Parameters
    ----------
    project
        Whose released version predicts.
    path
        A CSV or Parquet file with the columns of a row; others are passed over. A relative path starts at the
        workspace. It is read a part at a time, unless only the whole of it tells what its texts mean.
    output
        A `.csv` or `.parquet` file, or a table of a database as ``ADDRESS#TABLE`` (``env:NAME`` for an address with a
        password): the id column if there is one, `prediction`, and `probability_<class>` a class, or `low` and
        `high`; rows in the input's order.
    explain
        Add `contribution_<column>`: how much the score (the value, for a regression) falls when the column's value is
        replaced by a typical one of the file, all others kept (occlusion). Columns that act together share no
        contribution, so that contributions need not sum to the score.
    workspace
        Where the version is found.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    NotFound
        If the project has no released version, or there is no such file.
    SpecError
        If the output's name says no format, or its table has other columns.
    DataError
        If the file is no table, lacks a required column or holds values that do not fit, naming the first rows.
    ModelError
        If the version answers a row with something that is no finite number.
    """
    target = output_of(output, workspace.home)
    loaded = released_bundle(project, workspace)
    file = workspace.home / path
    if not explain and (rows := _write_in_parts(loaded, file, target)) is not None:
        return rows
    table = read_rows(file, loaded.signature)
    scored = pd.concat([_scored(loaded, chunk) for chunk in _chunks(table)], ignore_index=True)
    if explain:
        scored = pd.concat([scored, explain_rows(loaded, table)], axis=1)
    return target.write([scored])


def _write_in_parts(loaded: LoadedBundle, file: Path, target: FileOutput | TableOutput) -> int | None:
    """Return how many rows were written, or None, with nothing written, if the file must be read whole."""
    try:
        return target.write(_scored(loaded, part) for part in read_parts(file, loaded.signature, CHUNK_ROWS))
    except ReadWhole:
        return None


def released_bundle(project: str, workspace: Workspace) -> LoadedBundle:
    """Load the bundle of the version that a project's newest release names.

    Raises
    ------
    NotFound
        If no version of the project has been released.
    """
    release = records.newest_release(project, workspace)
    if release is None:
        records.project_path(project, workspace)
        raise NotFound(f"Project {project!r} has no released version yet. `penstock run {project}` makes one.")
    version = records.find_version(project, release.champion, workspace)
    return LoadedBundle.open(artifacts.local_folder(version.bundle, workspace), threads=os.cpu_count() or 1)


def _scored(loaded: LoadedBundle, chunk: pd.DataFrame) -> pd.DataFrame:
    signature = loaded.signature
    scores, numbers = _scores(loaded, chunk)
    _check_finite(scores, chunk)
    name = signature.id_column
    said: dict[str, Any] = {} if name is None or name not in chunk else {name: chunk[name]}
    if signature.problem == "regression":
        value = scores[:, 0].astype(np.float64)
        ends = [loaded.ends(*row) for row in zip(value.tolist(), numbers.tolist(), strict=True)]
        said |= {"prediction": value, "low": [low for low, _ in ends], "high": [high for _, high in ends]}
    else:
        classes = pd.Series(list(signature.classes), dtype=object).infer_objects()  # every part in the same type
        columns = {f"probability_{name}": scores[:, code].astype(np.float64) for code, name in enumerate(loaded.names)}
        said |= {"prediction": classes.take(loaded.chosen(scores)).set_axis(chunk.index), **columns}
    return pd.DataFrame(said, index=chunk.index)


def _check_finite(scores: NDArray[Any], chunk: pd.DataFrame) -> None:
    """Refuse what the service refuses: a version that does not answer every row with numbers."""
    wrong = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if len(wrong):
        row = int(chunk.index[wrong[0]])
        raise ModelError(
            f"A version's scores must be finite numbers, but those of row {row} are {scores[wrong[0]].tolist()}."
        )


def _scores(loaded: LoadedBundle, table: pd.DataFrame) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return what the graph says of a table's rows, and the decoded numbers that it was given."""
    scores, given = [], []
    for chunk in _chunks(table):
        numbers, texts = loaded.decoder.columns(arrays_of(chunk))
        scores.append(loaded.scores(numbers, texts))
        given.append(numbers)
    return np.concatenate(scores), np.concatenate(given)


def _chunks(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, max(1, len(table)), CHUNK_ROWS):
        yield table.iloc[start : start + CHUNK_ROWS]


def _columns_of(scores: NDArray[Any], *, regression: bool) -> dict[str, Any]:
    if regression:
        return {"prediction": scores[:, 0].astype(np.float64)}
    return {f"p{code}": scores[:, code].astype(np.float64) for code in range(scores.shape[1])}
