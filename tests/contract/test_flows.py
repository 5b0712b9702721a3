"""Names, parameters and deployments of the flows are what schedules, events and people rely on.

A change is meant where the snapshot changes with it; `PYTHONPATH=. .venv/bin/python tests/contract/test_flows.py`
writes it anew.
"""

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = Path(__file__).parent / "snapshots" / "flows.json"
NAMES = sorted(path.stem for path in (ROOT / "flows").glob("[a-z]*.py"))


def flow_of(name: str) -> Flow[..., Any]:
    """Return the one flow of a module of flows."""
    found = [
        value
        for value in vars(importlib.import_module(f"flows.{name}")).values()
        if isinstance(value, Flow) and value.fn.__module__ == f"flows.{name}"
    ]
    assert len(found) == 1, f"flows/{name}.py must hold one flow, but holds {len(found)}"
    return found[0]


def described() -> dict[str, Any]:
    """Return what others rely on: each flow's name and parameters, and the deployments."""
    flows = {
        name: {
            "name": flow_of(name).name,
            "parameters": [str(parameter) for parameter in inspect.signature(flow_of(name).fn).parameters.values()],
        }
        for name in NAMES
    }
    prefect = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    deployments = {
        each["name"]: {key: each.get(key) for key in ("entrypoint", "parameters", "schedules", "triggers", "work_pool")}
        for each in prefect["deployments"]
    }
    return {"flows": flows, "deployments": deployments}


def test_flows_and_deployments_are_those_of_the_snapshot() -> None:
    assert described() == json.loads(SNAPSHOT.read_text()), "run this file as a script if the change is meant"


def test_a_flow_is_named_after_its_module() -> None:
    for name in NAMES:
        assert flow_of(name).name == flow_of(name).fn.__name__ == name


def test_a_flow_takes_names_and_numbers_only() -> None:
    plain = {"str", "int", "float", "bool", "None"}
    for name in NAMES:
        for parameter in inspect.signature(flow_of(name).fn).parameters.values():
            kinds = inspect.formatannotation(parameter.annotation).replace("|", " ").split()
            assert set(kinds) <= plain, f"{name}({parameter}) cannot be given by a schedule or the command line"


def test_every_flow_has_a_deployment() -> None:
    entrypoints = {each["entrypoint"] for each in described()["deployments"].values()}
    assert {f"flows/{name}.py:{name}" for name in NAMES} <= entrypoints


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(described(), indent=2) + "\n")
