"""What one training came to: what commands print and flows return."""

from dataclasses import dataclass, field

from penstock.domain.datasets import Finding, Split, ValidationReport
from penstock.domain.evaluation import Decision, Evaluation, Explanation, Predictions, Score
from penstock.domain.features import FeaturePlan
from penstock.domain.models import Bundle, FittedModel
from penstock.domain.releases import Release, Training
from penstock.domain.search import SearchResult


@dataclass(frozen=True, slots=True)
class Asked:
    """What a training is asked to do: go on without the rows that fail, release, go on with one that was stopped.

    `incident` is the id of the monitor's decision that asks for it, None if a person does.
    """

    quarantine: bool = False
    release: bool = True
    resume: bool = False
    incident: str | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """Every record that one training made before it had a version."""

    training: Training
    report: ValidationReport
    leaks: tuple[Finding, ...]
    split: Split
    plan: FeaturePlan
    result: SearchResult
    model: FittedModel
    bundle: Bundle
    answers: Predictions
    evaluation: Evaluation
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Outcome:
    """A training from its first stage to its decision, and the release that followed.

    `report` is the digest of the HTML report; `closing` are its three closing lines; `left_out` says which columns give
    the answer away; `seconds` are by stage.
    """

    project: str
    version: str
    decision: Decision
    score: Score
    finished: int
    skipped: int
    report: str
    closing: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    release: Release | None = None
    seconds: dict[str, float] = field(default_factory=dict)
