"""A public step says what it takes, what it returns and when it refuses."""

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import Task

ROOT = Path(__file__).resolve().parents[2]
STEPS: dict[str, Callable[..., Any]] = {
    f"{value.fn.__module__}.{value.fn.__name__}": value.fn
    for path in sorted((ROOT / "tasks").glob("[a-z]*.py"))
    for value in vars(importlib.import_module(f"tasks.{path.stem}")).values()
    if isinstance(value, Task)
}


def sections(step: Callable[..., Any]) -> dict[str, str]:
    """Return the numpydoc sections of a docstring by their name."""
    lines = inspect.cleandoc(step.__doc__ or "").splitlines()
    heads = [at for at in range(1, len(lines)) if lines[at] and set(lines[at]) == {"-"}]
    ends = [*(head - 1 for head in heads[1:]), len(lines)]
    return {
        lines[head - 1]: "\n".join(lines[head + 1 : end]) for head, end in zip(heads, ends, strict=True)
    }  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_a_step_says_what_it_takes_and_returns(name: str) -> None:
    step = STEPS[name]
    said = sections(step)
    assert "Parameters" in said, f"{name} must have a section Parameters"
    named = {
        part.strip(" *") for line in said["Parameters"].splitlines() if line[:1].strip() for part in line.split(",")
    }
    named = {part.partition(":")[0].strip() for part in named}
    assert set(inspect.signature(step).parameters) <= named
    if inspect.signature(step).return_annotation is not None:
        assert "Returns" in said, f"{name} must have a section Returns"


@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_raises_says_so(name: str) -> None:
    step = STEPS[name]
    raises = any(line.strip().startswith("raise ") for line in inspect.getsource(step).splitlines())
    assert not raises or "Raises" in sections(step), f"{name} must have a section Raises"
