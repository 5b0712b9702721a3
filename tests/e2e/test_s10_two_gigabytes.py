"""S10 with everything: a whole training of 200,000 rows within two gigabytes and one core, the stack outside."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.confined import run_confined
from tests.integration.test_s10_memory import install_mischief
from tests.stranger import COMMAND, Stranger, ask, rows_of

ROWS, NUMBERS, CATEGORIES = 200_000, 50, 10
LIMIT_MB = 2_048
SECONDS = 60


def write_table(path: Path) -> pd.DataFrame:
    """Write a table of 60 columns, a tenth of them telling, and return its first rows."""
    draw = np.random.default_rng(0)
    table = pd.DataFrame({f"number {place}": draw.normal(size=ROWS) for place in range(NUMBERS)})
    value = 1.5 * table["number 0"] + table["number 1"].abs() + table["number 2"] * table["number 3"]
    for place in range(CATEGORIES):
        codes = draw.integers(0, 5, ROWS)
        value += (codes == 0) * (place == 0)
        table[f"category {place}"] = np.array(list("abcde"), object)[codes]
    table["bought"] = np.where(value + draw.normal(size=ROWS) > 1, "yes", "no")
    table.to_parquet(path, index=False)
    return table.drop(columns="bought").head(3)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_whole_training_of_200_000_rows_lives_in_two_gigabytes(stranger: Stranger, tmp_path: Path) -> None:
    rows = write_table(stranger.folder / "wide.parquet")
    stranger.answer("init", "wide", "--data", "wide.parquet", "--target", "bought")
    mischief = install_mischief(tmp_path / "package")
    environment = {**os.environ, **stranger.environment}
    environment["PYTHONPATH"] = f"{mischief}:{environment['PYTHONPATH']}"
    train = [COMMAND, "train", "wide", "--seconds", SECONDS, "--json"]
    command = ["env", "-C", str(stranger.folder), "taskset", "-c", "0", *map(str, train)]
    seen = run_confined(command, environment, LIMIT_MB, 600)
    print(f"held within {LIMIT_MB} MB by {seen.by}: {seen.seconds:.0f} s, at most {seen.most_mb} MB")  # noqa: T201  the scenario asks which
    assert seen.code == 0, seen.err[-4000:]
    body = json.loads(seen.out)
    assert (seen.killed, seen.left) == (0, [])
    assert body["decision"]["verdict"] == "promote"
    assert body["score"]["value"] > 0.75
    assert body["trials"]["skipped"] >= 1
    assert body["seconds"]["search"] <= SECONDS + 3
    key = stranger.answer("keys", "create", "wide", "--project", "wide")["key"]
    status, said = ask(body["endpoint"], {"rows": rows_of(rows)}, key)
    assert (status, len(said["predictions"])) == (200, 3)
