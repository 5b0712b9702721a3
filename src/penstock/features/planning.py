"""Decide what is done to each column, and say why in a sentence for a person."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from penstock.data.readers import MISSING
from penstock.data.types.words import TEXT_PARTS, words
from penstock.domain.datasets import ColumnProfile, ColumnType, Finding, Problem
from penstock.domain.features import ColumnPlan, Treatment
from penstock.errors import DataError, SpecError
from penstock.features.categories import MANY_LEVELS
from penstock.features.dates import choose_parts, whole_of, with_gaps
from penstock.features.identifiers import TEXT_WORDS, mean_words, names_a_row

MOST_LEVELS = 50  # above this a one-hot encoding is wider than it is useful; the target's mean says more
MOST_TOKENS = 64  # words of a text that are read; more cost a row of serving more than they tell
PROSE_WORDS = 8  # in nineteen of twenty texts at most fewer: an address or a name, whose pairs and marks say nothing
LONGEST_SHOWN = 40  # letters of a value in a reason

_BY_TYPE: dict[ColumnType, Treatment] = {"number": "number", "boolean": "boolean", "date": "date"}
_BY_KIND: dict[tuple[str, str], Treatment] = {
    ("number", "number"): "number",
    ("number", "boolean"): "boolean",
    ("number", "category"): "category",
    ("boolean", "boolean"): "boolean",
    ("boolean", "number"): "number",
    ("boolean", "category"): "category",
    ("string", "category"): "category",
    ("string", "text"): "text",
    ("date", "date"): "date",
}


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """What is known of a project besides its columns.

    `time` is the column that orders the split (None: rows are not ordered); `dropped`, `allowed`, `kinds` and
    `forbidden` are the project file's `columns`; `sensitive` are columns whose values no reason may tell; `leaks` are
    findings whose columns are left out unless allowed; `unlisted` are columns that the contract does not allow yet,
    `optional` those that it does not call required; `group` are columns that say which rows belong together;
    `embeddings` names the model that says what words mean, "" for none.
    """

    target: str
    problem: Problem
    id: str | None = None
    time: str | None = None
    dropped: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    leaks: tuple[Finding, ...] = ()
    unlisted: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    embeddings: str = ""


def plan_features(frame: pd.DataFrame, profiles: tuple[ColumnProfile, ...], facts: PlanFacts) -> tuple[ColumnPlan, ...]:
    """Decide what is done to each column.

    Parameters
    ----------
    frame
        The training rows in their canonical types, shape (n_rows, n_columns); levels are learnt from them alone.
    profiles
        One profile for each column of the dataset version.
    facts
        What else is known.

    Returns
    -------
    tuple of ColumnPlan
        One for each column but the target, in the order of `profiles`.

    Raises
    ------
    DataError
        If no column is left to learn from.
    SpecError
        If the project file says that a column is of a kind that its values cannot be.
    """
    plans = tuple(
        _plan(profile, frame[profile.name], frame, facts) for profile in profiles if profile.name != facts.target
    )
    if all(plan.treatment == "dropped" for plan in plans):
        reasons = [f"{plan.name}: {plan.reason}" for plan in plans]
        message = "At least one column must be left to learn from, but each was left out. See the reasons in details."
        raise DataError(message, reasons)
    return with_gaps(plans, frame)


def _plan(profile: ColumnProfile, values: pd.Series, frame: pd.DataFrame, facts: PlanFacts) -> ColumnPlan:
    sensitive = profile.name in facts.sensitive
    reason = _said_out(profile.name, facts) or _empty(values, sensitive=sensitive)
    if reason is None and profile.name not in facts.allowed:
        reason = _leak(profile.name, facts)
        if reason is None and profile.name not in facts.kinds:
            reason = names_a_row(profile, values, frame, facts.time)
    if reason is not None:
        return ColumnPlan(profile.name, profile.type, "dropped", reason)
    whole = profile.missing == 0 and not bool(values.isna().any())
    required = whole and profile.name not in facts.optional
    treatment, reason = _treatment(profile, values, facts)
    within = whole_of(profile.name, frame, _out(facts)) if treatment == "date" else None
    if within is not None:
        return ColumnPlan(profile.name, profile.type, "dropped", f"It is the day of {within!r}, which is used.")
    note = " It is marked sensitive: its values are masked in what people see." if sensitive else ""
    if treatment == "date":
        parts, why = choose_parts(values, time_ordered=facts.time is not None)
        if not parts:
            return ColumnPlan(profile.name, profile.type, "dropped", why)
        return ColumnPlan(profile.name, profile.type, "date", why + note, required, parts=parts)
    if treatment == "text":
        tokens = _tokens(values)
        prose = tokens >= PROSE_WORDS
        also = " Pairs of words are read too, and letters, digits, capitals and marks counted." if prose else ""
        meant = f" What words mean is said by the model {facts.embeddings}." if facts.embeddings else ""
        reason = f"{reason} The first {tokens} words are read.{also}{meant}"
        parts = TEXT_PARTS if prose else ()
        return ColumnPlan(profile.name, profile.type, "text", reason + note, required, tokens=tokens, parts=parts)
    levels = _levels(values) if treatment == "category" else ()
    return ColumnPlan(profile.name, profile.type, treatment, reason + note, required, levels)


def _out(facts: PlanFacts) -> frozenset[str | None]:
    return frozenset({facts.target, facts.id, *facts.dropped, *facts.forbidden, *facts.unlisted})


def _said_out(name: str, facts: PlanFacts) -> str | None:
    """Say why a person's word, or the contract, leaves a column out."""
    if name == facts.id:
        return "It is the id of a row; it joins labels and is never a feature."
    if name in facts.forbidden:
        return "The project file forbids its use."
    if name in facts.dropped:
        return "The project file drops it."
    if name in facts.unlisted and name not in facts.allowed:
        return "The contract does not allow it; it stays unused until the contract says `allowed: true`."
    if name in facts.group and name not in facts.allowed:
        return "It says which rows belong together; a new group has a value that no model has seen."
    return None


def _empty(values: pd.Series, *, sensitive: bool) -> str | None:
    present = values.dropna()
    if present.empty:
        return "It has no value in any training row."
    if len(present) == len(values) and present.nunique() == 1:
        value = "" if sensitive else f": {_short(present.iloc[0])}"
        return f"It has the same value in every training row{value}."
    return None


def _leak(name: str, facts: PlanFacts) -> str | None:
    for finding in facts.leaks:
        if name in finding.columns and finding.level != "note":
            return f"It seems to give the target away: {finding.message} `columns.allow` brings it back."
    return None


def _treatment(profile: ColumnProfile, values: pd.Series, facts: PlanFacts) -> tuple[Treatment, str]:
    kind = facts.kinds.get(profile.name)
    if kind is not None:
        return _as_told(profile, kind, values)
    if profile.type != "string":
        return _BY_TYPE[profile.type], _plain_reason(profile, values)
    present = values.dropna()
    levels = present.nunique()
    if levels <= MOST_LEVELS:
        count = "one value" if levels == 1 else f"{levels} different values, few enough to learn each"
        means = levels >= MANY_LEVELS and facts.problem != "multiclass"
        also = " Trees are given the mean target seen with each too." if means else ""
        return "category", f"It has {count}.{also}{_gaps(values)}"
    if mean_words(present) >= TEXT_WORDS:
        return "text", f"It has {mean_words(present):.0f} words on average and {levels} different values: it is text."
    reason = (
        f"It has {levels} different values, too many for one feature each: each becomes the mean target seen with it."
    )
    return "high_cardinality", reason + _gaps(values)


def _as_told(profile: ColumnProfile, kind: str, values: pd.Series) -> tuple[Treatment, str]:
    treatment = _BY_KIND.get((profile.type, kind))
    if treatment is None:
        message = f"`columns.kinds` says that {profile.name!r} is a {kind}, but its values are of type {profile.type}."
        raise SpecError(message + " Change the kind or the source.", [profile.name])
    if treatment == "category" and values.nunique() > MOST_LEVELS:
        treatment = "high_cardinality"
    return treatment, f"The project file says that it is a {kind}."


def _plain_reason(profile: ColumnProfile, values: pd.Series) -> str:
    if profile.type == "boolean":
        return f"It is true or false.{_gaps(values)}"
    present = values.nunique()
    few = profile.whole and present <= MOST_LEVELS
    what = f"It is a whole number with {present} values" if few else "It is a number"
    return f"{what}; used as it is.{_gaps(values)}"


def _gaps(values: pd.Series) -> str:
    share = float(values.isna().mean())
    return f" Missing in {share:.1%} of the rows, which the model is told." if share else ""


def _tokens(values: pd.Series) -> int:
    """Return how many words nineteen in twenty texts fit into, at most MOST_TOKENS."""
    present = values.dropna()
    sample = present.iloc[:: max(1, len(present) // 2000)].astype(str)
    counts = [sum(map(bool, words(text, MOST_TOKENS))) for text in sample]
    return int(np.clip(np.ceil(np.quantile(counts, 0.95)), 4, MOST_TOKENS))


def _levels(values: pd.Series) -> tuple[str, ...]:
    """Return the levels of a category as the decoder writes them, the most frequent first."""
    counts = values.dropna().value_counts()
    if pd.api.types.is_string_dtype(counts.index.dtype):
        texts = [str(level) for level in counts.index]
    else:
        texts = [_level(level) for level in counts.index]
    return tuple(texts) + ((MISSING,) if values.isna().any() else ())


def _level(value: object) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, float, np.integer, np.floating)):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    return str(value)


def _short(value: object) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
