"""Make `.venv` and install the locks and the project into it; a second run installs nothing.

    python3.11 scripts/install.py            what Penstock runs with
    python3.11 scripts/install.py --test     and what its tests and checks need

Needs Python 3.11 and its standard library alone. An installation that was cut off is made anew by the next run.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "penstock-installed.json"
UNFINISHED = VENV / "penstock-unfinished"
RUN_LOCK = ROOT / "requirements.lock"
TEST_LOCK = ROOT / "requirements-dev.lock"
OLDEST, NEWEST = (3, 11), (3, 13)


def main() -> int:
    """Install what is missing."""
    parser = argparse.ArgumentParser(description="Make .venv and install the locks and the project into it.")
    parser.add_argument("--test", action="store_true", help="also what tests and checks need")
    kind = "test" if parser.parse_args().test else "run"
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return _fail(f"Penstock needs Python 3.11, 3.12 or 3.13, but this is {sys.version.split()[0]}.")
    with Path(__file__).open() as door:  # two installations at once wait for each other
        fcntl.flock(door, fcntl.LOCK_EX)
        if kind in _installed():
            return 0
        try:
            _install(kind)
        except subprocess.CalledProcessError as error:
            command = " ".join(str(part) for part in error.cmd)
            return _fail(
                f"The installation stopped: `{command}` ended with {error.returncode}; what it said stands above."
            )
    return 0


def _fail(message: str) -> int:
    print(f"penstock: {message}", file=sys.stderr)
    return 1


def _say(message: str) -> None:
    print(f"penstock: {message}", flush=True)


def _wanted(kind: str) -> str:
    """Return the digest of everything that decides what lies in `.venv`."""
    files = [RUN_LOCK, ROOT / "pyproject.toml", Path(__file__)] + ([TEST_LOCK] if kind == "test" else [])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _installed() -> set[str]:
    """Return which installations stand, as the lock files have them."""
    if UNFINISHED.exists() or not PYTHON.exists() or not STAMP.exists():
        return set()
    stamp = json.loads(STAMP.read_text())
    if stamp["place"] != str(VENV):
        return set()
    return {kind for kind in ("run", "test") if stamp.get(kind) == _wanted(kind)}


def _install(kind: str) -> None:
    begun = time.monotonic()
    _make_venv()
    uv, environment = _uv()
    locks = [RUN_LOCK, TEST_LOCK] if kind == "test" else [RUN_LOCK]
    install = [*uv, "pip", "install", "--python", PYTHON]
    _say("installing the project itself, editable")
    subprocess.run([*install, "--no-deps", "--editable", ROOT], env=environment, check=True)
    _say(f"installing {' and '.join(lock.name for lock in locks)}, and compiling to bytecode")
    requirements = [part for lock in locks for part in ("-r", lock)]
    subprocess.run([*install, "--compile-bytecode", *requirements], env=environment, check=True)
    sources = [ROOT / name for name in ("src", "flows", "tasks") if (ROOT / name).is_dir()]
    subprocess.run([PYTHON, "-m", "compileall", "-q", "-j", "0", *sources], check=False)  # a fault shows when it runs
    _say("making the tables that Prefect and MLflow begin with")
    subprocess.run([PYTHON, "-m", "penstock.stack.first_tables"], check=True)
    kinds = {"run": _wanted("run")} | ({"test": _wanted("test")} if kind == "test" else {})
    STAMP.write_text(json.dumps({"place": str(VENV), **kinds}))
    UNFINISHED.unlink()
    _say(f"installed in {time.monotonic() - begun:.0f} s")


def _make_venv() -> None:
    """Leave a virtual environment that works and is marked as unfinished."""
    if UNFINISHED.exists() or not _works():
        if VENV.exists():
            _say("clearing .venv, which is unfinished or does not work here")
            shutil.rmtree(VENV)
        VENV.mkdir()
        UNFINISHED.touch()
        base = getattr(sys, "_base_executable", sys.executable)
        _say(f"making .venv with Python {sys.version.split()[0]}")
        subprocess.run([base, "-m", "venv", VENV], check=True)
    UNFINISHED.touch()


def _works() -> bool:
    """Return whether `.venv` was made at this place and its Python starts with pip."""
    if not PYTHON.exists() or (STAMP.exists() and json.loads(STAMP.read_text())["place"] != str(VENV)):
        return False
    return subprocess.run([PYTHON, "-c", "import pip"], capture_output=True, check=False).returncode == 0


def _uv() -> tuple[list[str | Path], dict[str, str]]:
    """Return the command of uv, installed with pip where it is missing, and the environment it works in."""
    from pip_settings import uv_environment

    pin = re.search(r"^uv==\S+$", RUN_LOCK.read_text(), re.MULTILINE)
    if pin is None:
        raise SystemExit(f"penstock: {RUN_LOCK.name} must pin uv, but does not. Run `make lock` where uv is installed.")
    quiet = ["--quiet", "--disable-pip-version-check"]
    _say(f"installing {pin[0]} with pip")
    subprocess.run([PYTHON, "-m", "pip", "install", *quiet, pin[0]], check=True)
    variables, notes = uv_environment(PYTHON)
    for note in notes:
        _say(note)
    return [VENV / "bin" / "uv"], variables | {"VIRTUAL_ENV": str(VENV)}


if __name__ == "__main__":
    os.chdir(ROOT)
    raise SystemExit(main())
