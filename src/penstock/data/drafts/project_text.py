"""A project file as text: every setting with its value and a comment."""

import json
import re
from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from penstock.spec import ProjectSpec

COMMENTS = {
    "name": "lower-case letters, digits and dashes",
    "source": "where rows come from; paths are relative to this file",
    "source.kind": "csv_file, parquet_file or sql_query",
    "source.path": "a file, or a pattern such as data/*.csv for many with the same columns",
    "source.url": "sql_query: the database's address, or env:NAME for an address in an environment variable",
    "source.query": "sql_query: what to ask",
    "source.journal": "true: answered rows with their labels are rows of the next dataset version as well",
    "target": "the column to predict",
    "problem": "binary, multiclass or regression",
    "positive": "binary: the class that is looked for",
    "time": "rows are split and watched in this column's order; null: a keyed hash splits them",
    "id": "never a feature; joins labels, keeps a caller on one version, groups the split",
    "metric": "roc_auc, average_precision, log_loss, accuracy, f1, rmse, mae, r2 or cost",
    "costs": "what errors cost, such as {false_negative: 5, false_positive: 1}; chooses model and threshold",
    "limits": "hard: a candidate over a limit cannot win; null is no limit",
    "limits.latency_ms": "of one row",
    "limits.size_mb": "of the graph that serves it",
    "limits.parameters": "of the model",
    "limits.flops": "floating-point operations for one row",
    "budget": "what a search may use",
    "budget.seconds": "from the start of the search to the final fit",
    "budget.trials": "at most so many; null: as many as fit",
    "budget.memory_gb": "null: what the machine has free",
    "budget.gpus": "auto, or how many",
    "families": "which kinds of model are searched",
    "families.include": "all, or a list such as [linear, lightgbm]",
    "families.exclude": "left out of these",
    "families.spaces": "fixed or narrowed, such as {lightgbm: {rate: 0.05, leaves: [4, 32]}}",
    "families.own": "estimators of yours, such as {mine: mine.py:MyClassifier}",
    "search": "how it is searched",
    "search.sampler": "what proposes configurations: tpe, random or grid",
    "search.deterministic": "true: time decides nothing, budget.trials does; the same seed gives the same model",
    "columns": "what you know of columns",
    "columns.drop": "never features",
    "columns.allow": "features although a check would leave them out",
    "columns.kinds": "what a column holds, such as {zip: category}: number, category, text, date or boolean",
    "columns.forbidden": "must never become features",
    "columns.monotone": "the prediction may only rise or fall with it, such as {income: increasing}",
    "columns.sensitive": "values are masked in what people see",
    "columns.embeddings": "a folder with a static model of words (Model2Vec, StaticEmbedding); null: words alone",
    "split": "what is kept back from all search",
    "split.holdout": "share of the rows; 0 is for benchmarks only",
    "validation": "what is done with rows that fail the contract",
    "validation.quarantine": "they are set aside; more than this share stops the run",
    "gates": "what a version must show before it may serve",
    "gates.mode": "superior, or non_inferior within margin",
    "gates.confidence": "of the judge that compares it with the version that serves",
    "gates.min_gain": "in the metric; the lower bound of the gain must clear it",
    "gates.margin": "how much worse a non_inferior version may be",
    "gates.min_rows": "fewer rows to judge by: hold",
    "gates.cases": "a CSV file of rows that must be answered right",
    "gates.fairness": "such as {group: sex, metric: recall, max_gap: 0.1}",
    "rollout": "how traffic moves to a new version",
    "rollout.stages": "percent of the traffic; 0 answers in the shadow",
    "rollout.tolerate": "the harm that a stage may show",
    "rollout.tolerate.errors": "share of failing answers",
    "rollout.tolerate.latency": "times the latency of the version that serves",
    "rollout.tolerate.mix": "change in the shares of answers",
    "rollout.tolerate.quality": "loss in the metric",
    "rollout.max_wait_minutes": "for a stage's evidence",
    "rollout.thin_traffic": "paired (replay and shadow are the evidence) or hold",
    "rollout.approve": "true: a person must agree; until_trusted: until three proposals were right",
    "monitoring": "how drift is watched",
    "monitoring.every_minutes": "between two windows",
    "monitoring.window_rows": "rows of a window",
    "monitoring.min_rows": "fewer are not measured",
    "retrain": "when a new training is worth it",
    "retrain.persistence": "windows in a row that must show it",
    "retrain.cooldown_minutes": "between two trainings",
    "retrain.min_new_labels": "since the last training",
    "retrain.every_labels": "also after so many new labels; null: no",
    "drift": "how far a column may move, by detector, such as {psi: 0.2, missing: 0.1, levels: 0.05}",
    "seed": "the same seed gives the same folds and trials",
    "bundle": "onnx: a model answers by its graph",
}
WIDTH = 34
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
RESERVED = frozenset({"yes", "no", "true", "false", "null", "on", "off", "y", "n", "none"})


def project_text(spec: ProjectSpec, reasons: Mapping[str, str]) -> str:
    """Return a project file with every setting.

    Parameters
    ----------
    spec
        The values.
    reasons
        Why a setting has its value, for the settings that were inferred.
    """
    source = spec.source.path or "a query"
    head = f"Predicts {spec.target} from {source}. Every setting has its value and what it means."
    return "\n".join([_comment(head), "", *_lines(spec, "", reasons), ""])


def yaml_value(value: object) -> str:
    """Return a value in YAML's one-line form."""
    if isinstance(value, str):
        simple = PLAIN.fullmatch(value) and value.lower() not in RESERVED
        return value if simple else json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{yaml_value(key)}: {yaml_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(yaml_value, value)) + "]"
    return json.dumps(value)


def _lines(section: BaseModel, place: str, reasons: Mapping[str, str]) -> Iterator[str]:
    indent = "  " * place.count(".")
    for name in type(section).model_fields:
        key, value = place + name, getattr(section, name)
        if key == "path" or (place == "source." and value is None):
            continue
        comment = COMMENTS[key] + (f" (chosen: {reasons[key]})" if key in reasons else "")
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:".ljust(WIDTH) + f"  {_comment(comment)}"
            yield from _lines(value, f"{key}.", reasons)
        else:
            yield f"{indent}{name}: {yaml_value(value)}".ljust(WIDTH) + f"  {_comment(comment)}"


def _comment(text: str) -> str:
    """Return a comment of one line, whatever ends of lines a column's name has."""
    return "# " + " ".join(text.split())
