"""A task is its step with retries, and has no body."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest
from prefect import Task

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for path in (ROOT / "tasks").glob("*.py") if not path.name.startswith("_"))
TASKS = [
    (path.stem, name, value)
    for path in MODULES
    for name, value in vars(importlib.import_module(f"tasks.{path.stem}")).items()
    if isinstance(value, Task)
]
each_task = pytest.mark.parametrize(("module", "name", "task"), TASKS, ids=[f"{each[0]}.{each[1]}" for each in TASKS])


def test_there_are_tasks_in_every_module() -> None:
    assert {module for module, _, _ in TASKS} == {path.stem for path in MODULES}


@each_task
def test_a_task_keeps_the_name_and_signature_of_its_step(module: str, name: str, task: Task[..., object]) -> None:
    step = task.fn
    assert step.__module__.startswith("penstock."), f"tasks.{module}.{name} must wrap a function of the library"
    assert name == task.name == step.__name__
    defined = getattr(importlib.import_module(step.__module__), step.__name__)
    assert defined is step, f"{step.__module__}.{name} must be what the task calls"
    assert inspect.signature(task.fn) == inspect.signature(defined)


@each_task
def test_a_step_takes_the_workspace_last(module: str, name: str, task: Task[..., object]) -> None:
    parameters = list(inspect.signature(task.fn).parameters)
    assert "workspace" not in parameters[:-1], f"tasks.{module}.{name} takes {parameters}: the workspace comes last"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_task_module_defines_no_public_function(path: Path) -> None:
    tree = ast.parse(path.read_text())
    defined = [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    assert not [name for name in defined if not name.startswith("_")]
