"""The project file that a table suggests: what it asks, what orders and names its rows, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from penstock.data.checks.first_file import KEY_SHARE, says_id
from penstock.data.drafts.project_text import project_text
from penstock.data.ingestion import read_source
from penstock.data.sources import _csv_text
from penstock.data.targets import Value, check_target, infer_positive, infer_problem
from penstock.data.types.canonical import Wishes, canonical_type, names_of, to_canonical, unsupported
from penstock.domain.datasets import DatasetVersion
from penstock.domain.metrics import USUAL_METRICS, metrics_for
from penstock.domain.workspace import Workspace
from penstock.errors import SpecError
from penstock.spec import Columns, ProjectSpec, Source, load_spec
from penstock.store.frames import load_table

IN_ORDER = 0.99  # share of steps from row to row that go one way, or rank correlation with the place in the file
NEARLY_AS_FINE = 0.9
FEWEST_TIMES = 10
MOSTLY_THERE = 0.5
MOST_SHOWN = 3
PARQUET_MARK = b"PAR1"


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that was inferred, and why."""

    value: Value | None
    reason: str


def columns_of(path: Path) -> list[str]:
    """Return the names of a file's columns.

    Raises
    ------
    SourceUnavailable
        If the file cannot be read.
    DataError
        If it has no line of names.
    """
    if _is_parquet(path):
        return [str(name) for name in pq.read_schema(path).names]
    return list(_csv_text.look_through(path).names)


def draft_project(name: str, path: Path, target: str, overrides: Mapping[str, str | None], file: Path) -> list[str]:
    """Write the project file that a table suggests, with a comment for each setting.

    Parameters
    ----------
    name
        The project's name.
    path
        A CSV or Parquet file.
    target
        The column to predict.
    overrides
        `time` and `id` as a person gave them: a column, ``"none"``, or None to infer.
    file
        Where to write. A file that is there and says the same source and target is kept.

    Returns
    -------
    list of str
        What was chosen, and why, a sentence each.

    Raises
    ------
    DataError
        If the target is not among the columns, or there is nothing to learn.
    SpecError
        If the file is there and says another source or target, or an override names no column.
    """
    if file.exists():
        return _kept(file, path, target)
    source = Source(kind="parquet_file" if _is_parquet(path) else "csv_file", path=_address(path, file))
    raw = read_source(source, file.parent)
    drop = [str(column) for column in raw.frame if unsupported(raw.frame[column])]
    frame = to_canonical(raw, Wishes(drop=drop)).frame
    choices = choose(frame, target, overrides)
    spec = ProjectSpec(
        name=name,
        source=source,
        target=target,
        columns=Columns(drop=drop),
        path=file,
    )
    spec = spec.model_copy(update={key: choice.value for key, choice in choices.items()})
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(project_text(spec, {key: choice.reason for key, choice in choices.items()}), encoding="utf-8")
    notes = [
        f"{key}: {'none' if choice.value is None else choice.value} ({choice.reason})."
        for key, choice in choices.items()
    ]
    return notes + [f"columns.drop: {column} (no model takes its values)." for column in drop]


def choose(frame: pd.DataFrame, target: str, overrides: Mapping[str, str | None]) -> dict[str, Choice]:
    """Choose problem, positive, metric, time and id for a table.

    Parameters
    ----------
    frame
        A canonical table, shape (n_rows, n_columns).
    target
        The column to predict.
    overrides
        What a person said: of `time` and `id` a column or ``"none"``.
    """
    check_target(frame, target)
    problem, why = infer_problem(frame[target])
    check_target(frame, target, problem)
    given = {key: value for key, value in overrides.items() if value is not None}
    choices = {"problem": Choice(problem, why)}
    if problem == "binary":
        choices["positive"] = Choice(infer_positive(frame[target]), "the rarer of the two values")
    choices["metric"] = Choice(USUAL_METRICS[problem], f"the usual one for {problem}")
    others = frame.drop(columns=target)
    for key, infer in (("time", infer_time), ("id", infer_id)):
        choices[key] = said_choice(others, key, given[key]) if key in given else infer(others)
    return choices


def complete_spec(spec: ProjectSpec, dataset: DatasetVersion, workspace: Workspace) -> ProjectSpec:
    """Fill in what a project file leaves to the data: problem, positive and metric.

    Parameters
    ----------
    spec
        The project, as its file says.
    dataset
        A table of the project.
    workspace
        Where the table is kept.

    Returns
    -------
    ProjectSpec
        The same spec where nothing was left out.

    Raises
    ------
    DataError
        If the target does not suit the problem.
    SpecError
        If the metric does not, or costs of mistakes are given for a regression.
    """
    target = load_table(dataset.digest, workspace, [spec.target])
    problem, why = (spec.problem, "as the file says") if spec.problem else infer_problem(target[spec.target])
    check_target(target, spec.target, problem)
    positive = spec.positive
    if problem == "binary" and positive is None:
        positive = infer_positive(target[spec.target])
    metric = spec.metric or ("cost" if spec.costs else USUAL_METRICS[problem])
    if spec.costs and problem == "regression":
        raise SpecError(f"`costs` must be left out, for the target {spec.target!r} asks for a regression ({why}).")
    if metric not in metrics_for(problem):
        raise SpecError(
            f"`metric` must be one for a {problem} problem ({why}), of {', '.join(metrics_for(problem))}, "
            f"but is {metric!r}."
        )
    return spec.model_copy(update={"problem": problem, "positive": positive, "metric": metric})


def infer_time(frame: pd.DataFrame) -> Choice:
    """Choose the date column that the rows are in the order of: the finest, and of equally fine ones the earliest."""
    dates = [name for name in names_of(frame) if canonical_type(frame[name]) == "date"]
    if not dates:
        return Choice(None, "no column holds dates")
    ordered = {name: int(frame[name].nunique()) for name in dates if _orders(frame[name])}
    if not ordered:
        listed = ", ".join(repr(name) for name in dates[:MOST_SHOWN])
        return Choice(None, f"the rows are not in the order of {listed}; name one if later rows should be held out")
    finest = [name for name in ordered if ordered[name] >= NEARLY_AS_FINE * max(ordered.values())]
    best = min(finest, key=lambda name: frame[name].median())  # of a start and an end, the start is known
    rest = [repr(name) for name in ordered if name != best]
    finer = f"; it is finer or earlier than {', '.join(rest)}" if rest else ""
    missing = int(frame[best].isna().sum())
    gaps = f"; {missing} rows have none" if missing else ""
    return Choice(best, f"the rows are in the order of its dates{finer}{gaps}")


def infer_id(frame: pd.DataFrame) -> Choice:
    """Choose the column that names the rows: its name says so, and its values are different."""
    named = [name for name in names_of(frame) if says_id(name) and _names_rows(frame[name])]
    if not named:
        return Choice(None, "no column with different values is named as an id")
    best = min(named, key=lambda name: (len(name) > len("uuid"), named.index(name)))
    present = frame[best].dropna()
    repeated = len(present) - present.nunique()
    if repeated or len(present) < len(frame):
        return Choice(
            best, f"its name says so, but {repeated} rows repeat a value and {len(frame) - len(present)} have none"
        )
    return Choice(best, "its name says so, and every row has its own value")


def _orders(values: pd.Series) -> bool:
    present = values.dropna().to_numpy()
    if len(present) < MOSTLY_THERE * len(values) or len(np.unique(present)) < FEWEST_TIMES:
        return False
    steps = np.diff(present).astype(np.int64)
    likeness = values.dropna().rank().corr(pd.Series(np.arange(len(values), dtype=np.float64), index=values.index))
    return bool(max((steps >= 0).mean(), (steps <= 0).mean(), abs(likeness)) >= IN_ORDER)


def _names_rows(values: pd.Series) -> bool:
    if canonical_type(values) == "string" or values.dtype.kind == "i" or bool((values.dropna() % 1 == 0).all()):
        present = values.dropna()
        return len(present) >= MOSTLY_THERE * len(values) and bool(present.nunique() >= KEY_SHARE * len(present))
    return False


def said_choice(frame: pd.DataFrame, key: str, value: str) -> Choice:
    """Return what a person said of `time` or `id`, if a table without the target lets it be.

    Raises
    ------
    SpecError
        If no column has the name, or the time holds no dates.
    """
    if value.lower() == "none":
        return Choice(None, "as you said")
    if value not in frame:
        must = f"`--{key}` must name a column other than the target, or be none"
        raise SpecError(f"{must}, but is {value!r}. There are: {', '.join(names_of(frame))}.")
    if key == "time" and canonical_type(frame[value]) != "date":
        found = ", ".join(map(repr, frame[value].dropna().astype(str).iloc[:2]))
        raise SpecError(f"`--time` must name a column of dates, but {value!r} holds values such as {found}.")
    return Choice(value, "as you said")


def _is_parquet(path: Path) -> bool:
    if not path.is_file():
        return path.suffix in (".parquet", ".pq")
    with path.open("rb") as file:
        return file.read(4) == PARQUET_MARK


def _address(path: Path, file: Path) -> str:
    """Return a path for the project file: relative if the data lies beside or below the projects' folder."""
    data, home = path.resolve(), file.resolve().parent
    return relpath(data, home) if data.is_relative_to(home.parent) else str(data)


def _kept(file: Path, path: Path, target: str) -> list[str]:
    spec = load_spec(file)
    source = (spec.folder / str(spec.source.path)).resolve()
    if source != path.resolve() or spec.target != target:
        raise SpecError(
            f"The project file {str(file)!r} must not be there yet, or predict {target!r} from {str(path)!r}, "
            f"but predicts {spec.target!r} from {str(source)!r}. Change it, or choose another name."
        )
    return [f"Kept {file}, which says the same source and target."]
