"""What a search starts from, read from where it is kept: decoded training rows, facts of columns, former searches."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.data.contract_file import find_contract
from penstock.data.decoding import compile_decoding
from penstock.data.splitting import load_assignment, training_rows
from penstock.data.targets import infer_positive, infer_problem
from penstock.domain.datasets import DatasetVersion, Finding, Problem, Split
from penstock.domain.features import FeaturePlan
from penstock.domain.models import Target
from penstock.domain.search import SearchResult, Value
from penstock.domain.workspace import Workspace
from penstock.errors import DataError
from penstock.features.embeddings import Meanings, learn_meanings, model_digest
from penstock.features.planning import PlanFacts
from penstock.search.encoding import TrainingRows
from penstock.search.targets import codes_of_target
from penstock.search.wishes.asked import objective_of, own_of
from penstock.search.wishes.own import file_digest
from penstock.spec import ProjectSpec
from penstock.store import frames, trainings

FORMER = 3  # searches of the project that a new one learns from
MOST_FORMER = 2  # configurations of a family that it begins with


@dataclass(frozen=True, slots=True)
class Loaded:
    """Training rows with their positions in the dataset version, and the target's classes in the codes' order."""

    rows: TrainingRows
    positions: NDArray[np.int64]
    classes: tuple[Target, ...]


def facts_of(dataset: DatasetVersion, split: Split, leaks: tuple[Finding, ...], spec: ProjectSpec) -> PlanFacts:
    """Return what planning knows besides the rows."""
    columns = spec.columns
    return PlanFacts(
        target=spec.target,
        problem=_problem(dataset, spec),
        id=spec.id,
        time=spec.time if split.time_ordered else None,
        dropped=tuple(columns.drop),
        allowed=tuple(columns.allow),
        kinds=columns.kinds,
        leaks=leaks,
        unlisted=_unlisted(dataset, spec),
        optional=_optional(spec),
        forbidden=tuple(columns.forbidden),
        sensitive=_sensitive(spec),
        embeddings=_embeddings(spec),
    )


def _embeddings(spec: ProjectSpec) -> str:
    """Return the words for the model of `columns.embeddings`: its folder's name and its digest; "" without one."""
    if spec.columns.embeddings is None:
        return ""
    folder = spec.folder / spec.columns.embeddings
    return f"{folder.name} ({model_digest(folder)[:12]})"


def _problem(dataset: DatasetVersion, spec: ProjectSpec) -> Problem:
    if spec.problem is None:
        raise DataError(f"The problem of {spec.name!r} must be known for {dataset.digest[:12]}, but is not inferred.")
    return spec.problem


def _unlisted(dataset: DatasetVersion, spec: ProjectSpec) -> tuple[str, ...]:
    """Return the columns that the contract does not know, or does not allow."""
    contract = find_contract(spec)
    if contract is None:
        return ()
    known = {column.name for column in contract.columns if column.allowed}
    return tuple(column.name for column in dataset.columns if column.name not in known and column.name != spec.target)


def _optional(spec: ProjectSpec) -> tuple[str, ...]:
    """Return the columns that the contract does not call required."""
    contract = find_contract(spec)
    return tuple(column.name for column in contract.columns if not column.required) if contract else ()


def _sensitive(spec: ProjectSpec) -> tuple[str, ...]:
    """Return the columns that the contract or the project file calls sensitive."""
    contract = find_contract(spec)
    marked = [column.name for column in contract.columns if column.sensitive] if contract else []
    return tuple(dict.fromkeys([*spec.columns.sensitive, *marked]))


def load(split: Split, plan: FeaturePlan, spec: ProjectSpec, workspace: Workspace) -> Loaded:
    """Return the training rows, decoded; in time order if the folds are."""
    columns = [column.name for column in plan.used]
    wanted = [*columns, spec.target, *([spec.time] if split.time_ordered and spec.time else [])]
    frame = frames.load_table(split.dataset, workspace, list(dict.fromkeys(wanted)))
    assignment = load_assignment(split, workspace)
    positions = np.flatnonzero(training_rows(assignment))
    if split.time_ordered and spec.time:
        order = np.argsort(frame[spec.time].to_numpy()[positions], kind="stable")
        positions = positions[order]
    frame = frame.iloc[positions]
    problem = spec.problem or infer_problem(frame[spec.target])[0]
    positive = infer_positive(frame[spec.target]) if problem == "binary" and spec.positive is None else spec.positive
    target, classes = codes_of_target(frame[spec.target], problem, positive)
    numbers, texts = compile_decoding(plan.decoding).columns({name: frame[name] for name in columns})
    rows = TrainingRows(
        numbers=numbers,
        texts=texts,
        target=target,
        fold=assignment[positions],
        group=np.asarray(frames.load_array(split.groups, workspace))[positions],
        plan=plan,
        problem=problem,
        classes=len(classes),
        folds=split.folds,
        time_ordered=split.time_ordered,
        name=_name(split, plan, problem, classes, spec),
        meanings=_meanings(texts, plan, spec),
    )
    return Loaded(rows, positions, classes)


def _meanings(texts: NDArray[Any], plan: FeaturePlan, spec: ProjectSpec) -> dict[str, Meanings]:
    """Return what the model of `columns.embeddings` says of the words of each text column."""
    if spec.columns.embeddings is None:
        return {}
    sources = np.array(compile_decoding(plan.decoding).text_sources)
    found = [column.name for column in plan.used if column.treatment == "text"]
    folder = spec.folder / spec.columns.embeddings
    return {name: learn_meanings(texts[:, sources == name], folder) for name in found}


def _name(split: Split, plan: FeaturePlan, problem: Problem, classes: tuple[Target, ...], spec: ProjectSpec) -> str:
    """Return what trials belong to: rows, target codes, features, seed, score, and what own estimators are.

    The plan says nothing of monotone columns, and what was fitted without a constraint does not keep it. Budget,
    families, spaces and limits may be edited, and what was tried still counts.
    """
    rows = [split.dataset, split.assignment, plan.digest, spec.columns.monotone]
    own = [[source.name, source.attribute, file_digest(source)] for source in own_of(spec)]
    codes = [problem, *map(repr, classes)]  # an edited `positive` turns them round
    said = [*rows, codes, spec.seed, objective_of(problem, spec), spec.costs, own]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def former_best(spec: ProjectSpec, workspace: Workspace) -> dict[str, tuple[dict[str, Value], ...]]:
    """Return what did best of each family in the project's last searches, the newest first; nothing if deterministic.

    Scores of other rows do not count here: the configurations are tried again.
    """
    if spec.search.deterministic:
        return {}
    found: dict[str, list[dict[str, Value]]] = {}
    for training in trainings.ended_trainings(spec.name, FORMER, workspace):
        result = trainings.recall(training, "search", SearchResult, workspace)
        for family, best in _best_of_each(result).items() if result is not None else ():
            known = found.setdefault(family, [])
            if best not in known and len(known) < MOST_FORMER:
                known.append(best)
    return {family: tuple(configurations) for family, configurations in found.items()}


def _best_of_each(result: SearchResult) -> dict[str, dict[str, Value]]:
    whole = [one for one in result.trials if one.state == "finished" and not one.partial and not one.over]
    ranked = sorted(whole, key=lambda one: (one.score or -np.inf, -one.number))  # of equals the earlier
    return {one.family: one.parameters for one in ranked}
