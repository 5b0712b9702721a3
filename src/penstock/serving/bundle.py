"""The files that a serving process needs, made from a fitted Python model and held against it."""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.contract_file import find_contract
from penstock.data.decoding import json_schema
from penstock.domain.datasets import Split
from penstock.domain.models import Bundle, Certificate, FittedModel
from penstock.domain.workspace import Workspace
from penstock.errors import Refused
from penstock.graphs import count_operations
from penstock.serving.certificate import certify, make_hard_rows
from penstock.serving.files.rows import arrays_of, rows_of_frame
from penstock.serving.session import CERTIFICATE, EXAMPLES, GRAPH, SCHEMA, SIGNATURE, LoadedBundle
from penstock.spec import ProjectSpec
from penstock.store import artifacts, frames

HOLDOUT = -1
UNUSED = -2
MOST_ROWS = 10_000
EXAMPLE_ROWS = 20
TIMED_CALLS = 100
MEGABYTE = 1_000_000


def bundle(model: FittedModel, split: Split, spec: ProjectSpec, workspace: Workspace) -> Bundle:
    """Make the files that serve a model, and compare them with it.

    Parameters
    ----------
    model
        The fitted model.
    split
        Whose held-out rows the graph is compared on (its training rows, if none are held out).
    spec
        The project; its contract says which columns a row may carry.
    workspace
        Where model and bundle are kept.

    Returns
    -------
    Bundle
        With the parity certificate, the graph's size in MB (10^6 bytes), and the median latency of one row in ms, its
        decoding included.

    Raises
    ------
    Refused
        If the graph answers otherwise than the Python model; `details` list the worst rows.
    ModelError
        If the model cannot be exported.
    """
    trained = frames.load_model(model.digest, workspace)
    contract = find_contract(spec)
    with tempfile.TemporaryDirectory(dir=workspace.home) as made:
        folder = Path(made)
        (folder / GRAPH).write_bytes(trained.to_onnx())
        _write(folder / SIGNATURE, model.signature)
        _write(folder / SCHEMA, json_schema(model.signature.decoding, contract, title=model.project))
        loaded = LoadedBundle.open(folder)
        sample = _sample(split, model, workspace)
        certificate = _certificate(trained, loaded, sample, model)
        _write(folder / CERTIFICATE, certificate)
        rows = _examples(loaded, sample)
        _write(folder / EXAMPLES, {"rows": rows, "predictions": loaded.predict_rows(rows)})
        graph = (folder / GRAPH).read_bytes()
        digest = artifacts.put_folder(folder, workspace)
    return Bundle(
        project=model.project,
        digest=digest,
        model=model.digest,
        certificate=certificate,
        size_mb=len(graph) / MEGABYTE,
        latency_ms=_latency(loaded, rows[0]),
        parameters=int(trained.estimator.parameters),
        flops=count_operations(graph),
    )


@dataclass(frozen=True, slots=True)
class _Sample:
    """Rows to compare on, in canonical types, and their positions in the dataset version."""

    frame: pd.DataFrame
    positions: NDArray[np.int64]


def _sample(split: Split, model: FittedModel, workspace: Workspace) -> _Sample:
    columns = [column.name for column in model.signature.decoding.columns]
    assignment = frames.load_array(split.assignment, workspace)
    positions = np.flatnonzero(assignment == HOLDOUT)
    if positions.size == 0:
        positions = np.flatnonzero(assignment != UNUSED)
    if positions.size > MOST_ROWS:
        positions = positions[np.linspace(0, positions.size - 1, MOST_ROWS).astype(np.int64)]
    frame = frames.load_table(split.dataset, workspace, columns).iloc[positions].reset_index(drop=True)
    return _Sample(frame, positions)


def _certificate(trained: Any, loaded: LoadedBundle, sample: _Sample, model: FittedModel) -> Certificate:
    hard = make_hard_rows(sample.frame, loaded.signature.decoding.columns)
    python = np.vstack([_as_scores(trained.predict(frame)) for frame in (sample.frame, hard.frame)])
    graph = np.vstack([loaded.predict_columns(arrays_of(frame)) for frame in (sample.frame, hard.frame)])
    names = [f"row {position}" for position in sample.positions] + list(hard.names)
    choose = None if loaded.signature.problem == "regression" else loaded.chosen
    certificate = certify(python, graph, choose, names)
    if not certificate.held:
        raise Refused(
            f"The graph must answer as the Python model does, but of {certificate.rows} rows {certificate.label_flips} "
            f"get another label, and the largest difference is {certificate.largest_difference:.2g} where "
            f"{certificate.tolerance:.2g} is tolerated. Worst: {certificate.worst[0]}. "
            f"`penstock train {model.project}` searches anew with another seed; "
            f"`families: {{exclude: [{model.family}]}}` in the project file leaves {model.family!r} out.",
            details=list(certificate.worst),
        )
    return certificate


def _examples(loaded: LoadedBundle, sample: _Sample) -> list[dict[str, Any]]:
    """Return rows as a client sends them, decoded to the same arrays as the table's."""
    required = [column.name for column in loaded.signature.decoding.columns if column.required]
    whole = sample.frame[sample.frame[required].notna().all(axis=1)] if required else sample.frame
    chosen = (whole if len(whole) else sample.frame).head(EXAMPLE_ROWS)
    rows = rows_of_frame(chosen, loaded.signature.decoding.columns)
    for one, other in zip(loaded.decoder.rows(rows), loaded.decoder.columns(arrays_of(chosen)), strict=True):
        if not np.array_equal(one, other, equal_nan=one.dtype != object):
            raise Refused("A row must be decoded alike from JSON and from a table, but is not.", details=rows)
    return rows


def _latency(loaded: LoadedBundle, row: dict[str, Any]) -> float:
    seconds = []
    for _ in range(TIMED_CALLS):
        began = time.perf_counter()
        loaded.predict_rows([row])
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1000


def _as_scores(predictions: NDArray[Any]) -> NDArray[Any]:
    return predictions.reshape(-1, 1) if predictions.ndim == 1 else predictions


def _write(path: Path, value: object) -> None:
    path.write_bytes(msgspec.json.encode(value))
