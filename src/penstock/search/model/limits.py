"""Hard limits on what serves a model, and what a candidate would take: measured on its graph, one row at a time."""

import statistics
import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from penstock.domain.search import Footprint
from penstock.errors import MissingExtra
from penstock.graphs import count_operations
from penstock.search.model.blend import Blend

MEGABYTE = 1_000_000
CALLS = 100  # of one row each, as the bundle's latency is measured
WARM_CALLS = 10
LATENCY_SHARE = 0.9  # of the limit: the bundle's latency holds the decoding of a row too, and is measured anew
UNITS = {"latency_ms": "ms a row", "size_mb": "MB", "parameters": "parameters", "flops": "operations a row"}

Row = tuple[NDArray[np.float32], NDArray[np.str_]]


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a model may take, by the names of `Footprint`'s figures; empty: nothing is limited."""

    most: dict[str, float] = field(default_factory=dict)

    def over(self, found: Footprint | None) -> tuple[str, ...]:
        """Return what is over which limit, in words; nothing is known of what was not measured, so that it is over."""
        if not self.most:
            return ()
        if found is None:
            return ("not measured",)
        return tuple(
            f"{getattr(found, name):.3g} {UNITS[name]}, at most {limit:.3g}"
            for name, limit in self.most.items()
            if getattr(found, name) > self._allowed(name, limit)
        )

    def excess(self, found: Footprint | None) -> float:
        """Return how many times too large the worst figure is, less 1; at most 0 within the limits."""
        if not self.most or found is None:
            return 0.0 if not self.most else 1.0
        shares = [getattr(found, name) / self._allowed(name, limit) for name, limit in self.most.items()]
        return float(max(shares)) - 1.0

    def _allowed(self, name: str, limit: float) -> float:
        return limit * LATENCY_SHARE if name == "latency_ms" else limit


def added(parts: list[Footprint]) -> Footprint:
    """Return what several models take beside each other in one graph, at most: the sum of what each takes."""
    return Footprint(
        latency_ms=sum(part.latency_ms for part in parts),
        size_mb=sum(part.size_mb for part in parts),
        parameters=sum(part.parameters for part in parts),
        flops=sum(part.flops for part in parts),
    )


def times(part: Footprint, count: int) -> Footprint:
    """Return what so many models of one kind take."""
    return added([part] * count)


def measure(blend: Blend, rows: Row) -> Footprint:
    """Export a model, run its graph on single rows, and return what it takes.

    Parameters
    ----------
    blend
        The model.
    rows
        Decoded rows, `numbers` of shape (n, k) and `texts` of shape (n, m), which are asked in turn.

    Raises
    ------
    ModelError
        If the model cannot be exported.
    MissingExtra
        If onnx or onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra(
            "Limits are measured on a model's graph, which needs onnx and onnxruntime, but one is not installed."
        ) from error
    graph = blend.to_onnx()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = {given.name for given in session.get_inputs()}
    numbers, texts = rows[0], rows[1].astype(object)
    seconds = []
    for call in range(WARM_CALLS + CALLS):
        place = slice(call % len(numbers), call % len(numbers) + 1)
        given = {"numbers": numbers[place], "texts": texts[place]}
        began = time.perf_counter()
        session.run(None, {name: given[name] for name in names})
        seconds.append(time.perf_counter() - began)
    return Footprint(
        latency_ms=statistics.median(seconds[WARM_CALLS:]) * 1000,
        size_mb=len(graph) / MEGABYTE,
        parameters=blend.parameters,
        flops=count_operations(graph),
    )


def rounded(found: Footprint) -> Footprint:
    """Return figures as people read them."""
    return replace(found, latency_ms=round(found.latency_ms, 4), size_mb=round(found.size_mb, 4))
