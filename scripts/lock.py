"""Compile `requirements.lock` and `requirements-dev.lock` from `pyproject.toml`.

    .venv/bin/python scripts/lock.py              as few changes as the ranges allow
    .venv/bin/python scripts/lock.py --upgrade    the newest of everything
    .venv/bin/python scripts/lock.py --check      change nothing; fail if the locks are not what would be compiled

The locks hold plain versions: no address, no digest and no local part, so that the CPU or the CUDA build of a package
is taken as the machine offers it.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from pip_settings import uv_environment

ROOT = Path(__file__).resolve().parents[1]
RUN_LOCK = ROOT / "requirements.lock"
TEST_LOCK = ROOT / "requirements-dev.lock"
ACCELERATOR = re.compile(
    r"^(cuda-|triton=|nvidia-(?!ml-py=))"
)  # torch's CUDA build brings its own; the CPU build needs none
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[^+\s;]+)(\+\S+)?$")


def main() -> int:
    """Write the locks, or compare them."""
    parser = argparse.ArgumentParser(description="Compile the locks from pyproject.toml.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest version of everything")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a lock would change")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compiled = compile_locks(Path(folder), upgrade=options.upgrade)
    stale = [path.name for path, text in compiled.items() if not path.exists() or path.read_text() != text]
    if options.check and stale:
        print(f"penstock: {' and '.join(stale)} must be what `make lock` compiles, but differ.", file=sys.stderr)
        return 1
    for path, text in compiled.items():
        if path.name in stale:
            path.write_text(text)
    print(f"penstock: {'changed ' + ' and '.join(stale) if stale else 'the locks stand as they are'}")
    return 0


def compile_locks(folder: Path, *, upgrade: bool) -> dict[Path, str]:
    """Return the text of each lock, resolved for Python 3.11; the test lock holds what the other does not."""
    run = _compile(["pyproject.toml"], RUN_LOCK, [], folder, upgrade=upgrade)
    constraints = folder / "run.txt"
    constraints.write_text("\n".join(run))
    test = _compile(["--group", "dev"], TEST_LOCK, ["--constraint", constraints], folder, upgrade=upgrade)
    return {RUN_LOCK: _lines(run), TEST_LOCK: _lines([pin for pin in test if pin not in run])}


def _compile(source: list[str], lock: Path, options: list[str | Path], folder: Path, *, upgrade: bool) -> list[str]:
    """Return the pins that uv finds; those of the lock that stands are kept where the ranges allow."""
    output = folder / lock.name
    if lock.exists() and not upgrade:
        output.write_text(lock.read_text())
    environment, _ = uv_environment(Path(sys.executable))
    command: list[str | Path] = [Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "--no-header"]
    command += ["--no-annotate", "--python-version", "3.11", "--output-file", output, *options]
    subprocess.run([*command, *source], env=environment, cwd=ROOT, check=True)
    pins = [_plain(line) for line in output.read_text().splitlines() if line and not line.startswith("--")]
    return [pin for pin in pins if not ACCELERATOR.match(pin)]


def _plain(line: str) -> str:
    found = PIN.match(line)
    if found is None:
        raise SystemExit(f"penstock: a lock holds `name==version` lines alone, but uv compiled {line!r}.")
    return f"{found['name']}=={found['version']}"


def _lines(pins: list[str]) -> str:
    return "\n".join(sorted(pins, key=lambda pin: pin.split("==")[0])) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
