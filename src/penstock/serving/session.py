"""A bundle's files as one object that answers rows; needs numpy and onnxruntime alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from penstock.data.decoding import Decoder, compile_decoding
from penstock.data.readers import Row
from penstock.domain.models import Signature, class_name
from penstock.errors import ModelError

if TYPE_CHECKING:
    import onnxruntime as ort

GRAPH, SIGNATURE, SCHEMA, CERTIFICATE, EXAMPLES = (
    "graph.onnx",
    "signature.json",
    "schema.json",
    "certificate.json",
    "examples.json",
)

Answer = dict[str, Any]
Scores = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LoadedBundle:
    """One version's graph in an onnxruntime session, with what it takes and gives."""

    signature: Signature
    schema: dict[str, Any]
    decoder: Decoder
    known: frozenset[str]
    names: tuple[str, ...]
    inputs: tuple[str, ...]
    half_width: float
    session: "ort.InferenceSession"

    @classmethod
    def open(cls, folder: Path, threads: int = 1) -> Self:
        """Load a bundle from its folder.

        Parameters
        ----------
        folder
            The files of a `Bundle`, verified by whoever made the folder.
        threads
            Threads of one call of the graph.

        Raises
        ------
        ModelError
            If the files are not those of a bundle.
        """
        try:
            signature = msgspec.json.decode((folder / SIGNATURE).read_bytes(), type=Signature)
            schema: dict[str, Any] = msgspec.json.decode((folder / SCHEMA).read_bytes())
            session = _session((folder / GRAPH).read_bytes(), threads)
        except (OSError, msgspec.MsgspecError) as error:
            message = f"A bundle must hold a graph, a signature and a schema that load, but: {error}."
            raise ModelError(message) from error
        return cls(
            signature=signature,
            schema=schema,
            decoder=compile_decoding(signature.decoding),
            known=frozenset(schema["properties"]) | frozenset(schema.get("x-unused", ())) | _id_column(signature),
            names=tuple(class_name(value) for value in signature.classes),
            inputs=tuple(given.name for given in session.get_inputs()),
            half_width=_half_width(signature),
            session=session,
        )

    def scores(self, numbers: NDArray[np.float32], texts: NDArray[np.object_]) -> Scores:
        """Run the graph on decoded rows.

        Parameters
        ----------
        numbers, texts
            What the decoder gives, of shapes (n, k) and (n, m).

        Returns
        -------
        shape (n, classes) : calibrated probabilities; or (n, 1) : values, in float64 but from older bundles
        """
        given = {"numbers": numbers, "texts": texts}
        scores: Scores = self.session.run(None, {name: given[name] for name in self.inputs})[0]
        return scores

    def predict_rows(self, rows: Sequence[Row]) -> list[Answer]:
        """Answer rows as they come out of JSON.

        Raises
        ------
        RowErrors
            If a row does not fit.
        """
        numbers, texts = self.decoder.rows(rows)
        return self.answers(self.scores(numbers, texts), numbers)

    def answer_columns(self, table: Mapping[str, Any]) -> list[Answer]:
        """Answer whole columns in their canonical types, as `predict_rows` does rows."""
        numbers, texts = self.decoder.columns(table)
        return self.answers(self.scores(numbers, texts), numbers)

    def predict_columns(self, table: Mapping[str, Any]) -> Scores:
        """Return the scores of whole columns in their canonical types, as `scores` does."""
        return self.scores(*self.decoder.columns(table))

    def chosen(self, scores: Scores) -> NDArray[np.int64]:
        """Return the position of each row's class, shape (n,), from probabilities of shape (n, classes)."""
        signature = self.signature
        if signature.costs:
            cheapest: NDArray[np.int64] = np.argmin(scores.astype(np.float64) @ np.array(signature.costs), axis=1)
            return cheapest
        if signature.positive is None or signature.threshold is None:
            largest: NDArray[np.int64] = np.argmax(scores, axis=1)
            return largest
        high = scores[:, signature.positive].astype(np.float64) >= signature.threshold
        return np.where(high, signature.positive, 1 - signature.positive).astype(np.int64)

    def answers(self, scores: Scores, numbers: NDArray[np.float32]) -> list[Answer]:
        """Return what the caller is told of each row.

        Parameters
        ----------
        scores
            What the graph gave, shape (n, classes) or (n, 1).
        numbers
            The decoded numbers it was given, shape (n, k): a regression's intervals go by them.

        Raises
        ------
        ModelError
            If a score is not a finite number: the version has failed, and nobody is told half an answer.
        """
        if self.signature.problem == "regression":
            return [self._value(row[0], given) for row, given in zip(scores.tolist(), numbers.tolist(), strict=True)]
        return [self._class(row) for row in scores.tolist()]

    def _class(self, row: list[float]) -> Answer:
        """Return what `chosen` says of one row, without an array's overhead."""
        _check_finite(row)
        signature = self.signature
        positive = signature.positive
        if signature.costs:
            code = int(self.chosen(np.array([row]))[0])
        elif positive is None or signature.threshold is None:
            code = row.index(max(row))
        else:
            code = positive if row[positive] >= signature.threshold else 1 - positive
        score = row[code if positive is None else positive]
        return {
            "label": signature.classes[code],
            "score": score,
            "probabilities": dict(zip(self.names, row, strict=True)),
        }

    def _value(self, value: float, numbers: Sequence[float]) -> Answer:
        _check_finite([value])
        low, high = self.ends(value, numbers)
        return {"value": value, "low": low, "high": high}

    def ends(self, value: float, numbers: Sequence[float]) -> tuple[float, float]:
        """Return the ends of the interval around a row's value: not below 0 where the target never was."""
        widths = self.signature.widths
        half = self.half_width if widths is None else widths.half(numbers, value)
        low = value - half
        return (min(value, max(low, 0.0)) if self.signature.never_negative else low), value + half


def _check_finite(row: list[float]) -> None:
    total = sum(row)
    if total - total != 0.0:
        raise ModelError(f"A version's scores must be finite numbers, but are {row}.")


def _half_width(signature: Signature) -> float:
    """Return half the width of a regression's interval; classes have none, which is 0."""
    if signature.problem == "regression" and signature.half_width is None:
        raise ModelError("The signature of a regression must have the half width of its interval, but has none.")
    return signature.half_width or 0.0


def _id_column(signature: Signature) -> frozenset[str]:
    return frozenset(() if signature.id_column is None else (signature.id_column,))


def _session(graph: bytes, threads: int) -> "ort.InferenceSession":
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no base class of their own
        raise ModelError(f"A bundle must hold a graph that loads, but: {error}.") from error
