"""Graphs are written node by node, and joined."""

import numpy as np
import onnxruntime
import pytest

from penstock.errors import ModelError
from penstock.graphs import GraphBuilder, join


def times(factor: float, taken: str = "raw", given: str = "scores") -> bytes:
    graph = GraphBuilder()
    return graph.finish({taken: 2}, graph.add("Mul", taken, graph.constant(factor)), given, 2)


def test_joined_parts_run_one_after_the_other() -> None:
    data = join([times(2.0, "features"), times(3.0), times(5.0)])
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["features"]
    x = np.ones((3, 2), np.float32)
    assert np.array_equal(session.run(["scores"], {"features": x})[0], 30 * x)


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
