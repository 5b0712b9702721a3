import subprocess
import sys

ABSENT = (
    "alembic",
    "bentoml",
    "mlflow",
    "msgspec",
    "onnx",
    "onnxruntime",
    "prefect",
    "pyarrow",
    "pydantic",
    "sqlalchemy",
)

PROGRAM = f"""
import importlib.util, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT!r} or name in ("penstock.store", "penstock.spec"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
from penstock.search.model import calibration
from penstock.search import campaign, fitting, placement
print(*sorted({{"lightgbm", "torch"}} & set(sys.modules)))
"""


def test_the_pure_part_loads_where_store_and_servers_are_absent_and_loads_no_compiled_library() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == ""
