"""Encoding ends soon when a search does, and what it left undone is done by the next process."""

import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.features._base import Feature, Matrix, Targets, Texts
from penstock.features.pipeline import Pipeline
from penstock.graphs import GraphBuilder
from penstock.search.encoding import Encoding, _Stopped, pipeline_path
from tests.unit.search.conftest import FOLDS, make_rows


@dataclass
class Passing:
    """Passes numbers on, counts how often it was asked, and may end the search meanwhile."""

    ends: threading.Event | None = None
    asked: int = 0
    features: tuple[Feature, ...] = ()

    def fit_transform(self, numbers: Matrix, texts: Texts, targets: Targets) -> Matrix:
        del targets
        return self.transform(numbers, texts)

    def transform(self, numbers: Matrix, texts: Texts) -> Matrix:
        del texts
        self.asked += 1
        if self.ends is not None:
            self.ends.set()
        return numbers

    def write(self, graph: GraphBuilder, numbers: str, texts: str) -> str:
        del graph, texts
        return numbers


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if "dense" in path.name}


def test_no_encoder_begins_once_the_search_has_ended(tmp_path: Path) -> None:
    known, rows = Encoding(make_rows(), ("dense",), tmp_path, 7), make_rows()
    first, second = Passing(known.stopping), Passing()
    pipeline = Pipeline("dense", 2, 7, (), (), (first, second))
    with pytest.raises(_Stopped):
        known._heeding(pipeline).fit_transform(rows.numbers, rows.texts, rows.target)
    assert (first.asked, second.asked) == (1, 0)
    with pytest.raises(_Stopped):
        known._heeding(pipeline).transform(rows.numbers, rows.texts)
    assert (first.asked, second.asked) == (1, 0)


def test_what_was_learnt_when_the_search_ended_is_not_written(tmp_path: Path) -> None:
    known = Encoding(make_rows(), ("dense",), tmp_path, 7)
    known.stopping.set()
    with pytest.raises(_Stopped):
        known._keep(pipeline_path(tmp_path, "dense", 0), Pipeline("dense", 2, 7, (), (), (Passing(),)))
    assert written(tmp_path) == set()


def test_what_was_stopped_is_no_failure_and_the_next_process_encodes_it(tmp_path: Path) -> None:
    stopped = Encoding(make_rows(), ("dense",), tmp_path, 7)
    stopped.stopping.set()
    stopped.start()
    stopped.stop()
    stopped.check()
    assert written(tmp_path) == set()
    again = Encoding(make_rows(), ("dense",), tmp_path, 7)
    again.start()
    assert again.thread is not None
    again.thread.join(30)
    again.check()
    assert written(tmp_path) >= {f"dense-{fold}.npy" for fold in (*range(FOLDS), "all")}
