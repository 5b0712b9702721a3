"""Short texts as features: by words and pairs of words, through vectors learnt on the training rows."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.utils.extmath import randomized_svd

from penstock.features._base import INNER_FOLDS, Feature, Matrix, Targets, Texts
from penstock.features.categories import count_words, find_places, index_of
from penstock.features.numbers import pick
from penstock.graphs import GraphBuilder

MOST_PAIRS = 2000  # of neighbouring words
LEAST_SEEN_GRAM = 2  # rows that a word or pair must be in to speak in a linear model, which shrinks what is rare
SHRINK = 0.3  # of that model
MOST_WORDS = 2000  # of a vocabulary; the rest are rare and a row of a batch takes memory for each
LEAST_SEEN = 3  # rows that a word must be in
DIRECTIONS = 24  # of the space of words (latent semantic analysis)
STEPS = 2**15  # of a vector's numbers: sums over 64 words of so few steps are exact in float32, in any order
SMOOTHING = 1.0


@dataclass(slots=True)
class WordVectors:
    """A text as the sum of its words' vectors over the root of their number, and that number.

    The vectors are the main directions of the words' inverse document frequencies (Deerwester et al. 1990,
    "Indexing by latent semantic analysis") and how much a word speaks for each target (Wang and Manning 2012,
    "Baselines and bigrams"), the latter cross-fitted on rows that are learnt from. Vectors lie on a grid, so that
    every library adds them to the same float32 sums.
    """

    positions: tuple[int, ...]
    column: str
    seed: int
    targets: tuple[str, ...] = ()
    vocabulary: list[str] = field(default_factory=list)
    vectors: Matrix = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @property
    def features(self) -> tuple[Feature, ...]:
        """The directions, the words for each target, the number of known words."""
        directions = self.vectors.shape[1] - len(self.targets)
        names = [f"{self.column}: direction {number + 1}" for number in range(directions)]
        names += [f"{self.column}: words for target {target}" for target in self.targets]
        return tuple(Feature(name, self.column) for name in [*names, f"{self.column}: known words"])

    def fit_transform(self, numbers: Matrix, texts: Texts, targets: Targets) -> Matrix:
        """Learn the vocabulary and its vectors; rows get the words for a target from other inner folds."""
        del numbers
        self.targets = targets.names
        self.vocabulary = vocabulary_of(texts[:, self.positions])
        counts = self._counts(texts)
        centred = targets.values - targets.values.mean(axis=0)
        directions = _directions(counts, self.seed)
        speaks = _speaks(counts, centred)
        scale = np.where(np.abs(speaks).max(axis=0) > 0, np.abs(speaks).max(axis=0), 1.0)
        self.vectors = grid_of(np.hstack([directions, speaks / scale]))
        features = self._features(counts)
        for fold in range(INNER_FOLDS):
            own = targets.folds == fold
            others = grid_of(_speaks(counts[~own], centred[~own]) / scale)
            features[own, directions.shape[1] : -1] = sums_of(counts[own], others)
        return features

    def transform(self, numbers: Matrix, texts: Texts) -> Matrix:
        """Sum the vectors of each text's words."""
        del numbers
        return self._features(self._counts(texts))

    def write(self, graph: GraphBuilder, numbers: str, texts: str) -> str:
        """Sum the vectors of each text's words."""
        del numbers
        counts = count_words(graph, pick(graph, texts, self.positions), self.vocabulary)
        sums = graph.add("MatMul", counts, graph.constant(self.vectors))
        number = graph.add("ReduceSum", counts, graph.constant(np.array([1], np.int64)), keepdims=1)
        roots = graph.constant(roots_to(len(self.positions))[:, None])
        whole = graph.cast(graph.add("Squeeze", number, graph.constant(np.array([1], np.int64))), "int64")
        return graph.concat([graph.add("Div", sums, graph.add("Gather", roots, whole, axis=0)), number])

    def _counts(self, texts: Texts) -> sparse.csr_matrix:
        return counts_of(texts[:, self.positions], self.vocabulary)

    def _features(self, counts: sparse.csr_matrix) -> Matrix:
        number = np.asarray(counts.sum(axis=1), np.float32)
        return np.hstack([sums_of(counts, self.vectors), number], dtype=np.float32)


@dataclass(slots=True)
class TextScores:
    """What a linear model of words and pairs of words says of each target: one feature a target.

    The model is a ridge regression on counts weighted by rarity over the root of their number (after Salton and
    Buckley 1988, "Term-weighting approaches in automatic text retrieval"), cross-fitted on rows that are learnt from:
    boosted trees, which take few words at a time, are so given what a model of all of them says.
    """

    positions: tuple[int, ...]
    column: str
    targets: tuple[str, ...] = ()
    words: list[str] = field(default_factory=list)
    pairs: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    vectors: Matrix = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @property
    def features(self) -> tuple[Feature, ...]:
        """One feature a target."""
        return tuple(Feature(f"{self.column}: linear model of {target}", self.column) for target in self.targets)

    def fit_transform(self, numbers: Matrix, texts: Texts, targets: Targets) -> Matrix:
        """Learn words, pairs and their weights; rows get what a model of the other inner folds says."""
        del numbers
        self.targets = targets.names
        self.words = vocabulary_of(texts[:, self.positions], LEAST_SEEN_GRAM)
        self.pairs = self._frequent_pairs(texts)
        counts = self._counts(texts)
        seen = np.asarray((counts > 0).sum(axis=0)).ravel()
        rarity = np.log((1 + len(texts)) / (1 + seen)) + 1
        said = np.zeros(targets.values.shape, np.float32)
        for fold in range(INNER_FOLDS):
            own = targets.folds == fold
            others = grid_of(_ridge(counts[~own], rarity, targets.values[~own]))
            said[own] = sums_of(counts[own], others)
        spread = said.std(axis=0)
        scale = np.where(spread > 0, spread, 1.0).astype(np.float32)
        self.vectors = grid_of(_ridge(counts, rarity, targets.values) / scale)
        return said / scale

    def transform(self, numbers: Matrix, texts: Texts) -> Matrix:
        """Sum the weights of each text's words and pairs."""
        del numbers
        return np.asarray(sums_of(self._counts(texts), self.vectors), np.float32)

    def write(self, graph: GraphBuilder, numbers: str, texts: str) -> str:
        """Sum the weights of each text's words and pairs."""
        del numbers
        counts = count_words(graph, pick(graph, texts, self.positions), self.words, self._named_pairs())
        return write_sums(graph, counts, self.vectors, 2 * len(self.positions))

    def _named_pairs(self) -> list[tuple[str, str]]:
        width = len(self.words)
        return [(self.words[pair // width], self.words[pair % width]) for pair in self.pairs]

    def _codes(self, texts: Texts) -> NDArray[np.int64]:
        words = texts[:, self.positions]
        return find_places(index_of(self.words), words.ravel()).reshape(words.shape).astype(np.int64)

    def _neighbours(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the pair of known words that begins at each place, -1 where there is none."""
        first, second = codes[:, :-1], codes[:, 1:]
        return np.where((first >= 0) & (second >= 0), first * len(self.words) + second, -1)

    def _frequent_pairs(self, texts: Texts) -> NDArray[np.int64]:
        pairs = self._neighbours(self._codes(texts))
        rows = np.repeat(np.arange(len(pairs)), pairs.shape[1])
        met = np.unique(np.column_stack([pairs.ravel(), rows])[pairs.ravel() >= 0], axis=0)[:, 0]
        found, seen = np.unique(met, return_counts=True)
        order = np.argsort(-seen, kind="stable")
        return np.sort(found[order][seen[order] >= LEAST_SEEN_GRAM][:MOST_PAIRS])

    def _counts(self, texts: Texts) -> sparse.csr_matrix:
        """Return how often each row has each word and pair, shape (n_rows, n_words + n_pairs)."""
        codes = self._codes(texts)
        pairs = self._neighbours(codes)
        places = np.searchsorted(self.pairs, pairs)
        known = np.zeros(pairs.shape, bool)
        if len(self.pairs):
            known = self.pairs[np.minimum(places, len(self.pairs) - 1)] == pairs
        both = np.hstack([codes, np.where(known, places + len(self.words), -1)])
        rows, at = np.nonzero(both >= 0)
        shape = (len(texts), len(self.words) + len(self.pairs))
        return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, both[rows, at])), shape)


def _ridge(counts: sparse.csr_matrix, rarity: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight of each word and pair for each target, in deviations of it, shape (n_grams, n_targets)."""
    if not len(targets) or not counts.nnz:
        return np.zeros((counts.shape[1], targets.shape[1]))
    number = np.asarray(counts.sum(axis=1)).ravel().astype(np.int64)
    roots = roots_to(int(number.max(initial=0)))[number]
    weighted = sparse.diags(1.0 / roots) @ counts @ sparse.diags(rarity)
    deviation = np.where(targets.std(axis=0) > 0, targets.std(axis=0), 1.0)
    model = Ridge(SHRINK * float(np.mean(rarity)) ** 2, solver="sparse_cg", tol=1e-3)
    weights = model.fit(weighted, (targets - targets.mean(axis=0)) / deviation).coef_.reshape(targets.shape[1], -1).T
    found: NDArray[np.float64] = rarity[:, None] * weights
    return found


def vocabulary_of(words: NDArray[Any], least: int = LEAST_SEEN, most: int = MOST_WORDS) -> list[str]:
    """Return the words in enough rows, most frequent first; one that is never met if there are none."""
    codes, names = pd.factorize(words.ravel())
    cells = np.unique(np.repeat(np.arange(len(words)), words.shape[1]) * len(names) + codes) % max(1, len(names))
    seen = np.bincount(cells, minlength=len(names))
    order = sorted(range(len(names)), key=lambda place: (-seen[place], names[place]))
    return [names[place] for place in order if names[place] and seen[place] >= least][:most] or ["\x1f"]


def _directions(counts: sparse.csr_matrix, seed: int) -> NDArray[np.float64]:
    """Return a vector of each word, scaled so that the features of the training rows have deviation 1."""
    rows, words = counts.shape
    width = min(DIRECTIONS, rows - 1, words - 1)
    if width < 1:
        return np.zeros((words, 0))
    seen = np.asarray((counts > 0).sum(axis=0)).ravel()
    rarity = np.log((1 + rows) / (1 + seen)) + 1
    weighted = counts @ sparse.diags(rarity)
    norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1))).ravel()
    weighted = sparse.diags(1 / np.where(norms > 0, norms, 1.0)) @ weighted
    _, _, main = randomized_svd(weighted, width, n_iter=2, random_state=seed)
    vectors = rarity[:, None] * main.T
    deviation = sums_of(counts, vectors).std(axis=0)
    scaled: NDArray[np.float64] = vectors / np.where(deviation > 0, deviation, 1.0)
    return scaled


def _speaks(counts: sparse.csr_matrix, centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far the target of rows with a word lies from the mean, shrunk, in deviations."""
    if not len(centred):
        return np.zeros((counts.shape[1], centred.shape[1]))
    has = counts.sign()
    seen = np.asarray(has.sum(axis=0)).ravel()[:, None]
    deviation = np.where(centred.std(axis=0) > 0, centred.std(axis=0), 1.0)
    return np.asarray(has.T @ centred) / deviation / (seen + SMOOTHING)


def grid_of(vectors: NDArray[np.float64]) -> Matrix:
    """Round to a grid of a power of two, so that sums of them are exact in float32."""
    largest = np.abs(vectors).max(axis=0, initial=1e-6)
    step = 2.0 ** np.ceil(np.log2(largest)) / STEPS
    rounded: Matrix = (np.round(vectors / step) * step).astype(np.float32)
    return rounded


def sums_of(counts: sparse.csr_matrix, vectors: NDArray[Any]) -> NDArray[Any]:
    """Return the sum of each row's vectors over the root of their number, shape (n_rows, n_directions)."""
    number = np.asarray(counts.sum(axis=1)).ravel().astype(np.int64)
    return np.asarray(counts @ vectors) / roots_to(int(number.max(initial=0)))[number][:, None]


def counts_of(words: NDArray[Any], known: list[str]) -> sparse.csr_matrix:
    """Return how often each row has each known word, shape (n_rows, n_words)."""
    codes = find_places(index_of(known), words.ravel()).reshape(words.shape)
    rows, places = np.nonzero(codes >= 0)
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, codes[rows, places])), (len(words), len(known)))


def write_sums(graph: GraphBuilder, counts: str, vectors: Matrix, most: int) -> str:
    """Add the nodes that do what `sums_of` does, where a row has at most so many words."""
    sums = graph.add("MatMul", counts, graph.constant(vectors))
    number = graph.add("ReduceSum", counts, graph.constant(np.array([1], np.int64)), keepdims=0)
    roots = graph.constant(roots_to(most)[:, None])
    return graph.add("Div", sums, graph.add("Gather", roots, graph.cast(number, "int64"), axis=0))


def roots_to(most: int) -> Matrix:
    """Return the roots of 1, 1, 2, ... `most`: what a sum over so many words is divided by."""
    return np.sqrt(np.maximum(np.arange(most + 1), 1)).astype(np.float32)
