"""A wheel in an empty environment runs the main job, in a folder that has a `tasks.py` and a `flows/` of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import free_ports

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = 'raise RuntimeError("this module is somebody else\'s")\n'


def settings_of_pip() -> dict[str, str]:
    """Return the environment in which uv works as pip would."""
    code = (
        "import json, pathlib, sys, pip_settings\n"
        "print(json.dumps(pip_settings.uv_environment(pathlib.Path(sys.executable))[0]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment that holds the locks and the wheel."""
    folder = tmp_path_factory.mktemp("installed")
    environment = settings_of_pip()
    build: list[str | Path] = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python, (wheel,) = folder / "venv" / "bin" / "python", folder.glob("*.whl")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [
            uv,
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--python",
            python,
            "-r",
            ROOT / "requirements.lock",
            wheel,
        ],
        env=environment,
        check=True,
    )
    return folder / "venv" / "bin"


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_an_installed_wheel_runs_the_main_job(installed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (folder / "flows").mkdir(parents=True)
    (folder / "flows" / "__init__.py").write_text(NOT_OURS)
    (folder / "tasks.py").write_text(NOT_OURS)
    random = np.random.default_rng(7)
    size = random.normal(10.0, 3.0, 1500).round(3)
    pd.DataFrame({"size": size, "price": (size * 3 + random.normal(0, 1, 1500)).round(3)}).to_csv(folder / "flats.csv")
    ports = free_ports()
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "PENSTOCK_HOME": str(tmp_path / "home"),
        "PENSTOCK_PREFECT_PORT": str(ports.prefect),
        "PENSTOCK_MLFLOW_PORT": str(ports.mlflow),
        "PENSTOCK_SERVING_PORT": str(ports.serving),
        "PENSTOCK_CONSOLE_PORT": str(ports.console),
    }
    run: list[str | Path] = [
        installed / "penstock",
        "run",
        "flats.csv",
        "--target",
        "price",
        "--seconds",
        "5",
        "--json",
    ]
    try:
        done = subprocess.run(run, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-4000:]
        answer = json.loads(done.stdout)
        assert answer["decision"]["verdict"] == "promote"
        assert answer["release"]["state"] == "serving"
    finally:
        subprocess.run([installed / "penstock", "down"], cwd=folder, env=variables, check=True, timeout=120)
