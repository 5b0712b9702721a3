"""Words by what they mean elsewhere: their embeddings by a static model of a local folder.

A static model gives each token one vector, whatever stands beside it (Tulkens and van Dongen 2024, Model2Vec; the
`StaticEmbedding` of sentence-transformers). A text's embedding is then a sum over its words, which the one graph of a
version can form. A model that reads whole sentences cannot be written into that graph, and is no choice here.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from penstock.errors import MissingExtra, NotFound, SpecError
from penstock.features._base import Feature, Matrix, Targets, Texts
from penstock.features.categories import count_words
from penstock.features.numbers import pick
from penstock.features.texts import counts_of, grid_of, sums_of, vocabulary_of, write_sums
from penstock.graphs import GraphBuilder

FILES = ("tokenizer.json", "model.safetensors")
PLACES = ("", "0_StaticEmbedding")  # Model2Vec's, and sentence-transformers'
TABLES = ("embeddings", "embedding.weight")  # the name of the vectors in either
LEAST_SEEN = 1  # rows that a word must be in: what it means is known from elsewhere
MOST_WORDS = 5000
DIRECTIONS = 32


@dataclass(frozen=True, slots=True)
class Meanings:
    """The words of a column that a model knows, with their vectors, float32, shape (n_words, n_directions)."""

    words: tuple[str, ...]
    vectors: Matrix


@dataclass(slots=True)
class WordMeanings:
    """A text as the sum of its words' embeddings over the root of their number."""

    positions: tuple[int, ...]
    column: str
    known: Meanings

    @property
    def features(self) -> tuple[Feature, ...]:
        """The main directions in which the column's words differ, the widest first."""
        width = self.known.vectors.shape[1]
        return tuple(Feature(f"{self.column}: meaning {number + 1}", self.column) for number in range(width))

    def fit_transform(self, numbers: Matrix, texts: Texts, targets: Targets) -> Matrix:
        """Learn nothing: the vectors are given, and no target is looked at."""
        del targets
        return self.transform(numbers, texts)

    def transform(self, numbers: Matrix, texts: Texts) -> Matrix:
        """Sum the vectors of each text's words."""
        del numbers
        counts = counts_of(texts[:, self.positions], list(self.known.words))
        return np.asarray(sums_of(counts, self.known.vectors), np.float32)

    def write(self, graph: GraphBuilder, numbers: str, texts: str) -> str:
        """Sum the vectors of each text's words."""
        del numbers
        counts = count_words(graph, pick(graph, texts, self.positions), list(self.known.words))
        return write_sums(graph, counts, self.known.vectors, len(self.positions))


def model_digest(folder: Path) -> str:
    """Return the digest of a model's two files.

    Raises
    ------
    NotFound
        If the folder does not hold them.
    """
    found = hashlib.sha256()
    for path in _files(folder):
        found.update(path.read_bytes())
    return found.hexdigest()


def learn_meanings(words: Texts, folder: Path) -> Meanings:
    """Look up what a model says of a column's words, in the main directions in which they differ.

    Parameters
    ----------
    words
        Shape (n_rows, n_places): the words of each training row; "" is none.
    folder
        A model's `tokenizer.json` and `model.safetensors`.

    Returns
    -------
    Meanings
        Scaled so that the features of these rows have deviation 1; no word if the model knows none.

    Raises
    ------
    MissingExtra
        If the libraries that read a model are not installed.
    NotFound
        If the folder does not hold the two files.
    SpecError
        If they are not a static model.
    """
    embed = read_model(folder)
    vectors = {word: embed(word) for word in vocabulary_of(words, LEAST_SEEN, MOST_WORDS)}
    known = {word: vector for word, vector in vectors.items() if vector is not None}
    if not known:
        return Meanings(("\x1f",), np.zeros((1, 1), np.float32))
    names, table = tuple(known), np.vstack(list(known.values())).astype(np.float64)
    counts = counts_of(words, list(names))
    weight = np.sqrt(np.asarray(counts.sum(axis=0)).ravel())[:, None]
    centred = (table - np.average(table, axis=0, weights=weight.ravel() ** 2)) * weight
    _, _, main = np.linalg.svd(centred, full_matrices=False)
    turned = table @ main[: min(DIRECTIONS, len(names))].T
    deviation = np.asarray(sums_of(counts, turned)).std(axis=0)
    return Meanings(names, grid_of(turned / np.where(deviation > 0, deviation, 1.0)))


def read_model(folder: Path) -> Callable[[str], NDArray[np.float32] | None]:
    """Return what gives a word's vector, or None for a word of which the model knows no token."""
    tokens, weights = _files(folder)
    try:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer  # type: ignore[import-not-found, unused-ignore]  # an extra
    except ImportError as error:
        raise MissingExtra(
            f"`columns.embeddings` needs {error.name!r}, which is not installed. `pip install 'penstock[embeddings]'`."
        ) from error
    try:
        tokenizer, tensors = Tokenizer.from_file(str(tokens)), load_file(weights)
    except Exception as error:  # the libraries raise their own, without a common kind
        raise SpecError(f"The files of {str(folder)!r} must be a model's, but reading them failed: {error}.") from error
    table = next((tensors[name] for name in TABLES if name in tensors), None)
    if table is None or table.ndim != 2:  # noqa: PLR2004  one vector a token
        raise SpecError(
            f"{str(weights)!r} must hold one vector a token, named {' or '.join(map(repr, TABLES))}, but holds "
            f"{', '.join(sorted(tensors)) or 'nothing'}. Only a static model serves (Model2Vec, StaticEmbedding)."
        )
    unknown = {tokenizer.token_to_id(name) for name in ("[UNK]", "<unk>")}
    rows = tensors.get("mapping", np.arange(len(table)))
    weight = tensors.get("weights", np.ones(len(rows)))
    if tokenizer.get_vocab_size() > len(rows):
        raise SpecError(
            f"{str(weights)!r} must hold a vector for each of the {tokenizer.get_vocab_size()} tokens of "
            f"{tokens.name!r}, but holds {len(rows)}: the two files are not of one model."
        )

    def embed(word: str) -> NDArray[np.float32] | None:
        ids = [one for one in tokenizer.encode(word, add_special_tokens=False).ids if one not in unknown]
        return np.mean([table[rows[one]] * weight[one] for one in ids], axis=0) if ids else None

    return embed


def _files(folder: Path) -> tuple[Path, Path]:
    for place in PLACES:
        tokens, weights = (folder / place / name for name in FILES)
        if tokens.is_file() and weights.is_file():
            return tokens, weights
    raise NotFound(
        f"`columns.embeddings` must name a folder with {' and '.join(FILES)}, but there are none in {str(folder)!r}. "
        f"Put the folder of a static model there (Model2Vec, StaticEmbedding): nothing is fetched."
    )
