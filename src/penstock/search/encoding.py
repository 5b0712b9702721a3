"""Training rows encoded once for every flavour and fold, on disk, while the slots' processes load their libraries."""

import json
import os
import pickle  # noqa: TID251  a pipeline that this search fitted, read back by its own final fit
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from penstock.domain.datasets import Problem
from penstock.domain.features import FeaturePlan, Flavour
from penstock.domain.search import EncodedFolds
from penstock.features._base import Encoder
from penstock.features.embeddings import Meanings
from penstock.features.pipeline import Pipeline, build_pipeline

MARK = "rows.json"
SOME_ROWS = 20  # that a candidate's latency is measured with


class _Stopped(Exception):
    """Ends the thread that encodes in the middle of a file."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRows:
    """Decoded training rows, in time order if the folds are.

    `numbers` float32 (n, k) and `texts` strings (n, m) are the decoder's; `target` (n,) class codes or values;
    `fold` int8 (n,) the fold that validates a row, -3 for none; `group` uint64 (n,); `classes` 0 for a regression.
    `name` says by content what the rows are: encoded rows of another name are not used again. `meanings` is what a
    model says of the words of a text column, by the column's name.
    """

    numbers: NDArray[np.float32]
    texts: NDArray[Any]
    target: NDArray[Any]
    fold: NDArray[np.int8]
    group: NDArray[np.uint64]
    plan: FeaturePlan
    problem: Problem
    classes: int
    folds: int
    time_ordered: bool
    name: str
    meanings: Mapping[str, Meanings] = field(default_factory=dict)

    def training(self, fold: int | None) -> NDArray[np.bool_]:
        """Return which rows train a fold (None: all)."""
        if fold is None:
            return np.ones(self.fold.shape, dtype=bool)
        trains: NDArray[np.bool_] = self.fold < fold if self.time_ordered else self.fold != fold
        return trains


@dataclass(slots=True)
class Encoding:
    """Encodes in a thread of its own; slots read each file as soon as it is there.

    `categorical` and `monotone` are by flavour; `fold_seconds` is what one file took.
    """

    rows: TrainingRows
    flavours: tuple[Flavour, ...]
    folder: Path
    seed: int
    constraints: tuple[tuple[str, int], ...] = ()
    features: dict[Flavour, int] = field(default_factory=dict)
    categorical: dict[Flavour, tuple[int, ...]] = field(default_factory=dict)
    monotone: dict[Flavour, tuple[int, ...]] = field(default_factory=dict)
    known: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None
    seconds: float = 0.0
    thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to encode; what an earlier process of the same search encoded is kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.thread = threading.Thread(target=self._run, name="encode-folds", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Stop after the encoder at hand; what is not written by then never is."""
        self.stopping.set()
        if self.thread is not None:
            self.thread.join()

    def check(self) -> None:
        """Raise what went wrong while encoding."""
        if self.failure is not None:
            raise self.failure

    @property
    def done(self) -> bool:
        """Whether every file is there."""
        return self.known.is_set() and self.thread is not None and not self.thread.is_alive()

    @property
    def encoded(self) -> EncodedFolds:
        """What the folder holds, once `known` is set."""
        rows = self.rows
        return EncodedFolds(
            folder=str(self.folder),
            problem=rows.problem,
            classes=rows.classes,
            rows=int(rows.target.shape[0]),
            folds=rows.folds,
            time_ordered=rows.time_ordered,
            features=dict(self.features),
        )

    def _run(self) -> None:
        began = time.monotonic()
        try:
            _save(self.folder / "target.npy", self.rows.target)
            _save(self.folder / "fold.npy", self.rows.fold)
            _save(self.folder / "group.npy", self.rows.group)
            _save(self.folder / "some-numbers.npy", self.rows.numbers[:SOME_ROWS])
            _save(self.folder / "some-texts.npy", self.rows.texts[:SOME_ROWS].astype(np.str_))
            # the cores are the slots'; threads that wait for one another would take long
            with threadpool_limits(1), suppress(_Stopped):
                self._encode_all()
        except BaseException as error:  # noqa: BLE001  raised again by `check`, in the search's own thread
            self.failure = error
        finally:
            self.known.set()
            self.seconds = time.monotonic() - began

    def _encode_all(self) -> None:
        for fold in [*range(self.rows.folds), None]:
            for flavour in self.flavours:
                self._encode(flavour, fold)
            self.known.set()

    def _encode(self, flavour: Flavour, fold: int | None) -> None:
        path = self.folder / f"{flavour}-{'all' if fold is None else fold}.npy"
        model = pipeline_path(self.folder, flavour, fold)
        if path.exists() and model.exists():
            self._learn(flavour, _read(model))
            return
        rows, trains = self.rows, self.rows.training(fold)
        pipeline = build_pipeline(rows.plan.columns, flavour, rows.classes, self.seed, rows.meanings)
        if trains.all():
            encoded = self._heeding(pipeline).fit_transform(rows.numbers, rows.texts, rows.target, rows.group)
            self._keep(model, pipeline)
            _save(path, encoded)
        else:
            seen = (rows.numbers[trains], rows.texts[trains], rows.target[trains], rows.group[trains])
            learnt = self._heeding(pipeline).fit_transform(*seen)
            others = self._heeding(pipeline).transform(rows.numbers[~trains], rows.texts[~trains])
            self._keep(model, pipeline)
            _write_both(path, trains, learnt, others)
        self._learn(flavour, pipeline)

    def _heeding(self, pipeline: Pipeline) -> Pipeline:
        """Return a pipeline of the same encoders, to go through once, that ends between two once `stop` is called."""
        return replace(pipeline, encoders=self._while_wanted(pipeline.encoders))  # type: ignore[arg-type]

    def _while_wanted(self, encoders: tuple[Encoder, ...]) -> Iterator[Encoder]:
        for encoder in encoders:
            if self.stopping.is_set():
                raise _Stopped
            yield encoder

    def _keep(self, path: Path, pipeline: Pipeline) -> None:
        if self.stopping.is_set():
            raise _Stopped
        _replace(path, pickle.dumps(pipeline))

    def _learn(self, flavour: Flavour, pipeline: Pipeline) -> None:
        if flavour not in self.features:
            self.categorical[flavour] = pipeline.categorical
            self.monotone[flavour] = pipeline.monotone(self.constraints)
            self.features[flavour] = len(pipeline.features)


def pipeline_path(folder: Path, flavour: Flavour, fold: int | None) -> Path:
    """Return where the pipeline lies that was learnt on the rows that train a fold (None: on all)."""
    return folder / f"pipeline-{flavour}-{'all' if fold is None else fold}.pkl"


def read_pipeline(folder: Path, flavour: Flavour, fold: int | None) -> Pipeline:
    """Return the pipeline that encoded a fold of a study's folder."""
    return _read(pipeline_path(folder, flavour, fold))


def _read(path: Path) -> Pipeline:
    pipeline = pickle.loads(path.read_bytes())  # noqa: S301  written by this search, in its own folder
    if not isinstance(pipeline, Pipeline):
        raise TypeError(f"{path.name} must hold a pipeline, but holds {type(pipeline).__name__}.")
    return pipeline


def folds_folder(folder: Path) -> Path:
    """Return where a study's encoded folds and out-of-fold predictions lie."""
    return folder / "folds"


def prepare(folder: Path, name: str) -> None:
    """Make a study's folder; one that searched other rows is emptied."""
    if folder.exists() and _marked(folder) not in (name, None):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / MARK, json.dumps({"rows": name}).encode())


def _marked(folder: Path) -> str | None:
    path = folder / MARK
    return str(json.loads(path.read_text(encoding="utf-8"))["rows"]) if path.exists() else None


def _write_both(path: Path, trains: NDArray[np.bool_], learnt: NDArray[Any], others: NDArray[Any]) -> None:
    """Write the rows that were learnt from and the others in their order, through the file's pages: no third copy."""
    if path.exists():
        return
    draft = _draft(path)
    shape = (trains.size, learnt.shape[1])
    file = np.lib.format.open_memmap(draft, mode="w+", dtype=np.float32, shape=shape)
    file[trains], file[~trains] = learnt, others
    file.flush()
    draft.replace(path)


def _save(path: Path, array: NDArray[Any]) -> None:
    if path.exists():
        return
    draft = _draft(path)
    with draft.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
    draft.replace(path)


def _replace(path: Path, data: bytes) -> None:
    draft = _draft(path)
    draft.write_bytes(data)
    draft.replace(path)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")
