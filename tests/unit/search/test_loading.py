"""What a study's folder is named by: an edit that changes what trials mean begins another."""

from pathlib import Path
from typing import Any

from penstock.domain.datasets import Split
from penstock.domain.features import FeaturePlan
from penstock.search import loading
from penstock.spec import ProjectSpec

SPLIT = Split("toy", "rows", "hash", (), "assignment", "g", "d", 3, False, 9, 1, 0, False, None, "by hash")
PLAN = FeaturePlan("toy", "rows", "plan", ())
SOURCE = "class A: ...\nclass B: ...\n"


def name(folder: Path, classes: tuple[str, ...] = ("no", "yes"), **said: Any) -> str:
    (folder / "mine.py").write_text(SOURCE, encoding="utf-8")
    told = {"name": "toy", "source": {"kind": "csv_file", "path": "toy.csv"}, "target": "y", "path": folder / "t.yaml"}
    return loading._name(SPLIT, PLAN, "binary", classes, ProjectSpec.model_validate({**told, **said}))


def test_a_column_that_becomes_monotone_begins_another_study(tmp_path: Path) -> None:
    names = [name(tmp_path, columns={"monotone": {"x": word}}) for word in ("increasing", "decreasing")]
    assert len({name(tmp_path), *names}) == 3


def test_a_target_whose_codes_are_turned_round_begins_another_study(tmp_path: Path) -> None:
    assert name(tmp_path, ("yes", "no")) != name(tmp_path)


def test_another_class_of_the_same_file_begins_another_study(tmp_path: Path) -> None:
    owns = [{"mine": "mine.py:A"}, {"mine": "mine.py:B"}, {"yours": "mine.py:A"}]
    assert len({name(tmp_path, families={"own": own}) for own in owns}) == 3


def test_budget_and_spaces_may_be_edited(tmp_path: Path) -> None:
    own = {"mine": "mine.py:A"}
    edited = name(tmp_path, families={"own": own, "spaces": {"mine": {"depth": 4}}}, budget={"seconds": 9})
    assert edited == name(tmp_path, families={"own": own})


def test_columns_that_the_contract_marks_are_sensitive_too(tmp_path: Path) -> None:
    told = {
        "name": "toy",
        "source": {"kind": "csv_file", "path": "toy.csv"},
        "target": "y",
        "path": tmp_path / "t.yaml",
    }
    spec = ProjectSpec.model_validate({**told, "columns": {"sensitive": ["age"]}})
    assert loading._sensitive(spec) == ("age",)
    columns = "{y: {type: number, required: true}, sex: {type: string, required: true, sensitive: true}}"
    (tmp_path / "toy.contract.yaml").write_text(f"project: toy\ntarget: y\ncolumns: {columns}\n", encoding="utf-8")
    assert loading._sensitive(spec) == ("age", "sex")
