"""What a part of Penstock loads before it does anything: seconds that every command and every process pays."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKSHOP = {
    "alembic", "bentoml", "evidently", "great_expectations", "lightgbm", "matplotlib", "mlflow", "numpy", "onnx",
    "onnxruntime", "optuna", "pandas", "prefect", "prometheus_client", "pyarrow", "pydantic", "scipy",
    "shap", "sklearn", "sqlalchemy", "torch",
}  # fmt: skip
MAY_LOAD = {
    "penstock.errors": set(),
    "penstock.domain.workspace": set(),
    "penstock.plugins": set(),
    "penstock.store.workspace": set(),
    "penstock.cli.main": set(),
    "penstock.spec": {"pydantic"},
    "penstock.store.records": {"sqlalchemy"},
    "penstock.control": {"numpy", "pydantic", "sqlalchemy"},
    "penstock.data.decoding": {"numpy"},
    "penstock.evaluation.metrics": {"numpy", "scipy", "sklearn"},
    "penstock.estimators": {"numpy", "optuna", "pandas", "pyarrow", "pydantic", "scipy", "sklearn"},
    "penstock.search.machine.trials": {"numpy", "scipy", "sklearn"},  # each slot's process, while a search waits for it
    "penstock.serving.journals.sealing": {"numpy", "sqlalchemy"},
    "penstock.serving.service": {"bentoml", "numpy", "onnxruntime", "prometheus_client", "pydantic", "sqlalchemy"},
}
NO_HEAVY_LIBRARY_AT_THE_TOP = (
    "penstock.data.validation",
    "penstock.store.tracking",
    "penstock.evaluation.explanation",
    "penstock.serving.packaging",
    "penstock.monitoring.report",
    "penstock.search.steps",
    "penstock.models.lightgbm",
    "penstock.models.mlp",
)
SECONDS_TO_IMPORT = {
    "evidently",
    "great_expectations",
    "lightgbm",
    "mlflow",
    "shap",
    "torch",
}
LOADED = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def loaded_by(*command: str) -> set[str]:
    """Return the top-level modules that a fresh process has loaded."""
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1])) & WORKSHOP


@pytest.mark.parametrize("module", MAY_LOAD)
def test_a_room_loads_no_more_than_it_needs(module: str) -> None:
    assert loaded_by("-c", LOADED, module) <= MAY_LOAD[module]


@pytest.mark.parametrize("module", NO_HEAVY_LIBRARY_AT_THE_TOP)
def test_a_library_that_takes_seconds_waits_for_its_step(module: str) -> None:
    assert not loaded_by("-c", LOADED, module) & SECONDS_TO_IMPORT


RUN_COMMAND = """
import contextlib, io, json, sys
from penstock.cli.main import main
sys.argv = ["penstock", *sys.argv[1:]]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
WORKSHOP_OF_A_MODEL = WORKSHOP - {"alembic", "numpy", "onnxruntime", "pandas", "pyarrow", "pydantic", "sqlalchemy"}


@pytest.mark.parametrize("arguments", [("--help",), ("status", "--json"), ("predict", "--help")], ids=" ".join)
def test_a_quick_command_loads_no_workshop(arguments: tuple[str, ...]) -> None:
    assert not loaded_by("-c", RUN_COMMAND, *arguments) & WORKSHOP_OF_A_MODEL


def test_help_and_status_load_no_data_library() -> None:
    for arguments in (("--help",), ("status", "--json")):
        assert not loaded_by("-c", RUN_COMMAND, *arguments) & {"pandas", "pyarrow", "numpy", "onnxruntime"}
