"""Write ONNX graphs node by node, and join them; imports onnx only where a graph is written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from penstock.errors import ModelError

OPSET = 21
ML_OPSET = 3
IR_VERSION = 10  # what opset 21 came with; ONNX Runtime refuses versions newer than itself
ML = "ai.onnx.ml"


@dataclass(slots=True)
class GraphBuilder:
    """Collects nodes and constants; each `add` returns the name of what the node gives."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name; arrays are written as lists, which is fast."""
        return self.add_many(operator, 1, *inputs, domain=domain, **attributes)[0]

    def add_many(
        self, operator: str, outputs: int, *inputs: str, domain: str = "", **attributes: Any
    ) -> tuple[str, ...]:
        """Add a node with several outputs and return their names."""
        from onnx import helper

        names = tuple(f"{operator.lower()}_{len(self.nodes)}" + f"_{place}" * (place > 0) for place in range(outputs))
        lists = {name: value for name, value in attributes.items() if isinstance(value, np.ndarray)}
        rest = {name: value for name, value in attributes.items() if name not in lists}
        node = helper.make_node(operator, list(inputs), list(names), domain=domain, **rest)
        node.attribute.extend(_list_attribute(name, values) for name, values in lists.items())
        self.nodes.append(node)
        return names

    def constant(self, values: NDArray[Any] | np.generic | float, *, double: bool = False) -> str:
        """Add a constant (float64 becomes float32 unless `double`, text stays text) and return its name."""
        from onnx import TensorProto, helper, numpy_helper

        array = np.asarray(values)
        name = f"constant_{len(self.constants)}"
        if array.dtype.kind in "OU":
            data = np.array([str(value).encode() for value in array.ravel()], object)
            self.constants.append(helper.make_tensor(name, TensorProto.STRING, array.shape, data))
            return name
        if array.dtype.kind == "f":
            array = array.astype(np.float64 if double else np.float32)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def cast(self, name: str, kind: Literal["float", "double", "int64"]) -> str:
        """Change the type of what a name stands for."""
        from onnx import TensorProto

        return self.add("Cast", name, to=TensorProto.DataType.Value(kind.upper()))

    def concat(self, names: Sequence[str]) -> str:
        """Put columns beside each other."""
        return names[0] if len(names) == 1 else self.add("Concat", *names, axis=1)

    def finish_family(self, features: int, scores: str, classes: int) -> bytes:
        """Return a family's graph, from so many features to probabilities, or without classes to values in float64."""
        return self.finish({"features": features}, scores, "scores", max(1, classes), double=not classes)

    def finish(self, inputs: dict[str, int], source: str, output: str, width: int, *, double: bool = False) -> bytes:
        """Return the graph: `inputs` by name and width (`texts` are strings), and `output` taken from `source`.

        An input of width 0 is absent. The output is float32, or float64 where `source` is `double`.
        """
        from onnx import TensorProto, helper

        self.nodes.append(helper.make_node("Identity", [source], [output]))
        given = [
            helper.make_tensor_value_info(
                name, TensorProto.STRING if name == "texts" else TensorProto.FLOAT, ["N", columns]
            )
            for name, columns in inputs.items()
            if columns
        ]
        kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
        gives = [helper.make_tensor_value_info(output, kind, ["N", width])]
        graph = helper.make_graph(self.nodes, "penstock", given, gives, self.constants)
        data: bytes = _model(graph).SerializeToString()
        return data


def join(parts: Sequence[bytes]) -> bytes:
    """Return one graph of several, each of which takes what the one before gives.

    Parameters
    ----------
    parts
        Serialised graphs; each but the first has one input, each has one output. The joined graph keeps the
        inputs of the first and the output's name of the last.

    Raises
    ------
    ModelError
        If a part does not take exactly one input.
    """
    import onnx

    nodes: list[Any] = []
    constants: list[Any] = []
    given: list[Any] = []
    last = ""
    value: Any = None
    for number, data in enumerate(parts):
        graph = onnx.load_from_string(data).graph
        if number == 0:
            given = list(graph.input)
            renamed = {item.name: item.name for item in given}
        else:
            if len(graph.input) != 1:
                message = f"A part of a joined graph must take one input, but takes {[i.name for i in graph.input]!r}."
                raise ModelError(message)
            renamed = {graph.input[0].name: last}
        value = onnx.ValueInfoProto.FromString(graph.output[0].SerializeToString())
        _rename(graph, f"p{number}_", renamed)
        nodes.extend(graph.node)
        constants.extend(graph.initializer)
        last = graph.output[0].name
    nodes.append(onnx.helper.make_node("Identity", [last], [value.name]))
    graph = onnx.helper.make_graph(nodes, "penstock", given, [value], constants)
    joined: bytes = _model(graph).SerializeToString()
    return joined


@dataclass(frozen=True, slots=True)
class Branch:
    """A graph with one input, which takes what a stem (by place) gives; its output counts by `weight`."""

    stem: int
    graph: bytes
    weight: float


def mix(stems: Sequence[bytes], branches: Sequence[Branch]) -> bytes:
    """Return one graph of several beside each other: the weighted sum of what branches make of what stems give.

    Parameters
    ----------
    stems
        Serialised graphs with one output each; of the same inputs, which the whole keeps.
    branches
        Serialised graphs with one input each, and outputs of one shape and name, which is the whole's.
        The sum is taken in float64, so that it does not depend on the order, and is left so if a branch's output is.
    """
    import onnx

    builder = GraphBuilder()
    given: dict[str, Any] = {}
    ends = []
    for place, data in enumerate(stems):
        graph = onnx.load_from_string(data).graph
        given |= {item.name: item for item in graph.input}
        _graft(builder, graph, f"s{place}_", {item.name: item.name for item in graph.input})
        ends.append(graph.output[0].name)
    weighted, values = [], []
    for place, branch in enumerate(branches):
        graph = onnx.load_from_string(branch.graph).graph
        values.append(onnx.ValueInfoProto.FromString(graph.output[0].SerializeToString()))
        _graft(builder, graph, f"b{place}_", {graph.input[0].name: ends[branch.stem]})
        wide = builder.cast(graph.output[0].name, "double")
        weighted.append(builder.add("Mul", wide, builder.constant(branch.weight, double=True)))
    total = builder.add("Sum", *weighted)
    value = next(filter(_is_double, values), values[0])
    if not _is_double(value):
        total = builder.cast(total, "float")
    builder.nodes.append(onnx.helper.make_node("Identity", [total], [value.name]))
    graph = onnx.helper.make_graph(builder.nodes, "penstock", list(given.values()), [value], builder.constants)
    mixed: bytes = _model(graph).SerializeToString()
    return mixed


def _is_double(value: Any) -> bool:
    from onnx import TensorProto

    return bool(value.type.tensor_type.elem_type == TensorProto.DOUBLE)


def _graft(builder: GraphBuilder, graph: Any, prefix: str, renamed: dict[str, str]) -> None:
    _rename(graph, prefix, renamed)
    builder.nodes.extend(graph.node)
    builder.constants.extend(graph.initializer)


def _model(graph: Any) -> Any:
    from onnx import helper

    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="penstock")


def _list_attribute(name: str, values: NDArray[Any]) -> Any:
    from onnx import AttributeProto

    attribute = AttributeProto(name=name)
    if values.dtype.kind == "f":
        attribute.type = AttributeProto.FLOATS
        attribute.floats.extend(values.astype(np.float32).tolist())
    elif values.dtype.kind == "S":
        attribute.type = AttributeProto.STRINGS
        attribute.strings.extend(values.tolist())
    else:
        attribute.type = AttributeProto.INTS
        attribute.ints.extend(values.astype(np.int64).tolist())
    return attribute


def _rename(graph: Any, prefix: str, renamed: dict[str, str]) -> None:
    """Prefix every name of a graph but those in `renamed`, in place (the graph was parsed for this)."""

    def new(name: str) -> str:
        return renamed.get(name, prefix + name) if name else name

    for node in graph.node:
        node.input[:] = [new(name) for name in node.input]
        node.output[:] = [new(name) for name in node.output]
        node.name = prefix + node.name if node.name else ""
    for constant in graph.initializer:
        constant.name = new(constant.name)
    for item in graph.output:
        item.name = new(item.name)


def count_operations(graph: bytes) -> int:
    """Return the floating-point operations of one row, as far as they grow with a model's size.

    Two for each weight of a matrix product and one for each level of a tree; what is done once a feature or class is
    left out.
    """
    import onnx

    loaded = onnx.load_from_string(graph).graph
    sizes = {constant.name: int(np.prod(constant.dims)) for constant in loaded.initializer}
    return sum(_operations(node, sizes) for node in loaded.node)


def _operations(node: Any, sizes: dict[str, int]) -> int:
    if node.op_type in ("MatMul", "Gemm"):
        return 2 * max((sizes.get(name, 0) for name in node.input), default=0)
    return _levels(node) if node.op_type == "TreeEnsembleRegressor" else 0


def _levels(node: Any) -> int:
    """Return the number of comparisons that one row takes at most: the depth of each tree, summed."""
    values = {attribute.name: attribute for attribute in node.attribute}
    trees = np.asarray(values["nodes_treeids"].ints)
    leaf = np.asarray([mode == b"LEAF" for mode in values["nodes_modes"].strings])
    starts = np.flatnonzero(np.diff(trees, prepend=-1))
    first = np.repeat(starts, np.diff(starts, append=len(trees)))
    below = [first + np.asarray(values[name].ints) for name in ("nodes_truenodeids", "nodes_falsenodeids")]
    count, level = 0, starts
    while (level := level[~leaf[level]]).size:
        count += np.unique(trees[level]).size
        level = np.concatenate([side[level] for side in below])
    return count
