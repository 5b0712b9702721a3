"""Categories as codes, as indicators, or as the mean target seen with them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.features._base import INNER_FOLDS, Feature, Matrix, Targets, Texts
from penstock.features.numbers import pick
from penstock.graphs import ML, GraphBuilder

SEEN_BY_TREES = 3  # rarer levels share the code of levels never seen, so that the model has met it
SEEN_BY_DENSE = 10  # rarer levels have no indicator: a weight learnt on fewer rows is noise
MANY_LEVELS = 20  # from here on trees are given the mean target seen with a level beside its code
FEW = 20  # of a small table's rows, one in so many is enough
PRIOR_ROWS = 10.0  # a level's mean counts as if this many rows of the overall mean had been seen with it
MARK = "\x1f"  # between a column's number and its value in a table of several columns


@dataclass(slots=True)
class LevelCodes:
    """Levels as codes, the most frequent 0; rare and unseen ones -1."""

    positions: tuple[int, ...]
    features: tuple[Feature, ...]
    levels: list["pd.Index[Any]"] = field(default_factory=list)

    def fit_transform(self, numbers: Matrix, texts: Texts, targets: Targets) -> Matrix:
        """Learn the levels and their order."""
        del targets
        self.levels = [_levels(texts[:, position], SEEN_BY_TREES) for position in self.positions]
        return self.transform(numbers, texts)

    def transform(self, numbers: Matrix, texts: Texts) -> Matrix:
        """Look codes up."""
        codes = np.empty((len(numbers), len(self.positions)), np.float32)
        for place, (position, levels) in enumerate(zip(self.positions, self.levels, strict=True)):
            codes[:, place] = find_places(levels, texts[:, position])
        return codes

    def write(self, graph: GraphBuilder, numbers: str, texts: str) -> str:
        """Look codes up."""
        del numbers
        keys, values = _table(self.levels, [np.arange(len(levels)) for levels in self.levels])
        return _look_up(graph, _marked(graph, texts, self.positions), keys, values, -1.0)


@dataclass(slots=True)
class LevelIndicators:
    """One feature a level, 1 where a row has it; rare and unseen levels have none."""

    positions: tuple[int, ...]
    columns: tuple[str, ...]
    levels: list["pd.Index[Any]"] = field(default_factory=list)

    @property
    def features(self) -> tuple[Feature, ...]:
        """The levels of the first column, then those of the second, and so on."""
        return tuple(
            Feature(f"{column} is {level}", column)
            for column, levels in zip(self.columns, self.levels, strict=True)
            for level in levels
        )

    def fit_transform(self, numbers: Matrix, texts: Texts, targets: Targets) -> Matrix:
        """Learn the levels; none is left out as redundant, since all models here shrink their weights."""
        del targets
        self.levels = [_levels(texts[:, position], SEEN_BY_DENSE) for position in self.positions]
        return self.transform(numbers, texts)

    def transform(self, numbers: Matrix, texts: Texts) -> Matrix:
        """Mark each row's levels."""
        marks = np.zeros((len(numbers), sum(map(len, self.levels))), np.float32)
        start = 0
        for position, levels in zip(self.positions, self.levels, strict=True):
            codes = find_places(levels, texts[:, position])
            rows = np.flatnonzero(codes >= 0)
            marks[rows, start + codes[rows]] = 1.0
            start += len(levels)
        return marks

    def write(self, graph: GraphBuilder, numbers: str, texts: str) -> str:
        """Mark each row's levels."""
        del numbers
        keys, _ = _table(self.levels, [np.arange(len(levels)) for levels in self.levels])
        return count_words(graph, _marked(graph, texts, self.positions), keys)


@dataclass(slots=True)
class LevelMeans:
    """Levels as the mean target seen with them, shrunk to the overall mean, and as how often they were seen.

    Rows that are learnt from are encoded by other rows only, or the model would read its own target (Micci-Barreca
    2001, "A preprocessing scheme for high-cardinality categorical attributes"; cross-fitted as in scikit-learn).
    """

    positions: tuple[int, ...]
    columns: tuple[str, ...]
    targets: tuple[str, ...] = ()
    levels: list["pd.Index[Any]"] = field(default_factory=list)
    means: list[NDArray[np.float32]] = field(default_factory=list)
    centre: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    spread: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    @property
    def features(self) -> tuple[Feature, ...]:
        """For each target the means of all columns, then how often the levels were seen."""
        names = [f"target {target} of" for target in self.targets] + ["how often:"]
        return tuple(Feature(f"{name} {column}", column) for name in names for column in self.columns)

    def fit_transform(self, numbers: Matrix, texts: Texts, targets: Targets) -> Matrix:
        """Learn means on all rows; return means of each row's other inner folds."""
        del numbers
        self.targets = targets.names
        self.centre = targets.values.mean(axis=0)
        self.spread = np.where(targets.values.std(axis=0) > 0, targets.values.std(axis=0), 1.0)
        scaled = (targets.values - self.centre) / self.spread
        self.levels, self.means, honest = [], [], []
        for position in self.positions:
            codes, levels = pd.factorize(texts[:, position])
            self.levels.append(index_of(list(levels)))
            means, own = _shrunk_means(codes, len(levels), scaled, targets.folds)
            seen = _how_often(np.bincount(codes, minlength=len(levels)))
            self.means.append(np.column_stack([means, seen]).astype(np.float32))
            honest.append(np.column_stack([own, seen[codes]]).astype(np.float32))
        return _by_target(honest)

    def transform(self, numbers: Matrix, texts: Texts) -> Matrix:
        """Look means up; a level never seen has the overall mean."""
        del numbers
        found = []
        for position, levels, means in zip(self.positions, self.levels, self.means, strict=True):
            table = np.vstack([means, np.zeros((1, means.shape[1]), np.float32)])
            found.append(table[find_places(levels, texts[:, position])])
        return _by_target(found)

    def write(self, graph: GraphBuilder, numbers: str, texts: str) -> str:
        """Look means up, one table a target for all columns."""
        del numbers
        marked = _marked(graph, texts, self.positions)
        tables = []
        for target in range(len(self.targets) + 1):
            keys, values = _table(self.levels, [means[:, target] for means in self.means])
            tables.append(_look_up(graph, marked, keys, values, 0.0))
        return graph.concat(tables)


def count_words(graph: GraphBuilder, words: str, known: list[str], pairs: Sequence[tuple[str, str]] = ()) -> str:
    """Add the node that counts how often a row has each known word, then each pair of neighbours."""
    return graph.add(
        "TfIdfVectorizer",
        words,
        mode="TF",
        min_gram_length=1,
        max_gram_length=2 if pairs else 1,
        max_skip_count=0,
        ngram_counts=[0, len(known)] if pairs else [0],
        ngram_indexes=list(range(len(known) + len(pairs))),
        pool_strings=[*known, *(word for pair in pairs for word in pair)],
    )


def index_of(names: list[str]) -> "pd.Index[Any]":
    """Return names that can be looked up fast."""
    index: pd.Index[Any] = pd.Index(np.array(names, object), dtype=object)
    return index


def find_places(names: "pd.Index[Any]", values: NDArray[Any]) -> NDArray[np.intp]:
    """Return the place of each value among `names`, -1 for one that is not there."""
    places: NDArray[np.intp] = names.get_indexer(pd.Index(values, dtype=object))
    return places


def _levels(values: NDArray[Any], least: int) -> "pd.Index[Any]":
    """Return the levels seen at least so often, the most frequent first and equal ones by name."""
    codes, levels = pd.factorize(values)
    counts = np.bincount(codes, minlength=len(levels))
    enough = min(least, max(1, len(values) // FEW))
    kept = [place for place in range(len(levels)) if counts[place] >= enough]
    order = sorted(kept, key=lambda place: (-counts[place], levels[place]))
    return index_of([levels[place] for place in order])


def _shrunk_means(
    codes: NDArray[np.intp], levels: int, targets: NDArray[np.float64], folds: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a mean for each level, and for each row the mean of its level in the other inner folds."""
    cells = codes * INNER_FOLDS + folds
    counts = np.bincount(cells, minlength=levels * INNER_FOLDS).reshape(levels, INNER_FOLDS)
    means = np.empty((levels, targets.shape[1]))
    own = np.empty(targets.shape)
    for target in range(targets.shape[1]):
        sums = np.bincount(cells, targets[:, target], levels * INNER_FOLDS).reshape(levels, INNER_FOLDS)
        total, rows = sums.sum(axis=1), counts.sum(axis=1)
        means[:, target] = total / (rows + PRIOR_ROWS)
        others = (total[:, None] - sums) / (rows[:, None] - counts + PRIOR_ROWS)
        own[:, target] = others[codes, folds]
    return means, own


def _how_often(counts: NDArray[np.intp]) -> NDArray[np.float64]:
    often: NDArray[np.float64] = np.log1p(counts) / np.log1p(counts.sum())
    return often


def _by_target(columns: list[NDArray[np.float32]]) -> Matrix:
    """Put one array a column, shape (n_rows, n_targets + 1), in the order of `LevelMeans.features`."""
    stacked = np.stack(columns, axis=2)
    return np.ascontiguousarray(stacked.reshape(len(stacked), -1))


def _table(levels: list["pd.Index[Any]"], values: list[NDArray[Any]]) -> tuple[list[str], list[float]]:
    keys = [f"{place}{MARK}{level}" for place, names in enumerate(levels) for level in names]
    if not keys:
        return [MARK], [0.0]  # a table needs a line; no value has this key
    return keys, [float(value) for column in values for value in column]


def _marked(graph: GraphBuilder, texts: str, positions: tuple[int, ...]) -> str:
    """Add the nodes that pick columns of text and put each column's number before its values."""
    marks = graph.constant(np.array([f"{place}{MARK}" for place in range(len(positions))], object))
    return graph.add("StringConcat", marks, pick(graph, texts, positions))


def _look_up(graph: GraphBuilder, keys: str, known: list[str], values: list[float], default: float) -> str:
    return graph.add("LabelEncoder", keys, domain=ML, keys_strings=known, values_floats=values, default_float=default)
