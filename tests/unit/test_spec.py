"""The project file."""

from pathlib import Path

import pytest

from penstock.errors import SpecError
from penstock.spec import load_spec

GOOD = """
name: churn
source: {kind: csv_file, path: data/churn.csv}
target: churned
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "churn.yaml"
    path.write_text(text)
    return path


def faults(folder: Path, text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        load_spec(write(folder, text))
    return caught.value


def test_three_keys_are_enough(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, GOOD))
    assert (spec.name, spec.target, spec.source.path) == ("churn", "churned", "data/churn.csv")
    assert spec.folder == tmp_path.resolve()
    assert spec.rollout.stages == [0, 5, 25, 100]


def test_five_faults_are_all_shown_with_their_lines(tmp_path: Path) -> None:
    text = """name: churn
source: {kind: csv_file, path: data/churn.csv}
target: churned
problem: binry
budget:
  seconds: -5
split:
  holdout: 20
validatoin: {quarantine: 0.05}
rollout: {stages: [0, 50, 20]}
"""
    error = faults(tmp_path, text)
    assert "has 5 faults" in error.message
    assert [(detail["line"], detail["key"]) for detail in error.details] == [
        (4, "problem"),
        (6, "budget.seconds"),
        (8, "split.holdout"),
        (9, "validatoin"),
        (10, "rollout.stages"),
    ]
    hints = [detail["hint"] for detail in error.details]
    assert hints == ["Did you mean 'binary'?", "", "Did you mean 0.2?", "Did you mean `validation`?", ""]


@pytest.mark.parametrize(
    ("line", "key", "said"),
    [
        ("holdout: 0.2", "holdout", "It belongs under `split`."),
        ("seed: 1.5", "seed", "must be a whole number, but is 1.5."),
        ("time: churned", "time", "must be another column than the target"),
        ("budget: {gpus: many}", "budget.gpus", "must be 'auto' or be a whole number, but is 'many'."),
        ("families: {include: al}", "families.include", "Did you mean 'all'?"),
        ("columns: {kinds: {zip: categry}}", "columns.kinds.zip", "Did you mean 'category'?"),
        ("columns: {allow: [a], drop: [a]}", "columns.allow", "`columns.drop` names, but is 'a'."),
        ("gates: {fairness: {grop: sex}}", "gates.fairness.grop", "Did you mean `group`?"),
        ("problem: regression\npositive: 1", "positive", "unless `problem` is binary"),
        ("problem: regression\ncosts: {false_negative: 1, false_positive: 2}", "costs", "for a regression"),
        ("costs: {a: {b: 1}, b: {c: 1}}", "costs", "square matrix"),
        ("costs: {false_negatives: 1}", "costs", "must have false_negative and false_positive"),
        ("metric: cost", "metric", "unless `costs` are given"),
        ("metric: roc_acu", "metric", "Did you mean 'roc_auc'?"),
        ("metric: brier", "metric", "must be one of roc_auc, average_precision, log_loss, accuracy, f1, cost, rmse"),
        (
            "problem: binary\nmetric: rmse",
            "metric",
            "be one for a binary problem, of accuracy,",
        ),
        ("problem: regression\nmetric: roc_auc", "metric", "of mae, r2, rmse, but is 'roc_auc'."),
        ("problem: regression\nmetric: rmsee", "metric", "must be one of mae, r2, rmse, but is 'rmsee'. Did you mean"),
        ("families: {include: [linear, forst]}", "families.include", "but is 'forst'. Did you mean 'forest'?"),
        ("families: {exclude: [arima]}", "families.exclude", "There are: baseline, catboost, forest, knn,"),
        ("families: {spaces: {lightgmb: {rate: 0.1}}}", "families.spaces.lightgmb", "Did you mean 'lightgbm'?"),
        ("families: {own: {linear: mine.py:Mine}}", "families.own.linear", "be named as no family of Penstock is"),
        ("drift: {pis: 0.2}", "drift.pis", "must name detectors, but is 'pis'. Did you mean 'psi'?"),
        ("bundle: python", "bundle", "must be onnx, for `python` is not built yet. A model answers by its ONNX graph"),
        ("families: {own: {Mine: mine.py:Mine}}", "families.own.Mine", "lower-case letters"),
        ("families: {own: {mine: Mine}}", "families.own.mine", "mine.py:Mine, but is 'Mine'."),
        ("families: {spaces: {forest: {share: [0.9, 0.1]}}}", "families.spaces.forest.share", "the lower end"),
        ("families: {spaces: {forest: {share: {low: 1}}}}", "families.spaces.forest.share", "the two ends of a range"),
        ("search: {sampler: randm}", "search.sampler", "Did you mean 'random'?"),
        ("search: {deterministic: true}", "search.deterministic", "stand beside `budget.trials`"),
        ("limits: 5", "limits", "must be a section of keys and values, but is 5."),
        ("path: x", "path", "It belongs under `source`."),
    ],
)
def test_one_fault_says_what_must_hold_and_what_to_do(tmp_path: Path, line: str, key: str, said: str) -> None:
    error = faults(tmp_path, GOOD + line)
    assert [detail["key"] for detail in error.details] == [key]
    assert said in error.message


def test_a_misspelt_required_key_is_one_fault(tmp_path: Path) -> None:
    error = faults(tmp_path, GOOD.replace("target", "taget"))
    assert [(detail["key"], detail["hint"]) for detail in error.details] == [("taget", "Did you mean `target`?")]


def test_a_source_needs_what_its_kind_reads(tmp_path: Path) -> None:
    error = faults(tmp_path, "name: churn\nsource: {kind: sql_query, url: x}\ntarget: churned\n")
    assert [detail["key"] for detail in error.details] == ["source.query"]


def test_a_kind_of_source_is_known(tmp_path: Path) -> None:
    error = faults(tmp_path, "name: churn\nsource:\n  kind: cvs_file\n  path: x.csv\ntarget: churned\n")
    assert [(detail["line"], detail["key"], detail["hint"]) for detail in error.details] == [
        (3, "source.kind", "Did you mean 'csv_file'?")
    ]


def test_names_are_known_that_a_file_or_a_package_brings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = tmp_path / "elsewhere" / "shapes-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: shapes\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[penstock.models]\nspline = shapes:Spline\n")  # and no such module
    families = "families: {include: [spline, mine], own: {mine: mine.py:Mine}, spaces: {mine: {depth: 3}}}"
    with pytest.raises(SpecError, match="'spline'"):
        load_spec(write(tmp_path, GOOD + families))
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    assert load_spec(write(tmp_path, GOOD + families)).families.include == ["spline", "mine"]


def test_a_metric_is_held_against_the_problem_only_where_it_is_said(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, GOOD + "metric: rmse")).metric == "rmse"


@pytest.mark.parametrize(("written", "hint"), [('"20"', "Did you mean 0.2?"), ("many", ""), ("1000", "")])
def test_a_share_in_quotes_hides_no_other_fault(tmp_path: Path, written: str, hint: str) -> None:
    error = faults(tmp_path, GOOD + f"split: {{holdout: {written}}}\nproblem: binry")
    assert [detail["key"] for detail in error.details] == ["split.holdout", "problem"]
    assert [detail["hint"] for detail in error.details] == [hint, "Did you mean 'binary'?"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("churn-", "Did you mean 'churn'?"),
        ("My Project", "Did you mean 'my-project'?"),
        ("2026", "Did you mean 'p-2026'?"),
        ("a" * 47 + "-b", f"Did you mean '{'a' * 47}'?"),
        ("数据", ""),
    ],
)
def test_a_project_has_a_name_that_its_bento_may_have(tmp_path: Path, name: str, hint: str) -> None:
    error = faults(tmp_path, GOOD.replace("name: churn", f'name: "{name}"'))
    assert [(detail["key"], detail["hint"]) for detail in error.details] == [("name", hint)]
    assert "end in a letter or digit" in error.message


@pytest.mark.parametrize("name", ["a", "a1", "a-b", "a" * 48])
def test_a_short_and_a_long_name_are_names(tmp_path: Path, name: str) -> None:
    assert load_spec(write(tmp_path, GOOD.replace("name: churn", f"name: {name}"))).name == name


def test_a_number_as_a_name_is_to_be_quoted(tmp_path: Path) -> None:
    assert 'Put it in quotes: "5".' in faults(tmp_path, GOOD.replace("churned", "5")).message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: churn\n  bad: [1", "line 2"),
        ("name: a\nname: b", "duplicate key"),
        ("", "must hold keys and values"),
        ("- a\n- b", "must hold keys and values"),
    ],
)
def test_a_file_that_is_no_yaml_says_where(tmp_path: Path, text: str, said: str) -> None:
    assert said in faults(tmp_path, text).message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="must exist"):
        load_spec(tmp_path / "none.yaml")
