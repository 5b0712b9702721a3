"""Champion or challenger: compared on rows that neither was fitted or tuned on, and a decision with reasons."""

import hashlib
import uuid
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.domain.datasets import Split
from penstock.domain.evaluation import Comparison, Decision, Evaluation, Gate, Predictions, VerdictWord
from penstock.domain.models import FittedModel
from penstock.domain.workspace import Workspace
from penstock.evaluation.answers import Answers, metric_of, read_answers, same_classes
from penstock.evaluation.intervals import looks
from penstock.evaluation.intervals.comparing import Gain, compare
from penstock.evaluation.intervals.influence import estimate
from penstock.evaluation.intervals.spending import spend
from penstock.evaluation.wording import count, figure, title
from penstock.spec import Gates, ProjectSpec
from penstock.store import frames, records, trainings

SAME_MAKING = (
    "The challenger is not better by its making: it comes of the champion's own project file and of rows that hardly "
    "differ (fewer new ones than `gates.min_rows`), so a gain is the luck of its search, and repeating one until it "
    "wins would tune on the holdout. New rows, another setting such as `budget.seconds`, or `penstock release` by hand "
    "can change that."
)
NAMESPACE = uuid.UUID("5e0c39ab-7a3e-4d55-8f57-0e2f4b6f4f0d")  # decisions on one pair have one id, however often judged


@dataclass(frozen=True, slots=True)
class Judged:
    """One side of a comparison.

    `key` names the training that made the version (36 characters at most); `predictions` are its bundle's, on the
    holdout of the challenger's split; `gates` and `evaluation` are needed of a challenger.
    """

    key: str
    model: FittedModel
    predictions: Predictions
    version: str | None = None
    gates: tuple[Gate, ...] = ()
    evaluation: Evaluation | None = None

    @property
    def name(self) -> str:
        """The version, or the training where there is none yet."""
        return self.version or self.key


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both models' answers on the same rows, in one order of classes."""

    champion: Answers
    challenger: Answers
    excluded: int


def judge(
    challenger: Judged, champion: Judged | None, split: Split, spec: ProjectSpec, workspace: Workspace
) -> Decision:
    """Decide whether a challenger is promoted, and keep the decision.

    Rows that either model was fitted or tuned on, by their recorded digests, and rows that were used to promote over
    a champion are left out. Each look at rows spends error on them (see `looks`). Judging the same pair on the same
    rows again gives the same decision; on more rows it is another look.

    Parameters
    ----------
    challenger
        The version that would serve, with its gates and evaluation.
    champion
        The version that serves, or None before the first release.
    split
        The challenger's split; both predictions are of its holdout.
    spec
        The project: its metric and `gates`.
    workspace
        Where looks and decisions are kept.

    Returns
    -------
    Decision
        `promote` or `hold`, with reasons and figures.
    """
    repeated = champion is not None and _is_made_alike(challenger, champion, split, spec, workspace)
    look = _judge_pair(challenger, champion, split, spec, workspace) if champion else _judge_first(challenger)
    verdict, reasons = look.verdict, look.reasons
    if verdict == "promote" and repeated:
        verdict, reasons = "hold", (SAME_MAKING, *reasons)
    failing = [gate for gate in challenger.gates if not gate.held]
    if failing:
        verdict = "hold"
        reasons = tuple(f"The gate {gate.name!r} does not hold: {gate.detail}" for gate in failing) + reasons
    if verdict == "promote" and look.rows is not None:
        retired = Retired(look.key, frames.save_array(np.unique(look.rows), workspace))
        records.save_record("retired_rows", look.key, spec.name, retired, workspace)
    decision = Decision(
        id=str(uuid.uuid5(NAMESPACE, f"{spec.name}/{look.key}")),
        project=spec.name,
        verdict=verdict,
        reasons=reasons,
        at=workspace.now(),
        version=challenger.version,
        champion=champion.version if champion else None,
        comparison=look.comparison,
        gates=challenger.gates,
        repeated=repeated,
    )
    records.save_record("decision", decision.id, spec.name, decision, workspace)
    return decision


def _pair_key(challenger: Judged, champion: Judged | None) -> str:
    return f"champion:{champion.key}:{challenger.key}" if champion else f"baseline:{challenger.key}"


@dataclass(frozen=True, slots=True)
class _Look:
    """What the figures say, before gates: `key` is what it is known by, `rows` the digests of the rows compared on."""

    key: str
    verdict: VerdictWord
    reasons: tuple[str, ...]
    comparison: Comparison | None = None
    rows: NDArray[np.uint64] | None = None


def _judge_first(challenger: Judged) -> _Look:
    key = _pair_key(challenger, None)
    evaluation = challenger.evaluation
    if evaluation is None or evaluation.score.rows == 0:
        return _Look(key, "hold", ("There are no rows to judge by: neither a holdout nor out-of-fold predictions.",))
    metric, gain, low = title(evaluation.score.metric), evaluation.gain, evaluation.gain_low
    where = "held-out rows" if evaluation.side == "holdout" else "out-of-fold rows, as none are held out"
    rows = f"{evaluation.score.rows:,} {where}"
    baseline = f"the baseline's {figure(evaluation.baseline.value)}"
    figures = f"{metric} {figure(evaluation.score.value)} beside {baseline} on {rows}"
    bound = f"lower bound of the gain {figure(low, 3)}"
    if low > 0:
        return _Look(key, "promote", (f"It is the first version, and it beats the baseline: {figures}; {bound}.",))
    return _Look(key, "hold", (f"It does not beat the baseline: {figures}; gain {figure(gain, 3)}, {bound}.",))


def _judge_pair(challenger: Judged, champion: Judged, split: Split, spec: ProjectSpec, workspace: Workspace) -> _Look:
    """Compare both on the rows that neither was fitted on; the look is known by the pair and these rows."""
    key = _pair_key(challenger, champion)
    if split.holdout_rows == 0:
        return _Look(key, "hold", ("No rows are held out (`split.holdout` is 0), so a challenger cannot be judged.",))
    for side in (champion, challenger):
        if side.predictions.lacks:
            return _Look(key, "hold", (_unable(side),))
    pair = _pair(challenger, champion, key, spec, workspace)
    rows = pair.challenger.rows
    key = f"{key}:{_name_of(pair.challenger.digest)}"
    if rows < spec.gates.min_rows:
        return _Look(key, "hold", (_too_few(rows, pair.excluded, spec.gates),))
    number = looks.take_look(spec.name, key, pair.challenger.digest, workspace)
    alpha = spend(number, 1 - spec.gates.confidence)
    gain = gain_of(metric_of(spec, challenger.model.signature), pair.champion, pair.challenger, split, alpha)
    comparison = Comparison(
        champion=champion.name,
        challenger=challenger.name,
        metric=metric_of(spec, challenger.model.signature),
        rows=rows,
        gain=gain.value,
        low=gain.low,
        confidence=spec.gates.confidence,
        look=number,
        spent=alpha,
        excluded=pair.excluded,
    )
    reasons = _reasons(comparison, gain, spec.gates)
    return _Look(key, verdict_of(gain, spec.gates), reasons, comparison, pair.challenger.digest)


def _is_made_alike(challenger: Judged, champion: Judged, split: Split, spec: ProjectSpec, workspace: Workspace) -> bool:
    """Return whether both come of one project file, and of rows that hardly differ: fewer new ones than judge."""
    ours, theirs = (trainings.made_of(side.key, workspace) for side in (challenger, champion))
    if ours is None or theirs is None or ours[1] != theirs[1]:
        return False
    return ours[0] == theirs[0] or _new_rows(split, champion.model.dataset, workspace) < spec.gates.min_rows


def _new_rows(split: Split, dataset: str, workspace: Workspace) -> int:
    """Return how many rows of a split an earlier dataset version did not have; all if that was never split."""
    digests = frames.load_array(split.row_digests, workspace)
    for made in reversed(records.list_records("split", split.project, Split, workspace)):
        if made.dataset == dataset:
            return int(np.count_nonzero(~np.isin(digests, frames.load_array(made.row_digests, workspace))))
    return len(digests)


def _name_of(digests: NDArray[np.uint64]) -> str:
    """Return a short name of a set of rows."""
    return hashlib.sha256(np.unique(digests).astype("<u8").tobytes()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Retired:
    """Rows that promoted a pair's challenger over its champion: the digest of a sorted uint64 `.npy`."""

    pair: str
    rows: str


def gain_of(metric: str, champion: Answers, challenger: Answers, split: Split, alpha: float) -> Gain:
    """Return the paired gain of a challenger on rows that both answered, in the same order."""
    return compare(
        estimate(metric, challenger.target, champion.predictions, champion.choosing),
        estimate(metric, challenger.target, challenger.predictions, challenger.choosing),
        challenger.dependence(split),
        alpha,
    )


def verdict_of(gain: Gain, gates: Gates) -> VerdictWord:
    """Return `promote` when the lower bound clears what the gates ask, else `hold`."""
    needed = -gates.margin if gates.mode == "non_inferior" else gates.min_gain
    return "promote" if gain.low > needed else "hold"


def _pair(challenger: Judged, champion: Judged, key: str, spec: ProjectSpec, workspace: Workspace) -> _Pair:
    ours = read_answers(challenger.predictions.digest, challenger.model.signature, spec, workspace, known=False)
    theirs = read_answers(champion.predictions.digest, champion.model.signature, spec, workspace, known=False)
    _, at_ours, at_theirs = np.intersect1d(ours.row, theirs.row, return_indices=True)
    ours, theirs = ours.take(at_ours), theirs.take(at_theirs)
    ours, theirs = same_classes(ours, theirs)
    known = ours.known & (ours.digest == theirs.digest)
    ours, theirs = ours.take(known), theirs.take(known)
    fresh = ~np.isin(ours.digest, _not_to_be_used(challenger, champion, key, workspace))
    return _Pair(theirs.take(fresh), ours.take(fresh), int(np.count_nonzero(~fresh)))


def _not_to_be_used(challenger: Judged, champion: Judged, key: str, workspace: Workspace) -> NDArray[np.uint64]:
    project = challenger.model.project
    retired = [
        frames.load_array(rows.rows, workspace)
        for rows in records.list_records("retired_rows", project, Retired, workspace)
        if not rows.pair.startswith(key)
    ]
    fitted = [frames.load_array(side.model.training_rows, workspace) for side in (challenger, champion)]
    return np.concatenate([*fitted, *retired]).astype(np.uint64)


def _unable(side: Judged) -> str:
    return (
        f"Version {side.name} cannot be compared on these rows: it needs the columns "
        f"{', '.join(map(repr, side.predictions.lacks))}, which the table lacks, or has in another type. "
        "`penstock release` by hand can change what serves."
    )


def _too_few(rows: int, excluded: int, gates: Gates) -> str:
    left_out = (
        f" {count(excluded, 'row was', 'rows were')} left out, as a model was fitted on them or they have promoted "
        "a version before."
        if excluded
        else ""
    )
    return (
        f"There are too few rows to judge by: {rows:,} that neither model was fitted on, and `gates.min_rows` "
        f"asks for {gates.min_rows:,}.{left_out}"
    )


def _reasons(comparison: Comparison, gain: Gain, gates: Gates) -> tuple[str, ...]:
    figures = (
        f"gain {figure(gain.value, 3)} {title(comparison.metric)}, lower bound {figure(gain.low, 3)} "
        f"at look {comparison.look} of {count(comparison.rows, 'row')}"
    )
    needed = -gates.margin if gates.mode == "non_inferior" else gates.min_gain
    better = "not worse" if gates.mode == "non_inferior" else "better"
    asked = f" The bound must be above {figure(needed, 3)}." if needed else ""
    notes = []
    if gain.same:
        notes.append("Both give the same answers on every row.")
    if comparison.excluded:
        notes.append(
            f"{count(comparison.excluded, 'row was', 'rows were')} left out: a model was fitted on them, or they "
            "have promoted a version before."
        )
    said = "is" if gain.low > needed else "is not"
    if gates.mode == "non_inferior" and said == "is not":
        return (f"The challenger is not shown to be as good: {figures}.{asked}", *notes)
    return (f"The challenger {said} {better}: {figures}.{asked}", *notes)
