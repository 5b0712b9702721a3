"""Bundles that do harm: the graph of a good one, made slow, or made to fail or to say the contrary on some rows."""

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from penstock.domain.workspace import Workspace
from penstock.serving.session import GRAPH
from penstock.store import artifacts

FIRST = "spoiled_scores"


def slow(graph: bytes, size: int = 2000) -> bytes:
    """Return a graph that multiplies two square matrices of a size before it answers, whatever it is asked."""
    model = onnx.load_from_string(graph)
    _rename_output(model)
    one = _constant(model, "spoiled_one", np.array(1.0, np.float32))
    shape = _constant(model, "spoiled_shape", np.array([size, size], np.int64))
    zero = _constant(model, "spoiled_zero", np.array(0.0, np.float32))
    nodes = [
        helper.make_node("ReduceMax", [FIRST], ["spoiled_top"], keepdims=0),  # no optimiser can know it in advance
        helper.make_node("Mul", ["spoiled_top", zero], ["spoiled_none"]),
        helper.make_node("Add", ["spoiled_none", one], ["spoiled_unit"]),
        helper.make_node("Expand", ["spoiled_unit", shape], ["spoiled_matrix"]),
        helper.make_node("MatMul", ["spoiled_matrix", "spoiled_matrix"], ["spoiled_product"]),
        helper.make_node("ReduceMean", ["spoiled_product"], ["spoiled_mean"], keepdims=0),
        helper.make_node("Mul", ["spoiled_mean", zero], ["spoiled_nothing"]),
        helper.make_node("Add", [FIRST, "spoiled_nothing"], ["scores"]),
    ]
    model.graph.node.extend(nodes)
    return _checked(model)


def raising(graph: bytes, low: float, high: float) -> bytes:
    """Return a graph that answers rows whose first score lies between two values with what is no number."""
    model = onnx.load_from_string(graph)
    _rename_output(model)
    names = {
        "start": _constant(model, "spoiled_start", np.array([0], np.int64)),
        "end": _constant(model, "spoiled_end", np.array([1], np.int64)),
        "axis": _constant(model, "spoiled_axis", np.array([1], np.int64)),
        "low": _constant(model, "spoiled_low", np.array(low, np.float32)),
        "high": _constant(model, "spoiled_high", np.array(high, np.float32)),
        "nan": _constant(model, "spoiled_nan", np.array(np.nan, np.float32)),
    }
    nodes = [
        helper.make_node("Slice", [FIRST, names["start"], names["end"], names["axis"]], ["spoiled_first"]),
        helper.make_node("GreaterOrEqual", ["spoiled_first", names["low"]], ["spoiled_above"]),
        helper.make_node("Less", ["spoiled_first", names["high"]], ["spoiled_below"]),
        helper.make_node("And", ["spoiled_above", "spoiled_below"], ["spoiled_bad"]),
        helper.make_node("Where", ["spoiled_bad", names["nan"], FIRST], ["scores"]),
    ]
    model.graph.node.extend(nodes)
    return _checked(model)


def turned(graph: bytes, low: float = -np.inf, high: float = np.inf, column: int = 0) -> bytes:
    """Return a graph that swaps the scores of two classes for rows whose number in a column lies between two values."""
    model = onnx.load_from_string(graph)
    _rename_output(model)
    names = {
        "start": _constant(model, "spoiled_start", np.array([column], np.int64)),
        "end": _constant(model, "spoiled_end", np.array([column + 1], np.int64)),
        "axis": _constant(model, "spoiled_axis", np.array([1], np.int64)),
        "low": _constant(model, "spoiled_low", np.array(low, np.float32)),
        "high": _constant(model, "spoiled_high", np.array(high, np.float32)),
        "order": _constant(model, "spoiled_order", np.array([1, 0], np.int64)),
    }
    nodes = [
        helper.make_node("Slice", ["numbers", names["start"], names["end"], names["axis"]], ["spoiled_column"]),
        helper.make_node("GreaterOrEqual", ["spoiled_column", names["low"]], ["spoiled_above"]),
        helper.make_node("Less", ["spoiled_column", names["high"]], ["spoiled_below"]),
        helper.make_node("And", ["spoiled_above", "spoiled_below"], ["spoiled_bad"]),
        helper.make_node("Gather", [FIRST, names["order"]], ["spoiled_contrary"], axis=1),
        helper.make_node("Where", ["spoiled_bad", "spoiled_contrary", FIRST], ["scores"]),
    ]
    model.graph.node.extend(nodes)
    return _checked(model)


def put_spoiled(bundle: str, graph: bytes, folder: Path, workspace: Workspace) -> str:
    """Keep a bundle with another graph, and return its digest."""
    shutil.copytree(artifacts.local_folder(bundle, workspace), folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700)
    (folder / GRAPH).write_bytes(graph)
    return artifacts.put_folder(folder, workspace)


def graph_of(bundle: str, workspace: Workspace) -> bytes:
    """Return a bundle's graph."""
    return (artifacts.local_folder(bundle, workspace) / GRAPH).read_bytes()


def _rename_output(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        for number, name in enumerate(node.output):
            if name == "scores":
                node.output[number] = FIRST
        for number, name in enumerate(node.input):
            if name == "scores":
                node.input[number] = FIRST


def _constant(model: onnx.ModelProto, name: str, value: np.ndarray) -> str:
    model.graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _checked(model: onnx.ModelProto) -> bytes:
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized
