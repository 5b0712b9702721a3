"""Build what the plan says: from decoded arrays to the features of a flavour of models."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.data.decoding import Decoder, compile_decoding
from penstock.domain.features import ColumnPlan, FeaturePlan, Flavour
from penstock.errors import ModelError
from penstock.features._base import Encoder, Feature, Matrix, Texts, prepare_targets
from penstock.features.categories import MANY_LEVELS, LevelCodes, LevelIndicators, LevelMeans
from penstock.features.embeddings import Meanings, WordMeanings
from penstock.features.numbers import PERIODS, Cycles, Gaps, PlainNumbers, ScaledNumbers
from penstock.features.texts import TextScores, WordVectors


@dataclass(slots=True)
class Pipeline:
    """Learns on training rows how `numbers` and `texts` become features, and does it to any rows.

    `number_names` and `text_names` are the decoder's; `classes` is 0 for a regression.
    """

    flavour: Flavour
    classes: int
    seed: int
    number_names: tuple[str, ...]
    text_names: tuple[str, ...]
    encoders: tuple[Encoder, ...]

    def fit_transform(
        self, numbers: Matrix, texts: Texts, y: NDArray[Any], groups: NDArray[np.uint64] | None = None
    ) -> Matrix:
        """Learn on training rows and return their features.

        Parameters
        ----------
        numbers
            Shape (n_rows, n_numbers), float32, missing is NaN.
        texts
            Shape (n_rows, n_texts), strings.
        y
            Shape (n_rows,): class codes, or values. What looks at it is cross-fitted.
        groups
            Shape (n_rows,): rows of one group are never encoded by each other's targets. None if each row is its own.

        Returns
        -------
        ndarray of float32, shape (n_rows, n_features)
        """
        targets = prepare_targets(np.asarray(y), self.classes, self.seed, groups)
        return _beside([encoder.fit_transform(numbers, texts, targets) for encoder in self.encoders])

    def transform(self, numbers: Matrix, texts: Texts) -> Matrix:
        """Return the features of other rows, float32, shape (n_rows, n_features)."""
        return _beside([encoder.transform(numbers, texts) for encoder in self.encoders])

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features in order; known after fitting."""
        return tuple(feature for encoder in self.encoders for feature in encoder.features)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features' names in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def categorical(self) -> tuple[int, ...]:
        """The positions of features that hold codes of categories."""
        return tuple(place for place, feature in enumerate(self.features) if feature.categorical)

    def monotone(self, constraints: Iterable[tuple[str, int]]) -> tuple[int, ...]:
        """Return -1, 0 or 1 for each feature, from -1 or 1 for some columns; empty if no feature is constrained."""
        wanted = dict(constraints)
        signs = tuple(wanted.get(feature.source, 0) if _plain(feature) else 0 for feature in self.features)
        return signs if any(signs) else ()


def build_pipeline(
    columns: tuple[ColumnPlan, ...],
    flavour: Flavour,
    classes: int,
    seed: int = 0,
    meanings: Mapping[str, Meanings] | None = None,
) -> Pipeline:
    """Return an unfitted pipeline for what a plan uses.

    Parameters
    ----------
    columns
        The columns of a plan; those dropped are passed over.
    flavour
        `tree` keeps NaN and codes; `dense` is filled, scaled and has an indicator a level.
    classes
        The number of classes; 0 for a regression.
    seed
        Seeds the cross-fitting and the words' directions.
    meanings
        What a model says of the words of a text column, by the column's name.

    Raises
    ------
    ModelError
        If the plan uses no column.
    """
    used = tuple(column for column in columns if column.treatment != "dropped")
    if not used:
        raise ModelError("A pipeline needs at least one column that the plan uses, but it uses none.")
    decoder = compile_decoding(FeaturePlan("", "", "", used).decoding)
    numbers = _number_encoders(used, decoder, flavour)
    categories = _category_encoders(used, decoder, flavour, _with_means(used, flavour, classes))
    encoders = (*numbers, *categories, *_text_encoders(used, decoder, seed, meanings or {}))
    return Pipeline(flavour, classes, seed, decoder.number_names, decoder.text_names, encoders)


def _number_encoders(columns: tuple[ColumnPlan, ...], decoder: Decoder, flavour: Flavour) -> list[Encoder]:
    names = [column.name for column in columns if column.treatment in {"number", "boolean"}]
    plain = [(name, name) for name in names]
    dates = [(column.name, part) for column in columns if column.treatment == "date" for part in column.parts]
    turning = [(source, part) for source, part in dates if flavour == "dense" and part in PERIODS]
    plain += [(source, f"{source}.{part}") for source, part in dates if (source, part) not in turning]
    plain += [
        (column.name, f"{column.name}.{part}")
        for column in columns
        if column.treatment == "text"
        for part in column.parts
    ]
    places = {name: place for place, name in enumerate(decoder.number_names)}
    encoders: list[Encoder] = []
    if plain:
        kind = PlainNumbers if flavour == "tree" else ScaledNumbers
        positions = tuple(places[name] for _, name in plain)
        encoders.append(kind(positions, tuple(Feature(name, source) for source, name in plain)))
    if turning:
        found = tuple(places[f"{source}.{part}"] for source, part in turning)
        parts = tuple(Feature(f"{source}.{part}", source) for source, part in turning)
        encoders.append(Cycles(found, parts, tuple(PERIODS[part] for _, part in turning)))
    pairs = [(column.name, other) for column in columns for other in column.since if f"{other}.days" in places]
    return [*encoders, _gaps(pairs, places, flavour)] if pairs else encoders


def _gaps(pairs: list[tuple[str, str]], places: dict[str, int], flavour: Flavour) -> Gaps:
    """Return what subtracts dates: by minutes where both have them, else by hours."""
    fine = [all(f"{name}.minutes" in places for name in pair) for pair in pairs]
    parts = ["minutes" if one else "hour" for one in fine]
    found = tuple(
        (places[f"{later}.days"], places[f"{later}.{part}"], places[f"{earlier}.days"], places[f"{earlier}.{part}"])
        for (later, earlier), part in zip(pairs, parts, strict=True)
    )
    names = tuple(Feature(f"{later} since {earlier}", later) for later, earlier in pairs)
    kind = PlainNumbers if flavour == "tree" else ScaledNumbers
    return Gaps(found, tuple(1.0 if one else 60.0 for one in fine), kind(tuple(range(len(pairs))), names))


def _with_means(columns: tuple[ColumnPlan, ...], flavour: Flavour, classes: int) -> tuple[str, ...]:
    """Return the columns whose levels become the mean target seen with them.

    Trees are given it beside the code of a level where a code says little, and where the target is one number.
    """
    coded = flavour == "tree" and classes <= 2  # noqa: PLR2004 - a mean for each class of many would be too wide
    return tuple(
        column.name
        for column in columns
        if column.treatment == "high_cardinality"
        or (coded and column.treatment == "category" and len(column.levels) >= MANY_LEVELS)
    )


def _category_encoders(
    columns: tuple[ColumnPlan, ...], decoder: Decoder, flavour: Flavour, high: tuple[str, ...]
) -> list[Encoder]:
    places = {name: place for place, name in enumerate(decoder.text_names)}
    low = tuple(column.name for column in columns if column.treatment == "category")
    encoders: list[Encoder] = []
    if low:
        positions = tuple(places[name] for name in low)
        if flavour == "tree":
            encoders.append(LevelCodes(positions, tuple(Feature(name, name, categorical=True) for name in low)))
        else:
            encoders.append(LevelIndicators(positions, low))
    if high:
        encoders.append(LevelMeans(tuple(places[name] for name in high), high))
    return encoders


def _text_encoders(
    columns: tuple[ColumnPlan, ...], decoder: Decoder, seed: int, meanings: Mapping[str, Meanings]
) -> list[Encoder]:
    encoders: list[Encoder] = []
    for column in columns:
        if column.treatment == "text":
            positions = tuple(place for place, source in enumerate(decoder.text_sources) if source == column.name)
            encoders.append(WordVectors(positions, column.name, seed))
            if column.parts:
                encoders.append(TextScores(positions, column.name))
            if column.name in meanings:
                encoders.append(WordMeanings(positions, column.name, meanings[column.name]))
    return encoders


def _beside(blocks: list[Matrix]) -> Matrix:
    return blocks[0] if len(blocks) == 1 else np.hstack(blocks, dtype=np.float32)


def _plain(feature: Feature) -> bool:
    return feature.name == feature.source and not feature.categorical
