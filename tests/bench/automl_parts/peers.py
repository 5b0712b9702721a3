"""The systems' environments: each peer is installed into its own, once."""

import importlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
READS_PARQUET = "pyarrow"  # in each environment, so that all read the same files


@dataclass(frozen=True, slots=True)
class Peer:
    """What is installed for a system; systems of one environment share it."""

    environment: str
    requirements: tuple[str, ...]


AUTOGLUON = Peer("autogluon", ("autogluon.tabular[catboost,fastai,lightgbm,xgboost]==1.6.*",))
PEERS: dict[str, Peer] = {
    "autogluon_good": AUTOGLUON,
    "autogluon_medium": AUTOGLUON,
    "flaml": Peer("flaml", ("flaml[automl]==2.7.*", "catboost", "pandas<3")),
    "h2o": Peer("h2o", ("h2o==3.46.*", "numpy", "pandas<3")),
    "mljar": Peer("mljar", ("mljar-supervised", "pandas<3")),
}


def python_of(system: str, folder: Path) -> Path:
    """Return the Python that a system runs in: its own environment's, or this one for what the project has.

    Raises
    ------
    RuntimeError
        If it cannot be installed; the message says why.
    """
    if system not in PEERS:
        return Path(sys.executable)
    peer = PEERS[system]
    home = folder / peer.environment
    python = home / "bin" / "python"
    mark = home / "installed.txt"
    wanted = "\n".join(peer.requirements)
    if system == "h2o" and shutil.which("java") is None:
        raise RuntimeError("h2o needs Java, and there is none on the path")
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return python
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    _uv("venv", "--clear", "--python", version, str(home))
    install = ["pip", "install", "--python", str(python), *peer.requirements, READS_PARQUET]
    try:
        _uv(*install, "--torch-backend", "cpu")
    except RuntimeError:
        _uv(*install)  # where torch's own index cannot be reached, pip's settings may know of one
    mark.write_text(wanted, encoding="utf-8")
    return python


def _uv(*arguments: str) -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    environment, _ = importlib.import_module("pip_settings").uv_environment(Path(sys.executable))
    done = subprocess.run(
        [shutil.which("uv") or str(Path(sys.executable).with_name("uv")), *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        last = done.stderr.strip().splitlines()[-3:]
        raise RuntimeError(f"uv {arguments[0]} ended with {done.returncode}: {' '.join(last)}")
