"""Features and models need no more than a bare machine for searching has."""

import subprocess
import sys
from pathlib import Path

ABSENT = ("onnx", "onnxruntime", "pydantic", "sqlalchemy", "pyarrow", "msgspec", "prefect", "mlflow", "bentoml")

PROGRAM = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT!r}:
            raise ImportError(name)

sys.meta_path.insert(0, Absent())
import numpy as np
from penstock.domain.features import ColumnPlan
from penstock.features import graph, planning
from penstock.features.pipeline import build_pipeline
from penstock.models._base import BuildContext, ModelFamily
from penstock.plugins import find_plugins

families = find_plugins("penstock.models", ModelFamily)
loaded = sorted({{"catboost", "lightgbm", "torch", "xgboost"}} & set(sys.modules))
there = {{name: family for name, family in families.items() if family().refusal("binary", 60, 1) is None}}
x = np.random.default_rng(0).normal(size=(60, 1)).astype(np.float32)
y = (x[:, 0] > 0).astype(np.int64)
for name, family in there.items():
    pipeline = build_pipeline((ColumnPlan("a", "number", "number", ""),), family.flavour, 2)
    features = pipeline.fit_transform(x, np.empty((60, 0), object), y)
    values = family().default("binary", 60, 1) | {{"rounds": 5, "epochs": 1}}
    family().build(values, BuildContext("binary", 2, 0)).fit(features, y).predict(features)
print(*there, "loaded first:", *loaded)
"""


def test_every_family_fits_where_nothing_else_is_installed(root: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=root / "src", capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    fitted, loaded = run.stdout.split("loaded first:")
    assert set(fitted.split()) >= {"baseline", "forest", "knn", "lightgbm", "linear", "mlp"}
    assert not loaded.strip()
