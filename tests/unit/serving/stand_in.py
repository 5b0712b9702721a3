"""Small bundles for tests: a graph of a line over two numbers and one category, with its signature and schema."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pandas as pd
import sqlalchemy as sa
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from penstock.data.decoding import compile_decoding, json_schema
from penstock.domain.datasets import Contract, ContractColumn
from penstock.domain.features import Decoding, InputColumn
from penstock.domain.models import ModelVersion, Signature
from penstock.domain.workspace import Workspace
from penstock.serving.session import EXAMPLES, GRAPH, SCHEMA, SIGNATURE, LoadedBundle
from penstock.store import artifacts, database, records, tables
from tests.unit.serving.http.calls import hold

DECODING = Decoding(
    (
        InputColumn("age", "number", "number", required=True),
        InputColumn("income", "number", "number", required=False),
        InputColumn("plan", "string", "category", required=False),
    )
)
CONTRACT = Contract(
    "churn",
    "churned",
    (
        ContractColumn("age", "number", required=True),
        ContractColumn("income", "number", required=False),
        ContractColumn("plan", "string", required=False),
        ContractColumn("customer", "string", required=False),
        ContractColumn("note", "string", required=False),
        ContractColumn("churned", "string", required=True),
    ),
)
ROW = {"age": 40, "income": 1000.5, "plan": "gold"}


def graph(problem: str = "binary", weights: tuple[float, float, float] = (0.02, 0.0005, 1.0)) -> bytes:
    """A line over age, income and whether the plan is gold; a sigmoid of it for classes."""
    nodes = [
        helper.make_node(
            "LabelEncoder",
            ["texts"],
            ["plan"],
            domain="ai.onnx.ml",
            keys_strings=["gold"],
            values_floats=[1.0],
            default_float=0.0,
        ),
        helper.make_node("IsNaN", ["numbers"], ["gone"]),
        helper.make_node("Where", ["gone", "zero", "numbers"], ["whole"]),
        helper.make_node("Concat", ["whole", "plan"], ["features"], axis=1),
        helper.make_node("MatMul", ["features", "weights"], ["line"]),
    ]
    if problem == "regression":
        nodes.append(helper.make_node("Identity", ["line"], ["scores"]))
        width = 1
    else:
        nodes += [
            helper.make_node("Sigmoid", ["line"], ["high"]),
            helper.make_node("Sub", ["one", "high"], ["low"]),
            helper.make_node("Concat", ["low", "high"], ["scores"], axis=1),
        ]
        width = 2
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "stand_in",
            [
                helper.make_tensor_value_info("numbers", TensorProto.FLOAT, [None, 2]),
                helper.make_tensor_value_info("texts", TensorProto.STRING, [None, 1]),
            ],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, width])],
            [
                numpy_helper.from_array(np.array([[w] for w in weights], np.float32), "weights"),
                numpy_helper.from_array(np.array(0.0, np.float32), "zero"),
                numpy_helper.from_array(np.array(1.0, np.float32), "one"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 4)],
        ir_version=10,
    )
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def signature(problem: str = "binary") -> Signature:
    """What the stand-in takes and gives."""
    if problem == "regression":
        return Signature("churn", "regression", "churned", DECODING, half_width=2.0, id_column="customer")
    return Signature("churn", "binary", "churned", DECODING, ("no", "yes"), 1, 0.5, id_column="customer")


def write_bundle(
    folder: Path, problem: str = "binary", weights: tuple[float, float, float] = (0.02, 0.0005, 1.0)
) -> Path:
    """The stand-in's files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / GRAPH).write_bytes(graph(problem, weights))
    (folder / SIGNATURE).write_bytes(msgspec.json.encode(signature(problem)))
    (folder / SCHEMA).write_bytes(msgspec.json.encode(json_schema(DECODING, CONTRACT)))
    (folder / "certificate.json").write_bytes(b"{}")
    answers = LoadedBundle.open(folder).predict_rows([ROW])
    (folder / EXAMPLES).write_bytes(msgspec.json.encode({"rows": [ROW], "predictions": answers}))
    return folder


def keep_version(version: str, workspace: Workspace, folder: Path, problem: str = "binary") -> ModelVersion:
    """A stand-in kept as a version of the project `churn`; each version has weights of its own."""
    write_bundle(folder, problem, (0.02 * int(version), 0.0005, 1.0))
    kept = ModelVersion(
        "churn",
        version,
        f"training-{version}",
        "run",
        "model",
        artifacts.put_folder(folder, workspace),
        "data",
        datetime.now(UTC),
    )
    records.register_project("churn", folder, workspace)
    records.save_version(kept, workspace)
    return kept


def release(version: str, workspace: Workspace, *, previous: str | None = None, **more: object) -> None:
    """A release row, as `rollout.release` writes it."""
    values = {
        "project": "churn",
        "version": version,
        "state": "serving",
        "weights": {version: 100.0},
        "opened_at": datetime.now(UTC),
        "actor": "test",
        "reason": "test",
        "previous": previous,
        **more,
    }
    with database.connect(workspace).begin() as connection:
        connection.execute(sa.insert(tables.releases).values(values))


class Line:
    """A Python model of the same line as the graph's; `graph_weights` lets the graph be another."""

    def __init__(
        self, problem: str = "binary", graph_weights: tuple[float, float, float] = (0.02, 0.0005, 1.0)
    ) -> None:
        self.problem = problem
        self.graph_weights = graph_weights
        self.estimator = self
        self.parameters = 3

    def to_onnx(self) -> bytes:
        """The graph."""
        return graph(self.problem, self.graph_weights)

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Probabilities of shape (n, 2), or values of shape (n,)."""
        numbers, texts = compile_decoding(DECODING).columns({str(name): frame[name].to_numpy() for name in frame})
        line = np.nan_to_num(numbers) @ np.array([0.02, 0.0005]) + (texts[:, 0] == "gold")
        if self.problem == "regression":
            return np.asarray(line)
        with np.errstate(over="ignore"):
            high = 1 / (1 + np.exp(-line))
        return np.column_stack([1 - high, high])


class Client:
    """Asks an ASGI application as a server would; `held` names the schemas that bodies in JSON were held against."""

    def __init__(self, app: Any, key: str = "") -> None:
        self.app = app
        self.key = key
        self.held: set[str] = set()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any, dict[str, str]]:
        """Return status, body (parsed if it is JSON) and headers."""
        sent = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        given = {"authorization": f"Bearer {self.key}"} if self.key else {}
        given |= {"content-length": str(len(sent)), **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }
        messages = [{"type": "http.request", "body": sent, "more_body": False}]
        said: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            said.append(message)

        asyncio.run(self.app(scope, receive, send))
        status, answer = said[0]["status"], said[1]["body"]
        kind = {name.decode(): value.decode() for name, value in said[0]["headers"]}
        if kind["content-type"] == "application/json":
            answer = json.loads(answer)
            self.held |= hold(path, status, sent, answer)
        return status, answer, kind

    def predict(self, rows: Any, **more: Any) -> tuple[int, Any]:
        """Return status and body of a predict call."""
        status, body, _ = self.ask("POST", "/v1/churn/predict", {"rows": rows}, **more)
        return status, body
