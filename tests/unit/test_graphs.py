"""Graphs are written node by node, and joined."""

import numpy as np
import onnxruntime
import pytest

from penstock.errors import ModelError
from penstock.graphs import Branch, GraphBuilder, join, mix


def times(factor: float, taken: str = "raw", given: str = "scores") -> bytes:
    graph = GraphBuilder()
    return graph.finish({taken: 2}, graph.add("Mul", taken, graph.constant(factor)), given, 2)


def test_joined_parts_run_one_after_the_other() -> None:
    data = join([times(2.0, "features"), times(3.0), times(5.0)])
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["features"]
    x = np.ones((3, 2), np.float32)
    assert np.array_equal(session.run(["scores"], {"features": x})[0], 30 * x)


@pytest.mark.parametrize("doubles", [(False, False), (True, True), (False, True)])
def test_a_mixture_is_as_wide_as_its_widest_branch(doubles: tuple[bool, bool]) -> None:
    branches = []
    for double in doubles:
        graph = GraphBuilder()
        wide = graph.add("Add", graph.cast("features", "double"), graph.constant(2e8, double=True))
        source = wide if double else graph.cast(wide, "float")
        branches.append(Branch(0, graph.finish({"features": 2}, source, "scores", 2, double=double), 0.5))
    x = np.ones((3, 2), np.float32)
    session = onnxruntime.InferenceSession(mix([times(3.0)], branches), providers=["CPUExecutionProvider"])
    said = session.run(["scores"], {"raw": x})[0]
    assert said.dtype == (np.float64 if any(doubles) else np.float32)
    assert np.array_equal(said, np.full((3, 2), 2e8 + 3 * sum(doubles) / 2).astype(said.dtype))


def test_an_input_of_width_zero_is_absent_and_texts_are_strings() -> None:
    graph = GraphBuilder()
    data = graph.finish({"numbers": 0, "texts": 1}, graph.cast(graph.add("Shape", "texts"), "float"), "scores", 1)
    (given,) = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).get_inputs()
    assert (given.name, given.type) == ("texts", "tensor(string)")


def test_a_part_that_takes_two_inputs_cannot_follow() -> None:
    graph = GraphBuilder()
    two = graph.finish({"a": 2, "b": 2}, graph.add("Add", "a", "b"), "scores", 2)
    with pytest.raises(ModelError, match="must take one input, but takes"):
        join([times(2.0), two])
